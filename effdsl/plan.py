"""A plan: the tasks of a study, which results are known, which tasks are left to run, and why."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

import attrs

from effdsl.costs import Price, Speed
from effdsl.expand import PlannedCell
from effdsl.hardware import Hardware
from effdsl.outcome import Outcome
from effdsl.task import Address, Task


class TaskState(enum.Enum):
    """What a plan says of a task."""

    NEW = "new"
    CACHED = "cached"
    STALE = "stale"
    WAITING = "waiting"
    INFEASIBLE = "infeasible"
    UNAVAILABLE = "unavailable"
    UNSUPPORTED = "unsupported"
    LEFT_OUT = "left out"


TO_RUN = frozenset({TaskState.NEW, TaskState.STALE})


class TaskRole(enum.Enum):
    """What a task is to the study that is planned."""

    RESULT = "result"
    TRIAL = "trial"
    UPSTREAM = "upstream"


@attrs.frozen
class PastResult:
    """What the store knows of a key.

    Attributes:
        outcome: of the latest attempt.
        canonical: the canonical form it was stored under.
        reason: why the outcome is not ``ok``.
        changed: files of ours that differ from those the result was measured with.
        seconds: how long it took.
    """

    outcome: Outcome
    canonical: str
    reason: str = ""
    changed: tuple[str, ...] = ()
    seconds: float | None = None


def _no_values(metric: str, keys: Sequence[str]) -> Mapping[str, float]:
    return {}


@attrs.frozen
class History:
    """The store's answer.

    Attributes:
        known: what it knows of the keys that were asked for.
        engine_versions: which engine version each lineage was run with.
        values: a metric of some of the keys, where it was measured; asked for only where tasks depend on it.
        has_weights: whether what the task of a key left is still there.
    """

    known: Mapping[str, PastResult] = attrs.field(factory=dict)
    engine_versions: Mapping[str, int] = attrs.field(factory=dict)
    values: Callable[[str, Sequence[str]], Mapping[str, float]] = _no_values
    has_weights: Callable[[str], bool] = lambda key: False


LookUp = Callable[[Sequence[Address]], History]


@attrs.frozen
class PlannedTask:
    """A task with its cell, its state and the reason for it.

    Attributes:
        of: the cell of the study that it is a task of, or a trial for; of an upstream task its own.
        role: what it is to the study.
        is_upstream: whether others of the plan start from its weights: of an upstream task always, and of
            the study's own where it starts from weights that it leaves itself.
        upstream: the keys of the tasks whose weights it starts from.
    """

    task: Task
    of: PlannedCell
    address: Address
    state: TaskState
    reason: str = ""
    known: PastResult | None = None
    role: TaskRole = TaskRole.RESULT
    is_upstream: bool = False
    upstream: tuple[str, ...] = ()

    @property
    def seed(self) -> int:
        """Of the repeat that it is."""
        return self.task.seed

    @property
    def status(self) -> str:
        """Its state in a word; of a result that did not end well, how it ended."""
        if self.state is TaskState.CACHED and self.known is not None and self.known.outcome is not Outcome.OK:
            ended: str = self.known.outcome.value
            return ended
        return self.state.value

    @property
    def price(self) -> Price:
        """What the task is predicted to take."""
        return self.of.price

    @property
    def code_changed(self) -> bool:
        """Whether its result was measured with code that has changed since."""
        return self.known is not None and bool(self.known.changed)


@attrs.frozen
class OpenTask:
    """A repeat of a cell of which something is still to be decided, so that nobody knows its key.

    ``state`` is ``WAITING``, or why it will never be decided.
    """

    of: PlannedCell
    seed: int
    reason: str
    state: TaskState = TaskState.WAITING

    @property
    def status(self) -> str:
        """Its state in a word."""
        return self.state.value

    @property
    def price(self) -> Price:
        """What the task is predicted to take."""
        return self.of.price


@attrs.frozen
class Plan:
    """What a study would run.

    Attributes:
        cells: of the study.
        other_cells: of upstream tasks, and of trials.
        tasks: in the order of running: those whose weights others start from, trials, then the study's own,
            repeats interleaved.
        open_tasks: those that other tasks have to be run for before they can be told.
        states_with: the tasks, results of some outcomes to be run again.
    """

    study: str
    machine: Hardware
    cells: tuple[PlannedCell, ...]
    tasks: tuple[PlannedTask, ...]
    repeats: int
    open_tasks: tuple[OpenTask, ...] = ()
    other_cells: tuple[PlannedCell, ...] = ()
    states_with: Callable[[Collection[Outcome]], tuple[PlannedTask, ...]] = attrs.field(
        kw_only=True, eq=False, repr=False
    )

    @property
    def every_task(self) -> tuple[PlannedTask | OpenTask, ...]:
        """Those that have a key, and those that will have one."""
        return (*self.tasks, *self.open_tasks)

    @property
    def every_cell(self) -> tuple[PlannedCell, ...]:
        """The cells of all tasks, in the order of running."""
        return (*self.other_cells, *self.cells)

    def counts(self) -> dict[TaskState, int]:
        """Number of tasks in each state; an unsupported cell counts once per repeat."""
        found = Counter(task.state for task in self.every_task)
        found[TaskState.UNSUPPORTED] = self.repeats * sum(cell.cell is None for cell in self.cells)
        return {state: found[state] for state in TaskState}

    def to_run(self) -> tuple[PlannedTask, ...]:
        """The tasks that ``effdsl execute`` starts, in its order."""
        return tuple(task for task in self.tasks if task.state in TO_RUN)

    def to_price(self) -> tuple[PlannedTask | OpenTask, ...]:
        """What is to run here, and then can be; where that is nothing, what is to run on other hardware."""
        soon = (*TO_RUN, TaskState.WAITING)
        wanted = soon if self.to_run() else (TaskState.UNAVAILABLE,)
        return tuple(task for task in self.every_task if task.state in wanted)

    def status_counts(self) -> dict[str, int]:
        """Number of tasks by their status; an unsupported cell counts once per repeat."""
        found = Counter(task.status for task in self.every_task)
        found[TaskState.UNSUPPORTED.value] += self.repeats * sum(cell.cell is None for cell in self.cells)
        ended = sorted(found.keys() - {state.value for state in TaskState})
        new, cached, *others = (state.value for state in TaskState)
        return {name: found[name] for name in (new, cached, *ended, *others)}

    def speeds(self) -> tuple[Speed, ...]:
        """How fast tasks were taken to run for the prices of the cells."""
        return tuple(dict.fromkeys(planned.speed for planned in self.every_cell if planned.speed is not None))

    def retrying(self, outcomes: Collection[Outcome]) -> Plan:
        """This plan with results of these outcomes to be run again."""
        return attrs.evolve(self, tasks=self.states_with(outcomes))

    def summary(self) -> str:
        """The last line of ``effdsl plan``."""
        rare = (TaskState.WAITING.value, TaskState.UNSUPPORTED.value, TaskState.LEFT_OUT.value)
        shown = [f"{n} {name}" for name, n in self.status_counts().items() if name not in rare or n]
        return "Plan: " + ", ".join(shown)

    def _repr_html_(self) -> str:
        from effdsl.display import plan_html

        return plan_html(self)
