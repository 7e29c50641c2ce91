# ruff: noqa: E501  a table reads best with a row per line
"""Hardware a study can be declared for, with memory, peak rates, bandwidth and power limit.

Memory of the GPUs that the paper lists is the paper's (Table 1). Its FP16 column is the rate of the
CUDA cores, not of the tensor cores, so tensor rates (dense, without sparsity) come from the vendor's
datasheet named in ``source``. What is not known is ``None``.

How devices are joined is that of the systems that they are sold in: H100 and H200 SXM in boards of eight with
NVLink 4 and a 400 Gb/s adapter each (DGX H100 and H200 user guides), GH200 in nodes of four with NVLink 4 and
200 Gb/s each (Alps: Fusco et al. 2024, arXiv 2408.11556), everything else through its slot.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

import attrs

from effdsl.declare import Invalid, evolve, identity, keyed, transport
from effdsl.problems import Problem, report, spelled
from effdsl.units import GB, Bytes, plain
from effdsl.validate import number, one_of, optional, positive, positive_int, some_text, text, whole

DTYPES = ("float32", "float16", "bfloat16")


def _memory(_: Any, field: Any, value: Any) -> None:
    if not isinstance(value, Bytes) or value.value < 1:
        raise Invalid("must be memory above 0, with its unit", "e.g. memory=80*GB")


def _peaks(_: Any, field: Any, value: Any) -> None:
    example = "e.g. peak_flops={'float32': 67e12, 'bfloat16': 989e12}"
    if not isinstance(value, Mapping):
        raise Invalid("must map a dtype to FLOP/s of one device", example)
    if unknown := [dtype for dtype in value if dtype not in DTYPES]:
        raise Invalid(f"no dtype {unknown[0]!r}; allowed: {', '.join(DTYPES)}", example)
    for dtype, rate in value.items():
        try:
            positive(_, field, rate)
        except Invalid as error:
            raise Invalid(f"{rate!r} FLOP/s in {dtype}: {error}", example) from None


def _numbers(value: Any) -> Any:
    return {key: number(rate) for key, rate in value.items()} if isinstance(value, Mapping) else value


def _is_int(count: object) -> TypeGuard[int]:
    return isinstance(count, int) and not isinstance(count, bool)


@keyed("hardware")
class Hardware:
    """A class of device and how many of them, e.g. ``Hardware("MI300X", memory=192*GB)``.

    Only ``name`` and ``count`` are in the key: correcting a datasheet number re-runs nothing. What is left
    out is not known: without ``memory`` nothing is infeasible, without ``peak_flops`` of the dtype in use
    there is no time before a task has run, and without ``power_limit_w`` no energy.

    Attributes:
        kind: ``"gpu"`` or ``"cpu"``.
        memory: memory of one device, e.g. ``80*GB``.
        peak_flops: dense FLOP/s of one device by dtype, e.g. ``{"bfloat16": 989e12}``.
        bandwidth: memory bandwidth of one device in bytes/s.
        power_limit_w: power limit of one device in W.
        per_node: devices of one machine; as many as there are where that is not given.
        interconnect: bytes/s that one device can send to others of its machine.
        network: bytes/s that one device can send to other machines.
        bf16: whether it computes in bfloat16, which ``Recipe(dtype="auto")`` then takes; by default it does
            when ``peak_flops`` has a rate for it.
        source: where the numbers come from.
    """

    name: str = identity(validator=some_text)
    count: int = identity(default=1, validator=positive_int)
    kind: str = transport(default="gpu", validator=one_of("gpu", "cpu"))
    memory: Bytes | None = transport(default=None, validator=optional(_memory))
    peak_flops: Mapping[str, float] = transport(
        factory=dict, converter=_numbers, validator=_peaks, hash=False
    )
    bandwidth: float | None = transport(default=None, converter=number, validator=optional(positive))
    power_limit_w: float | None = transport(default=None, converter=number, validator=optional(positive))
    per_node: int | None = transport(default=None, converter=whole, validator=optional(positive_int))
    interconnect: float | None = transport(default=None, converter=number, validator=optional(positive))
    network: float | None = transport(default=None, converter=number, validator=optional(positive))
    bf16: bool = transport(default=None, validator=optional(one_of(True, False)))
    source: str = transport(default="", validator=text)

    def __attrs_post_init__(self) -> None:
        given: Any = self.bf16
        if given is None:
            object.__setattr__(self, "bf16", "bfloat16" in self.peak_flops)

    @property
    def devices_of_a_node(self) -> int:
        """How many of the devices a full machine has."""
        return min(self.count, self.per_node or self.count)

    @property
    def nodes(self) -> int:
        """How many machines the devices fill."""
        return -(-self.count // self.devices_of_a_node)

    def __rmul__(self, count: object) -> Hardware:
        count = plain(count)
        if not _is_int(count):
            message = f"{spelled(count)} * {self.name}: a number of devices is a whole number"
            report(Problem(message, "e.g. 4 * GH200"))
            return self
        return evolve(self, count=count * self.count)

    __mul__ = __rmul__

    def __str__(self) -> str:
        return self.name if self.count == 1 else f"{self.count} × {self.name}"


@attrs.frozen
class ThisMachine:
    """The machine that runs the study; the runtime detects what it is when the plan is made."""

    def __rmul__(self, count: object) -> ThisMachine:
        report(Problem(f"{count!r} * THIS_MACHINE: this machine is one", "name a cluster, e.g. 48 * GH200"))
        return self

    __mul__ = __rmul__

    def __str__(self) -> str:
        return "this machine"


THIS_MACHINE = ThisMachine()


PCIE_3, PCIE_4, PCIE_5 = 15.75e9, 31.5e9, 63.0e9
"""Bytes/s one way of a slot of 16 lanes (PCI-SIG: 8, 16 and 32 GT/s a lane, 128b/130b)."""
NVLINK_4 = 450e9
"""Bytes/s one way of one device: the vendor's 900 GB/s are both ways."""


def _gpu(
    name: str,
    gb: float,
    fp32: float,
    tensor: float | None,
    tbps: float,
    watts: float,
    source: str,
    *,
    interconnect: float,
    per_node: int | None = None,
    network: float | None = None,
) -> Any:
    """A GPU from datasheet numbers: GB, TFLOP/s (fp32; dense bf16 or fp16 tensor), TB/s, W; bytes/s."""
    bf16 = not any(old in name for old in ("GTX", "RTX 20", "TITAN", "V100"))
    peaks = {"float32": fp32 * 1e12}
    if tensor is not None:
        peaks["float16"] = tensor * 1e12
        if bf16:
            peaks["bfloat16"] = tensor * 1e12
    return Hardware(
        name=name,
        memory=gb * GB,
        peak_flops=peaks,
        bandwidth=tbps * 1e12,
        power_limit_w=float(watts),
        per_node=per_node,
        interconnect=interconnect,
        network=network,
        bf16=bf16,
        source=source,
    )


# fmt: off
GTX_1080 = _gpu("GTX 1080", 8, 8.87, None, 0.320, 180, "paper Table 1; NVIDIA GeForce GTX 1080 whitepaper", interconnect=PCIE_3)
GTX_1080_TI = _gpu("GTX 1080 Ti", 11, 11.34, None, 0.484, 250, "paper Table 1; NVIDIA GeForce GTX 1080 Ti specifications", interconnect=PCIE_3)
RTX_2080_TI = _gpu("RTX 2080 Ti", 11, 13.45, 53.8, 0.616, 250, "paper Table 1; NVIDIA Turing whitepaper, appendix A (fp16 with fp32 accumulate)", interconnect=PCIE_3)
TITAN_RTX = _gpu("TITAN RTX", 24, 16.31, 130.5, 0.672, 280, "paper Table 1; NVIDIA Turing whitepaper", interconnect=PCIE_3)
V100 = _gpu("V100", 32, 14.13, 112.0, 0.900, 250, "paper Table 1; NVIDIA V100 PCIe datasheet", interconnect=PCIE_3)
RTX_3060 = _gpu("RTX 3060", 12, 12.74, 51.0, 0.360, 170, "paper Table 1; NVIDIA Ampere GA10x specifications", interconnect=PCIE_4)
RTX_3090 = _gpu("RTX 3090", 24, 35.58, 71.0, 0.936, 350, "paper Table 1; NVIDIA Ampere GA102 whitepaper (fp32 accumulate)", interconnect=PCIE_4)
RTX_3090_TI = _gpu("RTX 3090 Ti", 24, 40.0, 80.0, 1.008, 450, "paper Table 1; NVIDIA GeForce RTX 3090 Ti specifications", interconnect=PCIE_4)
RTX_4090 = _gpu("RTX 4090", 24, 82.58, 165.2, 1.008, 450, "paper Table 1; NVIDIA Ada whitepaper (fp32 accumulate)", interconnect=PCIE_4)
RTX_A4000 = _gpu("RTX A4000", 16, 19.17, 76.7, 0.448, 140, "paper Table 1; NVIDIA RTX A4000 datasheet", interconnect=PCIE_4)
RTX_A5000 = _gpu("RTX A5000", 24, 27.77, 111.1, 0.768, 230, "paper Table 1; NVIDIA RTX A5000 datasheet", interconnect=PCIE_4)
RTX_A6000 = _gpu("RTX A6000", 48, 38.71, 154.8, 0.768, 300, "paper Table 1; NVIDIA RTX A6000 datasheet", interconnect=PCIE_4)
A40 = _gpu("A40", 48, 37.42, 149.7, 0.696, 300, "paper Table 1; NVIDIA A40 datasheet", interconnect=PCIE_4)
A100 = _gpu("A100 PCIe 80GB", 80, 19.49, 312.0, 1.935, 300, "paper Table 1; NVIDIA A100 datasheet", interconnect=PCIE_4, per_node=8)
L20 = _gpu("L20", 48, 59.35, 119.5, 0.864, 275, "paper Table 1; NVIDIA L20 datasheet", interconnect=PCIE_4, per_node=8)
H100_PCIE = _gpu("H100 PCIe", 80, 51.22, 756.0, 2.0, 350, "paper Table 1; NVIDIA H100 datasheet (half of the sparse rate)", interconnect=PCIE_5, per_node=8)
H100 = _gpu("H100 SXM5", 80, 66.91, 989.4, 3.35, 700, "paper Table 1; NVIDIA H100 datasheet (half of the sparse rate)", interconnect=NVLINK_4, per_node=8, network=50e9)
H200 = _gpu("H200 SXM", 141, 66.91, 989.4, 4.8, 700, "paper Table 1; NVIDIA H200 datasheet (half of the sparse rate)", interconnect=NVLINK_4, per_node=8, network=50e9)
GH200 = _gpu("GH200 96GB", 96, 66.9, 989.4, 4.0, 1000, "paper section 5.3 (96 GB); NVIDIA GH200 datasheet (HBM3, module power)", interconnect=NVLINK_4, per_node=4, network=25e9)
# fmt: on

CATALOG: tuple[Hardware, ...] = (
    GTX_1080, GTX_1080_TI, RTX_2080_TI, TITAN_RTX, V100, RTX_3060, RTX_3090, RTX_3090_TI, RTX_4090,
    RTX_A4000, RTX_A5000, RTX_A6000, A40, A100, L20, H100_PCIE, H100, H200, GH200,
)  # fmt: skip


def catalogued(hardware: Hardware, machine: Hardware | None = None) -> Hardware:
    """``hardware`` with the numbers that the catalog, or ``machine``, has under its name."""
    known = {each.name: each for each in (*CATALOG, *([machine] if machine else []))}
    return evolve(known.get(hardware.name, hardware), count=hardware.count)
