"""Megatron-Core, in an environment of its own: layouts of a model over many devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import TYPE_CHECKING, ClassVar

from effdsl.declare import identity, keyed
from effdsl.engine import Engine
from effdsl.parallelism import Parallelism
from effdsl.validate import one_of, optional, positive_int, whole

if TYPE_CHECKING:
    from effdsl.hardware import Hardware
    from effdsl.parallelism import LayoutOption
    from effdsl.workload import MemoryEstimate, Workload


@singledispatch
def memory_in_megatron(workload: Workload, hardware: Hardware, engine: Megatron) -> MemoryEstimate | None:
    """Predicted memory of Megatron-Core on the fullest of the devices of ``hardware``; each stage that it
    runs registers what it knows."""
    return None


@singledispatch
def training_s_in_megatron(workload: Workload, hardware: Hardware, engine: Megatron) -> float | None:
    """Seconds of training by Megatron-Core on all of ``hardware``; the same."""
    return None


@singledispatch
def lacking_in_megatron(workload: Workload, hardware: Hardware, engine: Megatron) -> str:
    """Why Megatron-Core cannot lay ``workload`` out over ``hardware`` as ``engine`` asks, with what to do;
    empty where it can. Each stage that it runs registers what it knows."""
    return ""


@singledispatch
def chosen_layout(workload: Workload, hardware: Hardware, engine: Megatron) -> Megatron:
    """``engine`` with everything decided that it leaves open; each stage that it runs registers how."""
    return engine


@singledispatch
def layouts_of_megatron(workload: Workload, hardware: Hardware, engine: Megatron) -> Sequence[LayoutOption]:
    """What :func:`chosen_layout` chooses from, where ``engine`` has what it chose; the same."""
    return ()


def _degree() -> int | None:
    degree: int | None = identity(default=None, converter=whole, validator=optional(positive_int))
    return degree


@keyed("megatron-engine")
class Megatron(Engine):
    """Megatron-Core, a process for each device. What is left out is chosen when the study is planned.

    The devices that no other way of dividing the model takes copy it and share each batch: see
    :meth:`data_parallel`.

    Attributes:
        tensor_parallel: devices that share each matrix.
        pipeline_parallel: stages of the pipeline, each of as many layers.
        expert_parallel: devices, of those that share a batch, that share the experts of each layer.
        context_parallel: devices that share each sequence.
        sequence_parallel: whether the devices of ``tensor_parallel`` also share the tokens of what lies
            between the matrices; by default they do.
        recompute: what the backward pass computes again instead of keeping: ``"none"``, ``"selective"`` (the
            scores of attention) or ``"full"`` (each layer).
    """

    name: ClassVar[str] = "megatron"
    runs: ClassVar[Mapping[str, str]] = {"pretraining": "effdsl_runtime.engines.megatron_engine:run"}
    packages: ClassVar[tuple[str, ...]] = ("megatron",)
    environment: ClassVar[str] = "megatron"
    silence_s: ClassVar[float | None] = 1800

    version: int = identity(default=1, init=False)
    tensor_parallel: int | None = _degree()
    pipeline_parallel: int | None = _degree()
    expert_parallel: int | None = _degree()
    context_parallel: int | None = _degree()
    sequence_parallel: bool | None = identity(default=None, validator=one_of(True, False, None))
    recompute: str | None = identity(default=None, validator=one_of("none", "selective", "full", None))

    def lacks(self, workload: Workload, hardware: Hardware) -> str:
        return lacking_in_megatron(workload, hardware, self)

    def laid_out(self, workload: Workload, hardware: Hardware) -> Megatron:
        return chosen_layout(workload, hardware, self)

    def memory(self, workload: Workload, hardware: Hardware) -> MemoryEstimate | None:
        return memory_in_megatron(workload, hardware, self)

    def training_s(self, workload: Workload, hardware: Hardware) -> float | None:
        return training_s_in_megatron(workload, hardware, self)

    def layouts(self, workload: Workload, hardware: Hardware) -> Sequence[LayoutOption]:
        return layouts_of_megatron(workload, hardware, self)

    def too_large(self, workload: Workload, hardware: Hardware) -> str:
        return (
            f"{self.parallelism(hardware)}; larger tensor_parallel= and pipeline_parallel= divide the model, "
            "recompute='full' keeps less"
        )

    def processes(self, hardware: Hardware) -> int:
        return hardware.count

    def model_parallel(self) -> int:
        """Devices that hold one copy of the model, experts apart."""
        return (self.tensor_parallel or 1) * (self.pipeline_parallel or 1) * (self.context_parallel or 1)

    def data_parallel(self, hardware: Hardware) -> int:
        """Copies of the model, each of which computes its part of a batch."""
        return hardware.count // self.model_parallel()

    def parallelism(self, hardware: Hardware) -> Parallelism:
        """How the devices divide the work; what is left open is taken for 1."""
        return Parallelism(
            tensor=self.tensor_parallel or 1,
            pipeline=self.pipeline_parallel or 1,
            expert=self.expert_parallel or 1,
            context=self.context_parallel or 1,
            data=self.data_parallel(hardware),
            sequence_parallel=bool(self.sequence_parallel),
            recomputes=self.recompute == "full",
        )

    def remark(self, hardware: Hardware) -> str:
        return str(self.parallelism(hardware))
