"""From a study to tasks: which results are known, which tasks are left to run, and why.

Pure: the machine and the store's answer are handed in, so that a plan for a cluster can be made, and
tested, on a laptop.
"""

from __future__ import annotations

import enum
import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

import attrs

from effdsl.choice import Choice
from effdsl.costs import Calibration, Price, Speed, price_of
from effdsl.expand import PlannedCell, expand
from effdsl.hardware import Hardware
from effdsl.key import CanonicalForms, KeyFieldError
from effdsl.outcome import Outcome
from effdsl.problems import Collector, Problem, StudyError
from effdsl.stages import stage_of
from effdsl.study import Study
from effdsl.task import Address, Cell, Task, address_of
from effdsl.workload import MemoryEstimate


class TaskState(enum.Enum):
    """What a plan says of a task."""

    NEW = "new"
    CACHED = "cached"
    STALE = "stale"
    INFEASIBLE = "infeasible"
    UNAVAILABLE = "unavailable"
    UNSUPPORTED = "unsupported"
    LEFT_OUT = "left out"


TO_RUN = frozenset({TaskState.NEW, TaskState.STALE})


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


@attrs.frozen
class History:
    """The store's answer: what it knows of the keys, and which engine version each lineage was run with."""

    known: Mapping[str, PastResult] = attrs.field(factory=dict)
    engine_versions: Mapping[str, int] = attrs.field(factory=dict)


LookUp = Callable[[Sequence[Address]], History]


@attrs.frozen
class PlannedTask:
    """A task with its cell, its state and the reason for it."""

    task: Task
    of: PlannedCell
    address: Address
    state: TaskState
    reason: str = ""
    known: PastResult | None = None

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
class Plan:
    """What a study would run. ``tasks`` are in the order of running: repeats interleaved."""

    study: str
    machine: Hardware
    cells: tuple[PlannedCell, ...]
    tasks: tuple[PlannedTask, ...]
    repeats: int

    def counts(self) -> dict[TaskState, int]:
        """Number of tasks in each state; an unsupported cell counts once per repeat."""
        found = Counter(task.state for task in self.tasks)
        found[TaskState.UNSUPPORTED] = self.repeats * sum(cell.cell is None for cell in self.cells)
        return {state: found[state] for state in TaskState}

    def to_run(self) -> tuple[PlannedTask, ...]:
        """The tasks that ``effdsl execute`` starts, in its order."""
        return tuple(task for task in self.tasks if task.state in TO_RUN)

    def to_price(self) -> tuple[PlannedTask, ...]:
        """What is to run here; where that is nothing, what is to run on other hardware."""
        return self.to_run() or tuple(task for task in self.tasks if task.state is TaskState.UNAVAILABLE)

    def status_counts(self) -> dict[str, int]:
        """Number of tasks by their status; an unsupported cell counts once per repeat."""
        found = Counter(task.status for task in self.tasks)
        found[TaskState.UNSUPPORTED.value] += self.repeats * sum(cell.cell is None for cell in self.cells)
        ended = sorted(found.keys() - {state.value for state in TaskState})
        new, cached, *others = (state.value for state in TaskState)
        return {name: found[name] for name in (new, cached, *ended, *others)}

    def speeds(self) -> tuple[Speed, ...]:
        """How fast tasks were taken to run for the prices of the cells."""
        return tuple(dict.fromkeys(planned.speed for planned in self.cells if planned.speed is not None))

    def retrying(self, outcomes: Collection[Outcome]) -> Plan:
        """This plan with results of these outcomes to be run again."""

        def again(task: PlannedTask) -> PlannedTask:
            if task.known is None or task.known.outcome not in outcomes:
                return task
            return attrs.evolve(task, state=TaskState.NEW, reason=f"retry, was {task.known.outcome.value}")

        return attrs.evolve(self, tasks=tuple(map(again, self.tasks)))

    def summary(self) -> str:
        """The last line of ``effdsl plan``."""
        rare = (TaskState.UNSUPPORTED.value, TaskState.LEFT_OUT.value)
        shown = [f"{n} {name}" for name, n in self.status_counts().items() if name not in rare or n]
        return "Plan: " + ", ".join(shown)

    def _repr_html_(self) -> str:
        from effdsl.display import plan_html

        return plan_html(self)


def make_plan(
    study: Study,
    machine: Hardware,
    look_up: LookUp = lambda addresses: History(),
    unavailable: Callable[[Cell], str] = lambda cell: "",
    place: Collector | None = None,
    calibration: Calibration | None = None,
    unfit: Callable[[Cell], str] = lambda cell: "",
    remarks: Callable[[Cell], str] = lambda cell: "",
) -> Plan:
    """Work out the tasks of ``study`` and their states.

    Args:
        study: what was declared.
        machine: what ``THIS_MACHINE`` means.
        look_up: asks the store, once, what it knows.
        unavailable: says why a cell cannot run here; empty when it can.
        place: knows the lines of the study file, for messages.
        calibration: what finished tasks say of how fast the hardware is.
        remarks: says what else a plan should say of a cell's inputs; usually nothing.
        unfit: says why an input of a cell, e.g. its text, is of no use to it; empty when that is not known.

    Raises:
        StudyError: with every mistake that shows only when the study is worked out.
    """
    calibration = calibration or Calibration()
    cells = tuple(_priced(planned, study, calibration, remarks) for planned in expand(study, machine, place))
    forms = CanonicalForms()
    _refuse_duplicates(study, cells, forms, place)
    judged = [
        (cell, planned, _obstacle(cell, planned.memory, unfit, unavailable))
        for planned in cells
        if (cell := planned.cell) is not None
    ]
    tasks = [
        (Task(cell, seed), planned, obstacle)
        for seed in study.repeats.values
        for cell, planned, obstacle in _shuffled(judged, seed)
    ]
    addresses = [address_of(task, forms) for task, _, _ in tasks]
    history = look_up(addresses)
    return Plan(
        study=study.name or "study",
        machine=machine,
        cells=cells,
        tasks=tuple(
            PlannedTask(task, planned, address, *_state(task, address, obstacle, history, forms))
            for (task, planned, obstacle), address in zip(tasks, addresses, strict=True)
        ),
        repeats=len(study.repeats.values),
    )


def _priced(
    planned: PlannedCell, study: Study, calibration: Calibration, remarks: Callable[[Cell], str]
) -> PlannedCell:
    cell, cost = planned.cell, planned.cost
    if cell is None:
        return planned
    speed = calibration.speed(cell, cost)
    remark = "; ".join(filter(None, (planned.remark, remarks(cell))))
    return attrs.evolve(planned, speed=speed, price=price_of(cell, cost, speed, study.rates), remark=remark)


Obstacle = tuple[TaskState, str] | None
Judged = tuple[Cell, PlannedCell, Obstacle]


def _obstacle(
    cell: Cell,
    memory: MemoryEstimate | None,
    unfit: Callable[[Cell], str],
    unavailable: Callable[[Cell], str],
) -> Obstacle:
    """What keeps a cell from being run: it will not fit, or what it needs is not here. What nothing
    foresees keeps it from nothing."""
    hardware = cell.hardware
    if memory is not None and hardware.memory is not None and memory.total > hardware.memory.value:
        fits = f"{hardware.memory.value / 1e9:.1f} GB of {hardware.name}"
        needs = f"nothing is sharded or recomputed, so each device needs {memory}"
        return TaskState.INFEASIBLE, f"{needs}, more than the {fits}"
    if reason := unfit(cell):
        return TaskState.INFEASIBLE, reason
    reason = unavailable(cell)
    return (TaskState.UNAVAILABLE, reason) if reason else None


def _state(
    task: Task, address: Address, obstacle: Obstacle, history: History, forms: CanonicalForms
) -> tuple[TaskState, str] | tuple[TaskState, str, PastResult]:
    """What a plan says of a task, why, and what is known of it."""
    known = history.known.get(address.key)
    if known is not None:
        if known.canonical != forms(task):
            raise RuntimeError(
                f"{address.key}: stored under this key is another task; run `effdsl store verify`"
            )
        return TaskState.CACHED, _cached_reason(known), known
    if obstacle is not None:
        return obstacle
    earlier = history.engine_versions.get(address.lineage)
    if earlier is not None:
        reason = (
            f"measured with version {earlier} of the engine {task.engine.name}, now {task.engine.version}"
        )
        return TaskState.STALE, reason
    return TaskState.NEW, "not run yet"


def _cached_reason(known: PastResult) -> str:
    if known.outcome is not Outcome.OK:
        return f"{known.outcome.value}: {known.reason}"
    if known.changed:
        more = f" and {len(known.changed) - 1} more" if len(known.changed) > 1 else ""
        return f"code changed: {known.changed[0]}{more}"
    return ""


def _shuffled(cells: list[Judged], seed: int) -> list[Judged]:
    """The cells in an order of their own for each repeat, so that drift spreads evenly."""
    order = list(cells)
    random.Random(seed).shuffle(order)  # noqa: S311  an order, not a secret
    return order


def _refuse_duplicates(
    study: Study, cells: Sequence[PlannedCell], forms: CanonicalForms, place: Collector | None
) -> None:
    problems = []
    by_form: dict[str, list[PlannedCell]] = {}
    for cell in cells:
        if cell.cell is not None:
            try:
                by_form.setdefault(forms(cell.cell), []).append(cell)
            except KeyFieldError as error:  # of a technique that a study brings
                hint = "a field of the key is text, a finite number, a class declared with @keyed, or several"
                problems.append(Problem(str(error), hint, *_place_of(cell.choice, study, place)))
    for same in by_form.values():
        if len(same) > 1:
            shown = " and ".join(" × ".join(map(repr, cell.choice.chosen.values())) for cell in same)
            labels = same[0].labels
            scales = dict.fromkeys(cell.labels.scale for cell in same)
            message = f"{shown} are the same cell at {' and '.join(scales)}"
            hint = f"each means {labels.technique}; keep one of them" + _why_same(study, same[0])
            problems.append(Problem(message, hint, *_place_of(same[-1].choice, study, place)))
    if problems:
        raise StudyError(problems)


def _why_same(study: Study, planned: PlannedCell) -> str:
    """What the stage says beside of combinations that are one cell."""
    stage = stage_of(type(study.axis.axes[0]))
    if stage is None or planned.cell is None:
        return ""
    said = stage.same_because(planned.choice, planned.cell.workload)
    return said and f"; {said}"


def _place_of(choice: Choice, study: Study, place: Collector | None) -> tuple[str, int]:
    """File and line of the techniques of ``choice``, or of the study."""
    if place is None:
        return "", 0
    lines = [place.line_of(value) for value in (*choice.chosen.values(), study)]
    return place.file, next(filter(None, lines), 0)
