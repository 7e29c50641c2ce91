"""What finished tasks say of predictions: how fast hardware really is, and how far off they were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from effdsl.costs.price import ASSUMED, UNKNOWN, Speed, lower_bound_s
from effdsl.costs.spread import Spread
from effdsl.task import Cell
from effdsl.workload import Cost, Features, MemoryEstimate

OTHER_PART = 0.1
"""What a task counts for one of another kind of attention, of backbone, and so on."""


@attrs.frozen
class FinishedTask:
    """A task that ended well.

    Attributes:
        cell: what ran, its hardware with the numbers known today.
        seconds: the whole task, evaluation included.
        training_s: its optimizer steps alone.
        memory_bytes: the largest memory above that before the model was built.
        cost, memory: what it is predicted to take, by the formulas of today.
    """

    cell: Cell
    seconds: float
    training_s: float | None = None
    memory_bytes: float | None = None
    cost: Cost = attrs.field(init=False)
    memory: MemoryEstimate | None = attrs.field(init=False)

    @cost.default
    def _cost(self) -> Cost:
        return self.cell.workload.cost(self.cell.hardware)

    @memory.default
    def _memory(self) -> MemoryEstimate | None:
        return self.cell.engine.memory(self.cell.workload, self.cell.hardware)

    @property
    def steps_s(self) -> float:
        """Seconds of training; of the whole task where they were not taken apart."""
        return self.training_s or self.seconds

    @property
    def lower_bound_s(self) -> float | None:
        """Seconds that its hardware's peak rates allow at best."""
        return lower_bound_s(self.cost, self.cell.workload.dtype, self.cell.hardware)


@attrs.frozen
class CalibrationGroup:
    """What shares a speed."""

    stage: str
    hardware: str
    count: int
    engine: str
    dtype: str

    @classmethod
    def of(cls, cell: Cell) -> CalibrationGroup:
        work, hardware = cell.workload, cell.hardware
        return cls(work.stage, hardware.name, hardware.count, cell.engine.name, work.dtype)


@attrs.frozen
class Accuracy:
    """Predictions beside what happened, for one group.

    Attributes:
        group: whose.
        tasks: how many have finished.
        time: predicted over actual, each task predicted from the others; empty for a single task.
        memory: the same.
        flops_per_s: of training, model FLOPs over the time of the optimizer steps.
        of_peak: the same over the peak rate, where that is known.
    """

    group: CalibrationGroup
    tasks: int
    time: Spread | None
    memory: Spread | None
    flops_per_s: Spread | None
    of_peak: Spread | None


@attrs.frozen
class FinishedRates:
    """What a finished task says of others' speed.

    Attributes:
        task: which.
        flops_per_s: of its training, where its FLOPs are known.
        of_bound: its bound over the time of its training, where the bound is known.
        outside_s: what it took beside its training.
    """

    task: FinishedTask
    flops_per_s: float | None
    of_bound: float | None
    outside_s: float

    @classmethod
    def of(cls, task: FinishedTask) -> FinishedRates:
        bound_s = task.lower_bound_s
        return cls(
            task=task,
            flops_per_s=None if task.cost.flops is None else task.cost.flops / task.steps_s,
            of_bound=None if bound_s is None else bound_s / task.steps_s,
            outside_s=task.seconds - task.steps_s,
        )


def weight(features: Features, other: Features) -> float:
    """How much ``other`` says of ``features``: a tenth as much for every other kind of part, and less by as
    much as their steps differ in size, since small products leave hardware idle."""
    unlike = max(len(features.parts - other.parts), len(other.parts - features.parts))
    if features.flops_per_step is None or other.flops_per_step is None:
        return OTHER_PART**unlike
    small, large = sorted((features.flops_per_step, other.flops_per_step))
    return OTHER_PART**unlike * small / large


@attrs.frozen
class KnownSpeeds:
    """What has finished, by group; an assumed speed for hardware whose peak rate is known."""

    finished: Mapping[CalibrationGroup, tuple[FinishedRates, ...]] = attrs.field(factory=dict)

    @classmethod
    def from_tasks(cls, tasks: Iterable[FinishedTask]) -> KnownSpeeds:
        groups: dict[CalibrationGroup, list[FinishedRates]] = {}
        for task in tasks:
            groups.setdefault(CalibrationGroup.of(task.cell), []).append(FinishedRates.of(task))
        return cls({group: tuple(seen) for group, seen in groups.items()})

    def speed(self, cell: Cell, cost: Cost) -> Speed:
        """The median of what has run, the likest counting most; else what the engine foresees, else an
        assumption, else nothing."""
        seen = self.finished.get(CalibrationGroup.of(cell))
        return _speed(cost.features, seen) if seen else _unmeasured_speed(cell, cost)

    def accuracy(self) -> list[Accuracy]:
        """One row per group, by name."""
        ordered = sorted(self.finished.items(), key=lambda item: attrs.astuple(item[0]))
        return [_accuracy(group, tasks) for group, tasks in ordered]


def _unmeasured_speed(cell: Cell, cost: Cost) -> Speed:
    bound_s = lower_bound_s(cost, cell.workload.dtype, cell.hardware)
    if bound_s is None:
        return UNKNOWN
    foreseen_s = cell.engine.training_s(cell.workload, cell.hardware)
    return ASSUMED if foreseen_s is None else Speed(of_bound=bound_s / foreseen_s, foreseen=True)


def _speed(features: Features, seen: Sequence[FinishedRates]) -> Speed:
    weights = [weight(features, one.task.cost.features) for one in seen]
    rates = [one.flops_per_s for one in seen if one.flops_per_s is not None]
    shares = [one.of_bound for one in seen if one.of_bound is not None]
    of_bound = Spread.weighted(shares, weights) if len(shares) == len(seen) else None
    rate = Spread.weighted(rates, weights) if len(rates) == len(seen) else None
    outside_s = Spread.weighted([one.outside_s for one in seen], weights)
    used = of_bound or rate
    if used is None or outside_s is None:
        return UNKNOWN
    return Speed(
        of_bound=None if of_bound is None else of_bound.median,
        flops_per_s=None if rate is None else rate.median,
        tasks=len(seen),
        outside_s=outside_s.median,
        alike=sum(one.task.cost.features.parts == features.parts for one in seen),
        slowest=used.low / used.median,
        fastest=used.high / used.median,
    )


def _accuracy(group: CalibrationGroup, seen: Sequence[FinishedRates]) -> Accuracy:
    rates = [one.flops_per_s for one in seen if one.task.training_s and one.flops_per_s is not None]
    peaks = {one.task.cell.hardware.peak_flops.get(group.dtype) for one in seen}
    peak = next(iter(peaks)) if len(peaks) == 1 else None
    return Accuracy(
        group=group,
        tasks=len(seen),
        time=Spread.of([ratio for one in seen if (ratio := _time_ratio(one, seen)) is not None]),
        memory=Spread.of(
            [
                one.task.memory.total / one.task.memory_bytes
                for one in seen
                if one.task.memory_bytes and one.task.memory is not None
            ]
        ),
        flops_per_s=Spread.of(rates),
        of_peak=Spread.of([rate / (peak * group.count) for rate in rates]) if peak else None,
    )


def _time_ratio(one: FinishedRates, seen: Sequence[FinishedRates]) -> float | None:
    """The time that all others predict of one task, over the time it took."""
    others = [other for other in seen if other is not one]
    if not others:
        return None
    cost = one.task.cost
    seconds = _speed(cost.features, others).seconds(cost.flops, one.task.lower_bound_s)
    return None if seconds is None else seconds / one.task.seconds
