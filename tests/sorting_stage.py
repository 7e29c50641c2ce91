"""A stage that the product has never heard of: numbers are sorted, by an algorithm of choice.

All of it is here: subject, axis, techniques, workload, engine, metrics, stage. No product file names it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar

from effdsl_runtime.observation import Iteration, Observation, Point, Window

from effdsl.axes import Axis, points_on
from effdsl.choice import Choice
from effdsl.declare import identity, keyed, language, transport
from effdsl.engine import Engine
from effdsl.hardware import Hardware
from effdsl.metrics import Better, Metric, declare_metrics
from effdsl.stages.stage import Mistakes, Stage, stage
from effdsl.study import Study
from effdsl.subject import Subject
from effdsl.task import ChosenTechnique, Task
from effdsl.techniques.technique import Technique, Unsupported
from effdsl.workload import Plain, Size, Workload

declare_metrics(
    Metric(
        "sorted_share",
        "sorted",
        "",
        Better.HIGHER,
        "neighbours in order",
        True,
        ("sorting",),
        is_quality=True,
    ),
    Metric("comparisons", "comparisons", "", Better.LOWER, "numbers compared", True, ("sorting",)),
)


@keyed("numbers")
class Numbers(Subject):
    """So many numbers in no order."""

    count: int = identity()

    def __str__(self) -> str:
        return f"{self.count} numbers"


class Algorithm(Technique):
    """Base of the techniques."""

    axis = "algorithm"

    def passes(self, count: int) -> int:
        """How many passes over the numbers it makes."""
        raise NotImplementedError


@keyed("bubble")
class Bubble(Algorithm):
    """As many passes as there are numbers."""

    def passes(self, count: int) -> int:
        return count


@keyed("hasty")
class Hasty(Algorithm):
    """A few passes, whatever there is."""

    most: int = identity(default=3)

    def passes(self, count: int) -> int:
        if count < self.most:
            raise Unsupported(f"Hasty: {count} numbers take fewer than {self.most} passes")
        return self.most


@language
class Sorting(Axis):
    """Which algorithm sorts: ``Sorting([Bubble, Hasty])``."""

    name: ClassVar[str] = "algorithm"
    kind: ClassVar[type[Technique]] = Algorithm
    techniques: tuple[Technique, ...] = transport(converter=points_on(Algorithm))


@keyed("sorting")
class SortingWork(Workload):
    """Sort numbers by swapping neighbours."""

    stage: ClassVar[str] = "sorting"

    numbers: Numbers = identity()
    algorithm: Algorithm = identity()

    @property
    def dtype(self) -> str:
        return "float64"

    def size(self) -> Size:
        return Size(self.numbers.count, self.numbers.count)

    def setting(self) -> Mapping[str, Plain]:
        return {"order": "random"}


@keyed("sorting-engine")
class Neighbours(Engine):
    """Swaps neighbours in plain Python."""

    name: ClassVar[str] = "neighbours"
    runs: ClassVar[Mapping[str, str]] = {"sorting": "sorting_stage:run"}

    version: int = identity(default=1, init=False)

    def processes(self, hardware: Hardware) -> int:
        return 1


@stage
class SortingStage(Stage):
    """Numbers, put in order."""

    name: ClassVar[str] = "sorting"
    axes: ClassVar[tuple[type[Axis], ...]] = (Sorting,)
    named_by: ClassVar[type[Axis]] = Sorting
    takes: ClassVar[frozenset[str]] = frozenset({"models"})
    settings: ClassVar[Mapping[str, type]] = {"order": str}

    def subjects(self, study: Study) -> Sequence[object]:
        return study.models

    def engine(self) -> Engine:
        return Neighbours()

    def usual(self, chosen: Mapping[str, Technique]) -> Mapping[str, Technique]:
        return {"algorithm": Bubble()}

    def conditions(
        self, study: Study, subjects: Sequence[Any], hardware: Hardware, mistakes: Mistakes
    ) -> Mapping[Any, Any]:
        return dict.fromkeys(subjects)

    def workload(self, choice: Choice, conditions: Any) -> SortingWork:
        algorithm: Any = choice.chosen["algorithm"]
        algorithm.passes(choice.subject.count)
        return SortingWork(choice.subject, algorithm)

    def labels(self, choice: Choice, workload: Workload) -> Mapping[str, ChosenTechnique]:
        algorithm = choice.chosen["algorithm"]
        label = repr(algorithm).removesuffix("()")
        usual = algorithm == Bubble()
        return {"algorithm": ChosenTechnique(type(algorithm).__name__, label, usual)}


def run(task: Task, report: object, sampler: object, checkpoints: object) -> Observation:
    """Sort, pass by pass."""
    work: Any = task.workload
    numbers = random.Random(task.seed).sample(range(work.numbers.count), work.numbers.count)  # noqa: S311
    iterations, curve, start = [], [], time.perf_counter_ns()
    for step in range(work.algorithm.passes(len(numbers))):
        before = time.perf_counter()
        for left in range(len(numbers) - 1):
            if numbers[left] > numbers[left + 1]:
                numbers[left : left + 2] = numbers[left + 1], numbers[left]
        iterations.append(Iteration(step, time.perf_counter() - before))
        curve.append(Point(step + 1, in_order(numbers)))
    return Observation(
        iterations=tuple(iterations),
        warmup=1,
        windows=(Window(start, time.perf_counter_ns()),),
        parameters=len(numbers),
        threads=1,
        values={
            "sorted_share": in_order(numbers),
            "comparisons": float(len(iterations) * (len(numbers) - 1)),
        },
        curves={"in order": tuple(curve)},
        artifacts={"numbers": " ".join(map(str, numbers))},
    )


def in_order(numbers: Sequence[int]) -> float:
    """The share of neighbours that stand in order."""
    return sum(a < b for a, b in pairwise(numbers)) / (len(numbers) - 1)
