"""From a study to its plan: which results are known, which tasks are left to run, and why.

Pure: the machine and the store's answer are handed in, so that a plan for a cluster can be made, and
tested, on a laptop.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import attrs

from effdsl.choice import Choice
from effdsl.costs import KnownSpeeds, price_of
from effdsl.deciding import DecidedCell, decide
from effdsl.expand import PlannedCell, expand
from effdsl.hardware import Hardware
from effdsl.key import CanonicalForms, KeyFieldError
from effdsl.outcome import Outcome
from effdsl.plan import TO_RUN, History, LookUp, OpenTask, Plan, PlannedTask, TaskState
from effdsl.problems import Collector, Problem, StudyError
from effdsl.stages import stage_of
from effdsl.study import Study
from effdsl.subject import Stored, no_store
from effdsl.task import Cell
from effdsl.task_list import TaskList
from effdsl.task_states import Obstacles, with_states


def make_plan(
    study: Study,
    machine: Hardware,
    look_up: LookUp = lambda addresses: History(),
    unavailable: Callable[[Cell], str] = lambda cell: "",
    place: Collector | None = None,
    calibration: KnownSpeeds | None = None,
    unfit: Callable[[Cell], str] = lambda cell: "",
    remarks: Callable[[Cell], str] = lambda cell: "",
    stored: Stored = no_store,
) -> Plan:
    """Work out the tasks of ``study`` and their states.

    Args:
        study: what was declared.
        machine: what ``THIS_MACHINE`` means.
        look_up: asks the store what it knows: once, and once more for each round of decisions.
        unavailable: says why a cell cannot run here; empty when it can.
        place: knows the lines of the study file, for messages.
        calibration: what finished tasks say of how fast the hardware is.
        remarks: says what else a plan should say of a cell's inputs; usually nothing.
        unfit: says why an input of a cell, e.g. its text, is of no use to it; empty when that is not known.
        stored: gives what the store has under a key that the study names.

    Raises:
        StudyError: with every mistake that shows only when the study is worked out.
    """
    known_speeds = calibration or KnownSpeeds()

    def priced(planned: PlannedCell) -> PlannedCell:
        return _priced(planned, study, known_speeds, remarks)

    forms = CanonicalForms()
    cells = tuple(map(priced, expand(study, machine, place, stored)))
    _refuse_duplicates(study, cells, forms, place)
    decided = [_with_remark(one, study, priced) for one in decide(cells, look_up, forms)]
    tasks = TaskList(priced, forms)
    tasks.add(decided, study.repeats.values)
    listed = tasks.in_order()
    history = look_up([one.address for one in listed])
    obstacles = Obstacles(unfit, unavailable)

    def states_with(retried: Collection[Outcome]) -> tuple[PlannedTask, ...]:
        return tuple(with_states(listed, obstacles, history, forms, retried, tasks.wanted))

    planned = states_with(())
    by_key = {task.address.key: task for task in planned}
    return Plan(
        study=study.name or "study",
        machine=machine,
        cells=tuple(one.planned for one in decided),
        tasks=planned,
        repeats=len(study.repeats.values),
        open_tasks=tuple(_open_tasks(decided, study.repeats.values, obstacles, by_key)),
        other_cells=tuple(tasks.cells_of_others()),
        states_with=states_with,
    )


def _with_remark(one: DecidedCell, study: Study, priced: Callable[[PlannedCell], PlannedCell]) -> DecidedCell:
    """What its stage says of a cell may be another thing once it is decided."""
    planned, stage = one.planned, stage_of(type(study.axis.axes[0]))
    if one.is_open or not one.decisions or planned.cell is None or stage is None:
        return one
    remark = stage.remark(planned.choice, planned.cell.workload)
    return attrs.evolve(one, planned=priced(attrs.evolve(planned, remark=remark)))


def _open_tasks(
    decided: Sequence[DecidedCell],
    seeds: Sequence[int],
    obstacles: Obstacles,
    planned: Mapping[str, PlannedTask],
) -> Iterator[OpenTask]:
    """The repeats of cells that are not decided, or never will be: because no trial ended well, or because
    one cannot be run."""
    soon = (*TO_RUN, TaskState.CACHED, TaskState.WAITING)
    for one in decided:
        if one.is_open:
            state, reason = TaskState.WAITING, one.waits_for
            if one.hopeless:
                state, reason = TaskState.INFEASIBLE, one.hopeless
            elif never := [task for key in one.tried if (task := planned[key]).state not in soon]:
                state, reason = never[0].state, never[0].reason
            state, reason = obstacles.of(one.planned) or (state, reason)
            for seed in seeds:
                yield OpenTask(one.planned, seed, reason, state)


def _priced(
    planned: PlannedCell, study: Study, calibration: KnownSpeeds, remarks: Callable[[Cell], str]
) -> PlannedCell:
    cell, cost = planned.cell, planned.cost
    if cell is None:
        return planned
    speed = calibration.speed(cell, cost)
    remark = "; ".join(filter(None, (planned.remark, remarks(cell))))
    return attrs.evolve(planned, speed=speed, price=price_of(cell, cost, speed, study.rates), remark=remark)


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
