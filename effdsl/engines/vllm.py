"""vLLM, in an environment of its own, and what its stage knows of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch
from typing import TYPE_CHECKING, ClassVar

from effdsl.declare import identity, keyed
from effdsl.engine import Engine
from effdsl.validate import number, one_of, positive_fraction, positive_int, whole

if TYPE_CHECKING:
    from effdsl.hardware import Hardware
    from effdsl.workload import MemoryEstimate, Workload


@singledispatch
def memory_in_vllm(workload: Workload, hardware: Hardware, engine: VLLM) -> MemoryEstimate | None:
    """Predicted memory of vLLM on one of the devices of ``hardware``; each stage that it runs registers what
    it knows."""
    return None


@singledispatch
def lacking_in_vllm(workload: Workload, hardware: Hardware) -> str:
    """What ``workload`` needs on ``hardware`` that vLLM has not; empty where it has all. Each stage that it
    runs registers what it knows."""
    return ""


@keyed("vllm-engine")
class VLLM(Engine):
    """vLLM, in an environment of its own: requests are batched as they come, keys and values paged.

    Attributes:
        tensor_parallel: devices that share each matrix.
        enforce_eager: whether nothing is compiled and no graph is captured; by default on a CPU, where
            compiling takes minutes, and not on a GPU.
        gpu_memory_utilization: share of a GPU's memory that it takes: weights, and a pool for keys and
            values. On a CPU the pool is as large as the load needs.
    """

    name: ClassVar[str] = "vllm"
    runs: ClassVar[Mapping[str, str]] = {"inference": "effdsl_runtime.engines.vllm_engine:run"}
    packages: ClassVar[tuple[str, ...]] = ("vllm",)
    environment: ClassVar[str] = "vllm"
    silence_s: ClassVar[float | None] = 600

    version: int = identity(default=1, init=False)
    tensor_parallel: int = identity(default=1, converter=whole, validator=positive_int)
    enforce_eager: bool | None = identity(default=None, validator=one_of(True, False, None))
    gpu_memory_utilization: float = identity(default=0.9, converter=number, validator=positive_fraction)

    def refuses(self, workload: Workload, hardware: Hardware) -> str:
        if workload.stage in self.runs and hardware.count != self.tensor_parallel:
            return f"tensor_parallel={self.tensor_parallel}, and there are {hardware.count} devices"
        return self.wrong_stage(workload)

    def lacks(self, workload: Workload, hardware: Hardware) -> str:
        return lacking_in_vllm(workload, hardware)

    def memory(self, workload: Workload, hardware: Hardware) -> MemoryEstimate | None:
        return memory_in_vllm(workload, hardware, self)

    def too_large(self, workload: Workload, hardware: Hardware) -> str:
        return "weights and a sequence are to fit; tensor_parallel= divides them among devices"

    def processes(self, hardware: Hardware) -> int:
        return 1  # which starts the others

    def is_eager(self, hardware: Hardware) -> bool:
        """Whether it compiles nothing on ``hardware``."""
        return hardware.kind == "cpu" if self.enforce_eager is None else self.enforce_eager
