"""Predicted memory of training over what a task measures, for every technique of the small studies.

Each cell trains for a few steps through the engine, in a process of its own from the fork server, as
`effdsl execute` would run it. The metric is ``memory_over_baseline_gb``.
"""

from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import attrs
from effdsl_runtime.dispatch import engine_for, engine_module
from effdsl_runtime.executing.process import Child, preload
from effdsl_runtime.machine import detect
from effdsl_runtime.probes import Sampler
from reporting import Result, report

from effdsl.expand import expand
from effdsl.loading import load_study
from effdsl.task import Cell, Task

STUDIES = Path(__file__).parent.parent / "studies" / "small"
STEPS = 12
AT_LEAST, AT_MOST = 0.85, 1.15


def cells() -> Iterator[Cell]:
    """The cells of the small studies, one that several share once, cut to a few steps."""
    seen = set()
    for file in sorted(STUDIES.glob("*.py")):
        for planned in expand(load_study(str(file)).study, detect()):
            workload = planned.cell.workload
            budget = attrs.evolve(workload.budget, steps=STEPS)
            cell = attrs.evolve(planned.cell, workload=attrs.evolve(workload, budget=budget))
            if cell.workload not in seen:
                seen.add(cell.workload)
                yield cell


def measure(task: Task, reports: Connection) -> None:
    """Run ``task`` and send what it took over its start, in bytes; called in a process of its own."""
    sampler = Sampler(task.hardware.kind)
    with sampler:
        engine_for(task)(task, lambda progress: None, sampler)
    reports.send(sampler.memory_over_start_bytes)
    reports.close()


def measured_bytes(task: Task) -> int:
    child = Child(measure, task)
    (found,) = [message for message in child.messages() if message is not None]
    child.join()
    return int(found)


def results() -> Iterator[Result]:
    for cell in cells():
        measured = measured_bytes(Task(cell, 0))
        predicted = cell.engine.memory(cell.workload, cell.hardware).total
        name = f"{cell.labels.full_name}, {cell.labels.scale}"
        note = f"{predicted / 1e6:.1f} over {measured / 1e6:.1f} MB"
        ratio = predicted / measured
        bar = {"at_least": AT_LEAST} if ratio < 1 else {"at_most": AT_MOST}
        yield Result(name, ratio, "×", note=note, **bar)


if __name__ == "__main__":
    preload({engine_module(cell.engine) for cell in cells()})
    report("memory", list(results()))
