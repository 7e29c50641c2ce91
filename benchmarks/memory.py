"""Predicted memory of training over what a task measures, for every technique of the small studies.

Each cell trains for a few steps through the engine, in a process of its own from the fork server, as
`effdsl execute` would run it. The metric is ``memory_over_baseline_gb``.
"""

from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
from effdsl_registry.checkpoints import Checkpoints
from effdsl_runtime.dispatch import engine_for, engine_module
from effdsl_runtime.executing.process import Child, preload
from effdsl_runtime.machine import detect
from effdsl_runtime.probes import Sampler
from reporting import Result, report

from effdsl.expand import expand
from effdsl.key import canonical_json, key_of
from effdsl.loading import load_study
from effdsl.stages.tuning import Tuning
from effdsl.subject import Surroundings
from effdsl.subjects.local import Local
from effdsl.task import Cell, Task

STUDIES = Path(__file__).parent.parent / "studies" / "small"
STEPS = 12
AT_LEAST, AT_MOST = 0.85, 1.15
NONE = Checkpoints(Path("nowhere"))


def cells(folder: Path) -> Iterator[Cell]:
    """The cells of the small studies, one that several share once, cut to a few steps.

    What a fine-tuning starts from is trained for as many, and kept in ``folder``.
    """
    seen = set()
    for file in sorted(STUDIES.glob("*.py")):
        for planned in expand(load_study(str(file)).study, detect()):
            cell = shortened(planned.cell, folder)
            if cell.workload not in seen:
                seen.add(cell.workload)
                yield cell


def shortened(cell: Cell, folder: Path) -> Cell:
    work = cell.workload
    changes: dict[str, Any] = {"budget": attrs.evolve(work.budget, steps=STEPS)}
    if isinstance(work, Tuning):
        base = shortened(work.weights.cell, folder)
        left = folder / key_of(canonical_json(base))
        if not left.exists():
            left.mkdir()
            list(Child(leave, Task(base, 0), left).messages())
        changes["weights"] = Local(left).resolve(Surroundings())[0]
        changes["recipe"] = attrs.evolve(work.recipe, learning_rate=1e-3)
    return attrs.evolve(cell, workload=attrs.evolve(work, **changes))


def leave(task: Task, folder: Path, reports: Connection) -> None:
    """Run ``task`` and keep what it leaves; called in a process of its own."""
    with Sampler(task.hardware.kind) as sampler:
        engine_for(task)(task, lambda progress: None, sampler, NONE).leave(folder)
    reports.close()


def measure(task: Task, reports: Connection) -> None:
    """Run ``task`` and send what it took over its start, in bytes; called in a process of its own."""
    sampler = Sampler(task.hardware.kind)
    with sampler:
        engine_for(task)(task, lambda progress: None, sampler, NONE)
    reports.send(sampler.memory_over_start_bytes)
    reports.close()


def measured_bytes(task: Task) -> int:
    (found,) = [message for message in Child(measure, task).messages() if message is not None]
    return int(found)


def results(folder: Path) -> Iterator[Result]:
    for cell in cells(folder):
        measured = measured_bytes(Task(cell, 0))
        predicted = cell.engine.memory(cell.workload, cell.hardware).total
        name = f"{cell.labels.full_name}, {cell.labels.scale}"
        note = f"{predicted / 1e6:.1f} over {measured / 1e6:.1f} MB"
        ratio = predicted / measured
        bar = {"at_least": AT_LEAST} if ratio < 1 else {"at_most": AT_MOST}
        yield Result(name, ratio, "×", note=note, **bar)


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        preload({engine_module(Task(cell, 0)) for cell in cells(Path(folder))})
        report("memory", list(results(Path(folder))))
