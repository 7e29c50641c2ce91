"""transformers with peft, and what its stages know of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch
from typing import TYPE_CHECKING, ClassVar

from effdsl.declare import identity, keyed
from effdsl.engine import Engine
from effdsl.validate import one_of

if TYPE_CHECKING:
    from effdsl.hardware import Hardware
    from effdsl.workload import MemoryEstimate, Workload


@singledispatch
def memory_in_transformers(workload: Workload, hardware: Hardware, recomputes: bool) -> MemoryEstimate | None:
    """Predicted memory of transformers on one of the devices of ``hardware``; each stage that it runs
    registers what it knows.

    Args:
        recomputes: whether layers are computed again in the backward pass.
    """
    return None


@singledispatch
def too_large_for_transformers(workload: Workload, hardware: Hardware, recomputes: bool) -> str:
    """What a plan says of ``workload`` where transformers finds no room for it on ``hardware``; a stage that
    trains nothing registers what it knows."""
    how = "layers are recomputed" if recomputes else "nothing is recomputed"
    more = "" if recomputes else " (Transformers(gradient_checkpointing=True) would)"
    return f"nothing is sharded, or offloaded as DeepSpeed does, and {how}{more}"


@singledispatch
def lacking_in_transformers(workload: Workload, hardware: Hardware) -> str:
    """What ``workload`` needs on ``hardware`` that transformers has not; empty where it has all. Each stage
    that it runs registers what it knows."""
    return ""


@keyed("transformers-engine")
class Transformers(Engine):
    """transformers with peft: models as Hugging Face builds them, one process, CPU or one GPU.

    Attributes:
        gradient_checkpointing: whether layers are computed again in the backward pass instead of kept, as
            LlamaFactory does: less memory, more time.
    """

    name: ClassVar[str] = "transformers"
    runs: ClassVar[Mapping[str, str]] = {
        "fine-tuning": "effdsl_runtime.engines.transformers_engine:run",
        "tuning": "effdsl_runtime.engines.transformers_engine:try_out",
        "inference": "effdsl_runtime.engines.transformers_inference:run",
    }
    packages: ClassVar[tuple[str, ...]] = ("torch", "peft", "transformers", "numpy", "psutil")

    version: int = identity(default=1, init=False)
    gradient_checkpointing: bool = identity(default=False, validator=one_of(True, False))

    def memory(self, workload: Workload, hardware: Hardware) -> MemoryEstimate | None:
        return memory_in_transformers(workload, hardware, self.gradient_checkpointing)

    def lacks(self, workload: Workload, hardware: Hardware) -> str:
        return lacking_in_transformers(workload, hardware)

    def too_large(self, workload: Workload, hardware: Hardware) -> str:
        return too_large_for_transformers(workload, hardware, self.gradient_checkpointing)

    def processes(self, hardware: Hardware) -> int:
        return 1
