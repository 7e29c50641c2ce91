"""The embedded engine: plain PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import TYPE_CHECKING, ClassVar

from effdsl.declare import evolve, identity, keyed
from effdsl.engine import Engine
from effdsl.validate import one_of

if TYPE_CHECKING:
    from effdsl.hardware import Hardware
    from effdsl.parallelism import LayoutOption
    from effdsl.workload import MemoryEstimate, Workload


@singledispatch
def embedded_memory(workload: Workload, hardware: Hardware, sharded: bool) -> MemoryEstimate | None:
    """Predicted memory of the embedded engine on one of the devices of ``hardware``, each of which has all
    states of the model or, where these are ``sharded``, a part; each stage that it runs registers what it
    knows."""
    return None


@singledispatch
def embedded_training_s(workload: Workload, hardware: Hardware, sharded: bool) -> float | None:
    """Seconds of training by the embedded engine on all of ``hardware``; the same."""
    return None


@singledispatch
def embedded_layouts(workload: Workload, hardware: Hardware, engine: Torch) -> Sequence[LayoutOption]:
    """Copies and shards on all of ``hardware``, of which ``engine`` has taken one; the same."""
    return ()


@keyed("torch-engine")
class Torch(Engine):
    """The embedded engine: plain PyTorch on CPUs and GPUs, a process for each device.

    Several devices share each batch. DDP averages their gradients where every device can hold the whole model
    and its optimizer states; else FSDP2 (``fully_shard``) divides these among them.

    Attributes:
        sharded: whether weights, gradients and optimizer states are divided among the devices instead of
            copied; by default where a copy does not fit. ``None`` on one device.
    """

    name: ClassVar[str] = "torch"
    runs: ClassVar[Mapping[str, str]] = {"pretraining": "effdsl_runtime.engines.torch_engine:run"}
    packages: ClassVar[tuple[str, ...]] = ("torch", "tokenizers", "numpy", "psutil")

    version: int = identity(default=1, init=False)
    sharded: bool | None = identity(since=2, absent=None, default=None, validator=one_of(True, False, None))

    def laid_out(self, workload: Workload, hardware: Hardware) -> Torch:
        if hardware.count == 1:
            return evolve(self, sharded=None)
        if self.sharded is not None:
            return self
        copied, most = evolve(self, sharded=False).memory(workload, hardware), hardware.memory
        return evolve(self, sharded=copied is not None and most is not None and copied.total > most.value)

    def memory(self, workload: Workload, hardware: Hardware) -> MemoryEstimate | None:
        return embedded_memory(workload, hardware, bool(self.sharded))

    def training_s(self, workload: Workload, hardware: Hardware) -> float | None:
        return embedded_training_s(workload, hardware, bool(self.sharded))

    def layouts(self, workload: Workload, hardware: Hardware) -> Sequence[LayoutOption]:
        return () if self.sharded is None else embedded_layouts(workload, hardware, self)

    def too_large(self, workload: Workload, hardware: Hardware) -> str:
        if self.sharded:
            return "weights, gradients and optimizer states are divided among the devices, nothing else is"
        return super().too_large(workload, hardware)

    def processes(self, hardware: Hardware) -> int:
        return hardware.count
