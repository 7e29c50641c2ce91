"""What finished tasks say of predictions: how fast hardware really is, and how far off they were."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping

import attrs

from effdsl.costs.memory import training_memory
from effdsl.costs.price import ASSUMED, UNKNOWN, Pace, lower_bound_s
from effdsl.task import Cell


@attrs.frozen
class Finished:
    """A task that ended well.

    Attributes:
        cell: what ran, its hardware with the numbers known today.
        seconds: the whole task, evaluation included.
        training_s: its optimizer steps alone.
        memory_bytes: the largest memory above that before the model was built.
    """

    cell: Cell
    seconds: float
    training_s: float | None = None
    memory_bytes: float | None = None

    @property
    def steps_s(self) -> float:
        """Seconds of training; of the whole task where they were not taken apart."""
        return self.training_s or self.seconds


@attrs.frozen
class Group:
    """What shares a pace."""

    hardware: str
    count: int
    engine: str
    dtype: str

    @classmethod
    def of(cls, cell: Cell) -> Group:
        return cls(cell.hardware.name, cell.hardware.count, cell.engine.name, cell.workload.recipe.dtype)


@attrs.frozen
class Spread:
    """The median of some values, and the 5th and 95th percentile."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Spread | None:
        """``None`` for no values."""
        if not values:
            return None
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        twentieths = statistics.quantiles(values, n=20, method="inclusive")
        return cls(statistics.median(values), twentieths[0], twentieths[-1])


@attrs.frozen
class Accuracy:
    """Predictions beside what happened, for one group.

    Attributes:
        group, pace: whose, and the pace that new estimates use.
        time, memory: predicted over actual, of each task; the time at ``pace``.
        flops_per_s: of training, model FLOPs over the time of the optimizer steps.
        of_peak: the same over the peak rate, where that is known.
    """

    group: Group
    pace: Pace
    time: Spread | None
    memory: Spread | None
    flops_per_s: Spread | None
    of_peak: Spread | None


@attrs.frozen
class Calibration:
    """The pace of each group that has run; an assumed one for hardware whose peak rate is known."""

    finished: Mapping[Group, tuple[Finished, ...]] = attrs.field(factory=dict)

    @classmethod
    def from_tasks(cls, tasks: Iterable[Finished]) -> Calibration:
        groups: dict[Group, tuple[Finished, ...]] = {}
        for task in tasks:
            group = Group.of(task.cell)
            groups[group] = (*groups.get(group, ()), task)
        return cls(groups)

    def pace(self, cell: Cell) -> Pace:
        """The median of what has run like ``cell``, else an assumption, else nothing."""
        tasks = self.finished.get(Group.of(cell))
        if tasks:
            return _pace(tasks)
        return UNKNOWN if lower_bound_s(cell.workload, cell.hardware) is None else ASSUMED

    def accuracy(self) -> list[Accuracy]:
        """One row per group, by name."""
        ordered = sorted(self.finished.items(), key=lambda item: attrs.astuple(item[0]))
        return [_accuracy(group, tasks) for group, tasks in ordered]


def _pace(tasks: tuple[Finished, ...]) -> Pace:
    rate = statistics.median(task.cell.workload.train_flops / task.steps_s for task in tasks)
    shares = [
        bound / task.steps_s
        for task in tasks
        if (bound := lower_bound_s(task.cell.workload, task.cell.hardware)) is not None
    ]
    outside_s = statistics.median(task.seconds - task.steps_s for task in tasks)
    return Pace(statistics.median(shares) if shares else None, rate, len(tasks), outside_s)


def _accuracy(group: Group, tasks: tuple[Finished, ...]) -> Accuracy:
    pace = _pace(tasks)
    rates = [(task, task.cell.workload.train_flops / task.training_s) for task in tasks if task.training_s]
    peaks = [(task.cell.hardware.peak_flops.get(group.dtype), rate) for task, rate in rates]
    return Accuracy(
        group=group,
        pace=pace,
        time=Spread.of([seconds / task.seconds for task in tasks if (seconds := _seconds(task, pace))]),
        memory=Spread.of(
            [
                training_memory(task.cell.workload, task.cell.hardware).total / task.memory_bytes
                for task in tasks
                if task.memory_bytes
            ]
        ),
        flops_per_s=Spread.of([rate for _, rate in rates]),
        of_peak=Spread.of([rate / (peak * group.count) for peak, rate in peaks if peak]),
    )


def _seconds(task: Finished, pace: Pace) -> float | None:
    return pace.seconds(task.cell.workload.train_flops, lower_bound_s(task.cell.workload, task.cell.hardware))
