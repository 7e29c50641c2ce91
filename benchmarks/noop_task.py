"""Wall time of a task that does nothing: process, probe, record with its fsync, index.

Everything of a real task but its work, from the claim to the row in the index. The first task loads
torch into the fork server and is left out.
"""

import os
import tempfile
import time
from pathlib import Path

import attrs
from effdsl_registry.store import Store
from effdsl_runtime.executing.executor import Executor
from effdsl_runtime.handover import RecordedTask
from effdsl_runtime.machine import detect
from effdsl_runtime.observation import Progress
from noop_engine import Noop
from reporting import Result, median, report

from effdsl import GQA, MQA, Attention, Budget, M, Study
from effdsl.outcome import Outcome
from effdsl.plan import PlannedTask
from effdsl.planner import make_plan

REPEATS = 20


@attrs.define
class Stopwatch:
    """Stands in for the display and notes when tasks end."""

    ends: list[float] = attrs.field(factory=list)

    def started(self, task: PlannedTask) -> None: ...
    def progress(self, task: PlannedTask, progress: Progress) -> None: ...
    def elsewhere(self, task: PlannedTask) -> None: ...
    def waiting(self, tasks: int) -> None: ...

    def finished(self, task: PlannedTask, result: RecordedTask, seconds: float) -> None:
        assert result.ending.outcome is Outcome.OK, result.ending
        self.ends.append(time.perf_counter())

    def message(self, text: str) -> None:
        raise SystemExit(text)


def main() -> None:
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)  # where the fork server finds the engine
    study = Study(Attention([MQA, GQA]), [3 * M], budget=Budget(steps=10), engine=Noop(), repeats=REPEATS)
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        Executor(Store(Path(folder)), watch).run(make_plan(study, detect()))
    first = watch.ends[0] - start
    later = [end - begin for begin, end in zip(watch.ends[:-1], watch.ends[1:], strict=True)]
    usual = Result("a task after the first", median(later), "s", at_most=0.15, note=f"median of {len(later)}")
    fastest = Result("the fastest of them", min(later), "s")
    report("noop_task", [usual, fastest, Result("the first task, which loads torch", first, "s")])


if __name__ == "__main__":  # the fork server imports this file again
    main()
