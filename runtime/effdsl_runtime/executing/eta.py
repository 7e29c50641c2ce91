"""When a study will be done: from the plan's FLOPs and from what has run."""

from __future__ import annotations

import time

import attrs

from effdsl.costs.words import duration
from effdsl.outcome import Outcome
from effdsl.plan import Plan, PlannedTask
from effdsl_runtime.observation import Progress


@attrs.define
class Eta:
    """Seconds left: a cell that has run takes as long again, any other by its FLOPs at the rate so far."""

    plan: Plan
    total: int = attrs.field(init=False)
    _left: dict[str, PlannedTask] = attrs.field(init=False)
    _by_cell: dict[str, list[float]] = attrs.field(factory=dict)
    _seconds: float = 0.0
    _flops: float = 0.0
    _current: PlannedTask | None = None
    _start: float = 0.0
    _fraction: float = 0.0

    def __attrs_post_init__(self) -> None:
        to_run = self.plan.to_run()
        self.total = len(to_run)
        self._left = {task.address.key: task for task in to_run}
        for task in self.plan.tasks:
            if task.known is not None and task.known.outcome is Outcome.OK and task.known.seconds:
                self._learn(task, task.known.seconds)

    def started(self, task: PlannedTask) -> None:
        self._current, self._start, self._fraction = task, time.monotonic(), 0.0

    def progress(self, progress: Progress) -> None:
        if progress.phase == "training" and progress.total:
            self._fraction = progress.done / progress.total

    def finished(self, task: PlannedTask, seconds: float | None) -> None:
        """Count a task as done; ``None`` when another process ran it."""
        self._left.pop(task.address.key, None)
        self._current = None
        if seconds is not None:
            self._learn(task, seconds)

    def seconds(self) -> float | None:
        """Seconds left, or ``None`` while nothing is known."""
        spent = time.monotonic() - self._start if self._current else 0.0
        current = self._current
        known = current and self._expected(current)
        here = known or (spent / self._fraction if self._fraction > 0.02 else None)
        if current and here is None:
            return None
        total = max(0.0, (here or 0.0) - spent)
        for task in self._left.values():
            if current is None or task.address.key != current.address.key:
                expected = self._expected(task)
                if expected is None and current and here:
                    expected = _scaled(here, current, task)
                if expected is None:
                    return None
                total += expected
        return total

    def text(self) -> str:
        """The estimate in words."""
        left = self.seconds()
        return "" if left is None else f"about {duration(left)} left"

    def _learn(self, task: PlannedTask, seconds: float) -> None:
        self._by_cell.setdefault(task.address.cell, []).append(seconds)
        if (flops := _flops(task)) is not None:
            self._seconds += seconds
            self._flops += flops

    def _expected(self, task: PlannedTask) -> float | None:
        same = self._by_cell.get(task.address.cell)
        if same:
            return sum(same) / len(same)
        flops = _flops(task)
        return self._seconds / self._flops * flops if self._flops and flops is not None else None


def _scaled(seconds: float, of: PlannedTask, other: PlannedTask) -> float | None:
    """What ``other`` takes where ``of`` takes ``seconds``, by their FLOPs."""
    here, there = _flops(of), _flops(other)
    return seconds * there / here if here and there is not None else None


def _flops(task: PlannedTask) -> float | None:
    return task.of.cost.flops
