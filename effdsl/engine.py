"""Engines: what runs the tasks of a stage. Their code is imported where a task runs, never here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import singledispatch
from typing import TYPE_CHECKING, ClassVar

from effdsl.declare import HasTag, identity, keyed
from effdsl.validate import number, one_of, positive_fraction, positive_int, whole

if TYPE_CHECKING:
    from effdsl.hardware import Hardware
    from effdsl.workload import MemoryEstimate, Workload


class Engine(HasTag, ABC):
    """Base of all engines; declared with ``@keyed``, for numerics and timing depend on it.

    Attributes:
        name: what records call it.
        version: bumped by hand when its numerics or timing change; the old results then show as stale.
        runs: by the name of a stage, the ``module:function`` that runs its tasks. The function is an
            ``effdsl_runtime.engines.contract.RunTask``.
        packages: modules that must be importable where a task runs.
        environment: the Python of its own that it needs; empty where it runs in effdsl's.
        silence_s: after so long without a word a task is taken to hang, and ended; ``None`` for never.
    """

    name: ClassVar[str]
    version: int
    runs: ClassVar[Mapping[str, str]]
    packages: ClassVar[tuple[str, ...]] = ()
    environment: ClassVar[str] = ""
    silence_s: ClassVar[float | None] = None

    def refuses(self, workload: Workload, hardware: Hardware) -> str:
        """Why this engine cannot run ``workload`` on ``hardware``; empty when it can."""
        if workload.stage not in self.runs:
            return f"the engine {self.name} does no {workload.stage}, only {', '.join(self.runs)}"
        if hardware.count > self.processes(hardware):
            return f"the engine {self.name} drives one device, not {hardware.count}"
        return ""

    def lacks(self, workload: Workload, hardware: Hardware) -> str:
        """What this engine has not, and no machine changes, that ``workload`` needs on ``hardware``; empty
        when it has all."""
        return ""

    def memory(self, workload: Workload, hardware: Hardware) -> MemoryEstimate | None:
        """Predicted memory of one device when it is fullest; ``None`` where nothing foresees it."""
        return None

    def too_large(self, workload: Workload, hardware: Hardware) -> str:
        """What a plan says of ``workload`` where it does not fit on ``hardware``: how the engine lays it out,
        and what else could be done."""
        return "nothing is sharded or recomputed"

    @abstractmethod
    def processes(self, hardware: Hardware) -> int:
        """How many processes it starts for a task on ``hardware``."""


@singledispatch
def embedded_memory(workload: Workload, hardware: Hardware) -> MemoryEstimate | None:
    """Predicted memory of the embedded engine on one of the devices of ``hardware``; each stage that it runs
    registers what it knows."""
    return None


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


@keyed("torch-engine")
class Torch(Engine):
    """The embedded engine: plain PyTorch, one process, CPU or one GPU."""

    name: ClassVar[str] = "torch"
    runs: ClassVar[Mapping[str, str]] = {"pretraining": "effdsl_runtime.engines.torch_engine:run"}
    packages: ClassVar[tuple[str, ...]] = ("torch", "tokenizers", "numpy", "psutil")

    version: int = identity(default=1, init=False)

    def memory(self, workload: Workload, hardware: Hardware) -> MemoryEstimate | None:
        return embedded_memory(workload, hardware)

    def processes(self, hardware: Hardware) -> int:
        return 1


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
        return super().refuses(workload, hardware)

    def lacks(self, workload: Workload, hardware: Hardware) -> str:
        return lacking_in_vllm(workload, hardware)

    def memory(self, workload: Workload, hardware: Hardware) -> MemoryEstimate | None:
        return memory_in_vllm(workload, hardware, self)

    def too_large(self, workload: Workload, hardware: Hardware) -> str:
        return "weights and a sequence are to fit; tensor_parallel= divides them among devices"

    def processes(self, hardware: Hardware) -> int:
        return self.tensor_parallel

    def is_eager(self, hardware: Hardware) -> bool:
        """Whether it compiles nothing on ``hardware``."""
        return hardware.kind == "cpu" if self.enforce_eager is None else self.enforce_eager
