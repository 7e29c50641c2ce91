"""What pretraining takes of the embedded engine: memory, and time on several devices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from effdsl.costs.communication import Averaged, FullySharded
from effdsl.costs.memory import training_memory
from effdsl.costs.step_time import step_time
from effdsl.engines.torch import Torch, embedded_layouts, embedded_memory, embedded_training_s
from effdsl.hardware import Hardware
from effdsl.parallelism import LayoutOption, Parallelism
from effdsl.stages.pretraining import Pretraining
from effdsl.workload import MemoryEstimate


@embedded_memory.register
def _memory(workload: Pretraining, hardware: Hardware, sharded: bool) -> MemoryEstimate:
    return training_memory(
        workload.architecture, workload.budget, workload.dtype, hardware.kind, hardware.count, sharded=sharded
    )


@embedded_training_s.register
def _training_s(workload: Pretraining, hardware: Hardware, sharded: bool) -> float | None:
    """Of several devices, for which the model of a step's time was made."""
    seconds = _step_s(workload, hardware, sharded) if hardware.count > 1 else None
    return None if seconds is None else workload.budget.steps * seconds


def _step_s(workload: Pretraining, hardware: Hardware, sharded: bool) -> float | None:
    replication = FullySharded() if sharded else Averaged()
    step = step_time(workload, hardware, Parallelism(data=hardware.count), replication)
    return None if step is None else step.seconds


@embedded_layouts.register
def _layouts(workload: Pretraining, hardware: Hardware, engine: Torch) -> Sequence[LayoutOption]:
    return tuple(_options(workload, hardware, engine))


def _options(workload: Pretraining, hardware: Hardware, engine: Torch) -> Iterator[LayoutOption]:
    for sharded, kind in ((False, "copies (DDP)"), (True, "shards (FSDP2)")):
        memory = _memory(workload, hardware, sharded)
        why_not = ""
        if sharded is not engine.sharded:
            why_not = memory.against(hardware.memory) or "the study asks for the other"
            if sharded and not _memory(workload, hardware, False).against(hardware.memory):
                why_not = "copies fit"
        name = f"{hardware.count} {kind}"
        yield LayoutOption(name, memory, _step_s(workload, hardware, sharded), why_not)
