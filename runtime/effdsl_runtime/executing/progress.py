"""How a running study is shown: live bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO

import attrs
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn

from effdsl.costs.words import duration
from effdsl.key import short
from effdsl.outcome import Outcome
from effdsl.plan import Plan, PlannedTask
from effdsl.task_states import name_of_task
from effdsl_runtime import observation
from effdsl_runtime.executing.eta import Eta
from effdsl_runtime.handover import RecordedTask

PLAIN_EVERY_S = 5.0


def display_for(plan: Plan, mode: str = "auto", stream: TextIO | None = None) -> RichDisplay | PlainDisplay:
    """The display for ``mode``: ``auto`` (bars on a terminal), ``rich`` or ``plain``."""
    stream = stream or sys.stderr
    if mode == "rich" or (mode == "auto" and stream.isatty()):
        return RichDisplay(plan, Console(file=stream))
    return PlainDisplay(plan, stream)


def name(task: PlannedTask) -> str:
    """A task as people call it."""
    return name_of_task(task.task.labels, task.task.seed)


def outcome_line(task: PlannedTask, result: RecordedTask, seconds: float) -> str:
    """One line for a finished task."""
    if result.ending.outcome is not Outcome.OK:
        return f"{name(task)}  {result.ending.outcome.value}: {result.ending.reason}"
    shown = [
        f"{label} {result.metrics[key]:.4g}{unit}"
        for key, label, unit in (
            ("ppl", "ppl", ""),
            ("new_domain_loss", "new-domain loss", ""),
            ("tuning_loss", "tuning loss", ""),
            ("al_s_per_iter", "", " s/iter"),
            ("amu_gb", "", " GB"),
        )
        if key in result.metrics
    ]
    return "  ".join(
        [name(task), *(text.strip() for text in shown), duration(seconds), short(task.address.key)]
    )


def phase_line(progress: observation.Progress) -> str:
    """What a task is doing, in words."""
    done = f" {progress.done:,}/{progress.total:,}" if progress.total else ""
    loss = f", loss {progress.loss:.3f}" if progress.loss is not None else ""
    return f"{progress.phase}{done}{loss}"


@attrs.define
class PlainDisplay:
    """One line when a task starts and ends, and every few seconds in between."""

    plan: Plan
    stream: TextIO
    _eta: Eta = attrs.field(init=False)
    _done: int = 0
    _last: float = 0.0

    def __attrs_post_init__(self) -> None:
        self._eta = Eta(self.plan)

    def __enter__(self) -> PlainDisplay:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.flush()

    def preparing(self, progress: observation.Progress) -> None:
        if time.monotonic() - self._last >= PLAIN_EVERY_S:
            self._last = time.monotonic()
            self._say(f"preparing data: {phase_line(progress)}")

    def started(self, task: PlannedTask) -> None:
        self._last = time.monotonic()
        self._eta.started(task)
        self._say(f"[{self._done + 1}/{self._eta.total}] {name(task)}: starting")

    def progress(self, task: PlannedTask, progress: observation.Progress) -> None:
        self._eta.progress(progress)
        if time.monotonic() - self._last >= PLAIN_EVERY_S:
            self._last = time.monotonic()
            left = ", ".join(filter(None, (phase_line(progress), self._eta.text())))
            self._say(f"[{self._done + 1}/{self._eta.total}] {name(task)}: {left}")

    def finished(self, task: PlannedTask, result: RecordedTask, seconds: float) -> None:
        self._done += 1
        self._eta.finished(task, seconds)
        self._say(f"[{self._done}/{self._eta.total}] {outcome_line(task, result, seconds)}")

    def elsewhere(self, task: PlannedTask) -> None:
        self._done += 1
        self._eta.finished(task, None)
        self._say(f"[{self._done}/{self._eta.total}] {name(task)}: done by another process")

    def waiting(self, tasks: int) -> None:
        if time.monotonic() - self._last >= PLAIN_EVERY_S:
            self._last = time.monotonic()
            self._say(f"waiting for {tasks} task{'s' * (tasks != 1)} that another process is running")

    def message(self, text: str) -> None:
        self._say(text)

    def _say(self, text: str) -> None:
        print(text, file=self.stream, flush=True)


@attrs.define
class RichDisplay:
    """Two bars: the study, and the task that is running; finished tasks scroll above them."""

    plan: Plan
    console: Console
    _eta: Eta = attrs.field(init=False)
    _bars: Progress = attrs.field(init=False)
    _study: TaskID = attrs.field(init=False, default=TaskID(0))
    _task: TaskID = attrs.field(init=False, default=TaskID(0))

    def __attrs_post_init__(self) -> None:
        self._eta = Eta(self.plan)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        self._bars = Progress(*columns, TextColumn("{task.fields[note]}"), console=self.console)

    def __enter__(self) -> RichDisplay:
        self._study = self._bars.add_task(self.plan.study, total=self._eta.total, note="")
        self._task = self._bars.add_task("", total=None, note="", visible=False)
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.update(self._task, visible=False)
        self._bars.stop()

    def preparing(self, progress: observation.Progress) -> None:
        self._bars.update(self._task, description="preparing data", note=phase_line(progress), visible=True)

    def started(self, task: PlannedTask) -> None:
        self._eta.started(task)
        self._bars.reset(self._task, total=None, description=name(task), note="starting", visible=True)

    def progress(self, task: PlannedTask, progress: observation.Progress) -> None:
        self._eta.progress(progress)
        note = progress.phase + (f", loss {progress.loss:.3f}" if progress.loss is not None else "")
        self._bars.update(self._task, note=note)
        if progress.total:  # what follows the training has no steps: the bar stays full
            self._bars.update(self._task, total=progress.total, completed=progress.done)
        self._bars.update(self._study, note=self._eta.text())

    def finished(self, task: PlannedTask, result: RecordedTask, seconds: float) -> None:
        self._eta.finished(task, seconds)
        self._bars.advance(self._study)
        mark = "[green]✓[/]" if result.ending.outcome is Outcome.OK else "[red]✗[/]"
        self._bars.console.print(mark, outcome_line(task, result, seconds), highlight=False)

    def elsewhere(self, task: PlannedTask) -> None:
        self._eta.finished(task, None)
        self._bars.advance(self._study)
        self._bars.console.print("[green]✓[/]", f"{name(task)}  done by another process", highlight=False)

    def waiting(self, tasks: int) -> None:
        note = f"{tasks} running in another process"
        self._bars.update(self._task, total=None, description="waiting", note=note, visible=True)

    def message(self, text: str) -> None:
        self._bars.console.print(text, markup=False, highlight=False)
