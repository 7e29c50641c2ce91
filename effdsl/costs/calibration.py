"""What finished tasks say of predictions: how fast hardware really is, and how far off they were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from effdsl.costs.memory import training_memory
from effdsl.costs.price import ASSUMED, UNKNOWN, Pace, lower_bound_s
from effdsl.costs.spread import Spread
from effdsl.declare import values_of
from effdsl.task import Cell

OTHER_PART = 0.1
"""What a task counts for one of another kind of attention, of backbone, and so on."""


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

    group: Group
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
        features: of what it ran.
        flops_per_s: of its training.
        of_bound: its bound over the time of its training, where the bound is known.
        outside_s: what it took beside its training.
    """

    task: Finished
    features: Features
    flops_per_s: float
    of_bound: float | None
    outside_s: float

    @classmethod
    def of(cls, task: Finished) -> FinishedRates:
        bound_s = lower_bound_s(task.cell.workload, task.cell.hardware)
        return cls(
            task=task,
            features=Features.of(task.cell),
            flops_per_s=task.cell.workload.train_flops / task.steps_s,
            of_bound=None if bound_s is None else bound_s / task.steps_s,
            outside_s=task.seconds - task.steps_s,
        )


@attrs.frozen
class Features:
    """What decides how well a task uses its hardware, as far as one can see: kinds of parts, and size."""

    parts: frozenset[tuple[str, type]]
    flops_per_step: float

    @classmethod
    def of(cls, cell: Cell) -> Features:
        architecture, work = cell.workload.architecture, cell.workload
        parts = {(name, type(part)) for name, part in values_of(architecture).items() if name != "shape"}
        return cls(
            frozenset({("backbone", type(architecture)), *parts}), work.train_flops / work.budget.steps
        )

    def weight(self, other: Features) -> float:
        """How much ``other`` says of this: a tenth as much for every other kind of part, and less by as much
        as their steps differ in size, since small products leave hardware idle."""
        small, large = sorted((self.flops_per_step, other.flops_per_step))
        return OTHER_PART ** max(len(self.parts - other.parts), len(other.parts - self.parts)) * small / large


@attrs.frozen
class Calibration:
    """What has finished, by group; an assumed pace for hardware whose peak rate is known."""

    finished: Mapping[Group, tuple[FinishedRates, ...]] = attrs.field(factory=dict)

    @classmethod
    def from_tasks(cls, tasks: Iterable[Finished]) -> Calibration:
        groups: dict[Group, list[FinishedRates]] = {}
        for task in tasks:
            groups.setdefault(Group.of(task.cell), []).append(FinishedRates.of(task))
        return cls({group: tuple(seen) for group, seen in groups.items()})

    def pace(self, cell: Cell) -> Pace:
        """The median of what has run, the likest counting most; else an assumption, else nothing."""
        seen = self.finished.get(Group.of(cell))
        if seen:
            return _pace(Features.of(cell), seen)
        return UNKNOWN if lower_bound_s(cell.workload, cell.hardware) is None else ASSUMED

    def accuracy(self) -> list[Accuracy]:
        """One row per group, by name."""
        ordered = sorted(self.finished.items(), key=lambda item: attrs.astuple(item[0]))
        return [_accuracy(group, tasks) for group, tasks in ordered]


def _pace(features: Features, seen: Sequence[FinishedRates]) -> Pace:
    weights = [features.weight(one.features) for one in seen]
    rates = [one.flops_per_s for one in seen]
    shares = [one.of_bound for one in seen if one.of_bound is not None]
    of_bound = Spread.weighted(shares, weights) if len(shares) == len(seen) else None
    rate = Spread.weighted(rates, weights)
    outside_s = Spread.weighted([one.outside_s for one in seen], weights)
    assert rate is not None and outside_s is not None  # noqa: S101, PT018  seen is not empty
    used = of_bound or rate
    return Pace(
        of_bound=None if of_bound is None else of_bound.median,
        flops_per_s=rate.median,
        tasks=len(seen),
        outside_s=outside_s.median,
        alike=sum(one.features.parts == features.parts for one in seen),
        slowest=used.low / used.median,
        fastest=used.high / used.median,
    )


def _accuracy(group: Group, seen: Sequence[FinishedRates]) -> Accuracy:
    rates = [one.flops_per_s for one in seen if one.task.training_s]
    peaks = {one.task.cell.hardware.peak_flops.get(group.dtype) for one in seen}
    peak = next(iter(peaks)) if len(peaks) == 1 else None
    return Accuracy(
        group=group,
        tasks=len(seen),
        time=Spread.of([ratio for one in seen if (ratio := _time_ratio(one, seen)) is not None]),
        memory=Spread.of(
            [
                training_memory(one.task.cell.workload, one.task.cell.hardware).total / one.task.memory_bytes
                for one in seen
                if one.task.memory_bytes
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
    work = one.task.cell.workload
    seconds = _pace(one.features, others).seconds(
        work.train_flops, lower_bound_s(work, one.task.cell.hardware)
    )
    return None if seconds is None else seconds / one.task.seconds
