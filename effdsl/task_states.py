"""The state of every task of a plan: what is known of it, what keeps it from being run, what it waits for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import attrs

from effdsl.expand import PlannedCell
from effdsl.key import CanonicalForms
from effdsl.outcome import Outcome
from effdsl.plan import TO_RUN, History, PastResult, PlannedTask, TaskState
from effdsl.task import Cell, Labels
from effdsl.task_list import ListedTask

Obstacle = tuple[TaskState, str]
NEW = "not run yet"


@attrs.frozen
class Obstacles:
    """Says what keeps a cell from being run: it will not fit, or what it needs is not here.

    Attributes:
        unfit: why an input of a cell is of no use to it; empty when that is not known.
        unavailable: why a cell cannot run here; empty when it can.
    """

    unfit: Callable[[Cell], str]
    unavailable: Callable[[Cell], str]
    _found: dict[PlannedCell, Obstacle | None] = attrs.field(factory=dict)

    def of(self, planned: PlannedCell) -> Obstacle | None:
        """What keeps ``planned`` from being run. What nothing foresees keeps it from nothing."""
        if planned not in self._found:
            self._found[planned] = None if planned.cell is None else self._of(planned, planned.cell)
        return self._found[planned]

    def _of(self, planned: PlannedCell, cell: Cell) -> Obstacle | None:
        memory, most = planned.memory, cell.hardware.memory
        if memory is not None and most is not None and memory.total > most.value:
            fits = f"{most.value / 1e9:.1f} GB of {cell.hardware.name}"
            needs = f"{cell.engine.too_large(cell.workload, cell.hardware)}, so each device needs {memory}"
            return TaskState.INFEASIBLE, f"{needs}, more than the {fits}"
        if reason := self.unfit(cell):
            return TaskState.INFEASIBLE, reason
        reason = self.unavailable(cell)
        return (TaskState.UNAVAILABLE, reason) if reason else None


def with_states(
    listed: Sequence[ListedTask],
    obstacles: Obstacles,
    history: History,
    forms: CanonicalForms,
    retried: Collection[Outcome] = (),
    wanted: Collection[str] = (),
) -> list[PlannedTask]:
    """``listed`` with the state of each; a task comes after those whose weights it starts from. Results whose
    outcome is among the ``retried`` are to run again, and so are those of keys that are ``wanted`` for their
    weights, where these are gone."""
    planned = {one.address.key: _alone(one, obstacles, history, forms, retried) for one in listed}
    _make_weights_again(listed, planned, history, wanted)
    for one in listed:
        if one.upstream and planned[one.address.key].state in TO_RUN:
            held = _held_up([planned[key] for key in one.upstream], history)
            known = planned[one.address.key].known
            soon = known is not None and known.outcome in retried  # in one go, after what it starts from
            if held is not None and not (soon and held[0] is TaskState.WAITING):
                state, reason = held
                planned[one.address.key] = attrs.evolve(planned[one.address.key], state=state, reason=reason)
    return list(planned.values())


def _alone(
    one: ListedTask,
    obstacles: Obstacles,
    history: History,
    forms: CanonicalForms,
    retried: Collection[Outcome],
) -> PlannedTask:
    """A task by itself, whatever becomes of those that it starts from."""

    def said(state: TaskState, reason: str, known: PastResult | None = None) -> PlannedTask:
        return PlannedTask(
            one.task, one.of, one.address, state, reason, known, one.role, one.is_upstream, one.upstream
        )

    known = history.known.get(one.address.key)
    if known is not None:
        if known.canonical != forms(one.task):
            raise RuntimeError(
                f"{one.address.key}: stored under this key is another task; run `effdsl store verify`"
            )
        if known.outcome in retried:
            return said(TaskState.NEW, f"retry, was {known.outcome.value}", known)
        return said(TaskState.CACHED, _cached_reason(known), known)
    obstacle = obstacles.of(one.of)
    if obstacle is not None:
        return said(*obstacle)
    engine, earlier = one.task.engine, history.engine_versions.get(one.address.lineage)
    if earlier is not None:
        return said(
            TaskState.STALE,
            f"measured with version {earlier} of the engine {engine.name}, now {engine.version}",
        )
    return said(TaskState.NEW, NEW)


def _make_weights_again(
    listed: Sequence[ListedTask],
    planned: dict[str, PlannedTask],
    history: History,
    wanted: Collection[str],
) -> None:
    """Have upstream tasks run again whose weights are wanted, also by a task that is to run, and are gone."""

    def make_again(keys: Collection[str]) -> None:
        for key in keys:
            task = planned[key]
            ended_well = task.known is not None and task.known.outcome is Outcome.OK
            if task.state is TaskState.CACHED and ended_well and not history.has_weights(key):
                reason = "others start from its weights, which are not kept"
                planned[key] = attrs.evolve(task, state=TaskState.NEW, reason=reason)

    make_again(wanted)
    for one in reversed(listed):
        if planned[one.address.key].state in TO_RUN:
            make_again(one.upstream)


def _held_up(upstream: Sequence[PlannedTask], history: History) -> Obstacle | None:
    """What keeps a task that starts from the weights of ``upstream`` from being run now."""
    for task in upstream:
        name = name_of_task(task.task.labels, task.task.seed)
        if task.state in (*TO_RUN, TaskState.WAITING):
            return TaskState.WAITING, f"starts from the weights of {name}"
        if task.state is not TaskState.CACHED:
            return task.state, f"starts from the weights of {name}: {task.reason}"
        if task.known is not None and task.known.outcome is not Outcome.OK:
            ended = task.known.outcome.value
            return TaskState.INFEASIBLE, f"starts from the weights of {name}, which ended as {ended}"
    return None


def name_of_task(labels: Labels, seed: int) -> str:
    """What people call a repeat."""
    return f"{labels.technique} {labels.scale} seed {seed}"


def _cached_reason(known: PastResult) -> str:
    if known.outcome is not Outcome.OK:
        return f"{known.outcome.value}: {known.reason}"
    if known.changed:
        more = f" and {len(known.changed) - 1} more" if len(known.changed) > 1 else ""
        return f"code changed: {known.changed[0]}{more}"
    return ""
