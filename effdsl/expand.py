"""From a study to its cells: every combination of techniques and subject, resolved and priced."""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from effdsl.choice import Choice
from effdsl.costs.price import UNPRICED, Price, Speed
from effdsl.declare import Invalid
from effdsl.hardware import Hardware, ThisMachine
from effdsl.labels import labels_of, written_labels
from effdsl.problems import Collector, Problem, StudyError, listed
from effdsl.stages import Stage, stage_of
from effdsl.study import Study
from effdsl.subject import Stored, Subject, Surroundings, no_store
from effdsl.task import Cell, Labels
from effdsl.techniques.technique import Technique, Unsupported
from effdsl.workload import Cost, MemoryEstimate


@attrs.frozen(eq=False)  # each is itself: two are never compared by what they hold
class PlannedCell:
    """A cell with its cost and price; or, where a technique cannot be built for its subject, the reason.

    ``remark`` says where it is not quite what its name promises; usually empty.
    """

    choice: Choice
    labels: Labels
    cell: Cell | None
    cost: Cost = attrs.field(factory=Cost)
    memory: MemoryEstimate | None = None
    speed: Speed | None = None
    price: Price = UNPRICED
    unsupported: str = ""
    remark: str = ""


def expand(
    study: Study, machine: Hardware, place: Collector | None = None, stored: Stored = no_store
) -> tuple[PlannedCell, ...]:
    """The cells of ``study``, in the order of its axes.

    Args:
        study: what was declared.
        machine: what ``THIS_MACHINE`` means.
        place: knows the lines of the study file, for messages.
        stored: answers for the store, where the study names a task by its key.

    Raises:
        StudyError: with every mistake that shows only when the study is worked out.
    """
    hardware = machine if isinstance(study.hw, ThisMachine) else study.hw
    mistakes = _Mistakes(study, place)
    stage = _stage(study, mistakes)
    subjects = list(_subjects(stage.subjects(study), machine, stored, mistakes))
    kept = _kept(study, stage, subjects, mistakes)
    conditions = stage.conditions(study, subjects, hardware, mistakes)
    cells: list[PlannedCell] = []
    for choice in kept:
        if choice.subject in conditions:
            try:
                cells.append(_cell(choice, stage, study, hardware, conditions[choice.subject]))
            except Invalid as error:
                mistakes.at(choice.subject, error)
    mistakes.raise_any()
    return tuple(cells)


@attrs.define
class _Mistakes:
    """What is wrong with a study as a whole; the same mistake at several subjects is one."""

    study: Study
    place: Collector | None
    _found: list[Problem] = attrs.field(factory=list)
    _at_subjects: dict[Problem, list[object]] = attrs.field(factory=dict)

    def note(self, message: str, hint: str, *values: object, line: int = 0) -> None:
        """A mistake on ``line``, or where the first of ``values`` that this file declares stands."""
        self._found.append(self._placed(message, hint, values, line))

    def at(self, subject: object, error: Invalid, *values: object) -> None:
        """A mistake that may be one at other subjects too."""
        problem = self._placed(str(error), error.hint, values)
        self._at_subjects.setdefault(problem, []).append(subject)

    def raise_any(self) -> None:
        for problem, subjects in self._at_subjects.items():
            where = listed(dict.fromkeys(map(str, subjects)))
            self._found.append(attrs.evolve(problem, message=f"at {where}: {problem.message}"))
        if self._found:
            raise StudyError(self._found)

    def _placed(self, message: str, hint: str, values: tuple[object, ...], line: int = 0) -> Problem:
        if self.place is None:
            return Problem(message, hint)
        lines = map(self.place.line_of, (*values, self.study))
        return Problem(message, hint, self.place.file, line or next(filter(None, lines), 0))


def _stage(study: Study, mistakes: _Mistakes) -> Stage:
    """The one stage that the study's axes belong to, which takes the fields that were given.

    Raises:
        StudyError: when there is no such stage, for then nothing else can be said.
    """
    stages = {type(axis).__name__: stage_of(type(axis)) for axis in study.axis.axes}
    found = list(dict.fromkeys(filter(None, stages.values())))
    if len(found) != 1 or None in stages.values():
        said = (f"{axis} is of {stage.name if stage else 'no stage'}" for axis, stage in stages.items())
        mistakes.note(f"axis: {', '.join(said)}", "the axes of a study belong to one stage", study.axis)
        mistakes.raise_any()
    (stage,) = found
    own = ", ".join(f"{name}=" for name in study.OF_SOME_STAGES if name in stage.takes)
    for name in study.given():
        if name not in stage.takes:
            axes = " * ".join(stages)
            mistakes.note(f"{axes} takes {own or 'none of these'}, not {name}=", f"leave out {name}=")
    if not stage.subjects(study):
        wanted = "scales=[3*M]" if "scales" in stage.takes else "models=[...]"
        mistakes.note(f"{next(iter(stages))} needs something to be applied to", f"e.g. {wanted}")
    return stage


def _subjects(
    declared: Sequence[object], machine: Hardware, stored: Stored, mistakes: _Mistakes
) -> Iterator[object]:
    """The subjects, those that stand for others replaced by these, each once."""

    def cells_of(study: object) -> Sequence[Cell]:
        assert isinstance(study, Study)  # noqa: S101  as `Trained` has checked
        cells = (planned.cell for planned in expand(study, machine, stored=stored))
        return [cell for cell in cells if cell is not None]

    around = Surroundings(cells_of, stored)
    found: dict[object, None] = {}
    for subject in declared:
        if not isinstance(subject, Subject):
            found[subject] = None
            continue
        try:
            found |= dict.fromkeys(subject.resolve(around))
        except Invalid as error:
            mistakes.at(subject, error, subject)
        except StudyError as error:
            for problem in error.problems:
                mistakes.at(subject, Invalid(problem.message, problem.hint), subject)
    return iter(found)


def _kept(study: Study, stage: Stage, subjects: Sequence[object], mistakes: _Mistakes) -> list[Choice]:
    """The combinations that the study's filter keeps."""
    choices = list(_choices(study, stage, subjects))
    if study.keep is None or not choices:
        return choices
    try:
        kept = [choice for choice in choices if _true_or_false(study.keep(choice))]
    except Exception as error:  # the user's function: whatever it raises is a mistake in the study
        file = mistakes.place.file if mistakes.place else ""
        inside = [f.lineno or 0 for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
        has = ", ".join(("scale", *choices[0].axes, "uses(technique)"))
        hint = f"a cell has {has}; e.g. keep=lambda cell: cell.scale <= 1.5*B"
        line = inside[-1] if inside else getattr(getattr(study.keep, "__code__", None), "co_firstlineno", 0)
        mistakes.note(f"keep= fails: {type(error).__name__}: {error}", hint, line=line)
        return choices
    if not kept:
        message = f"keep= leaves none of the {len(choices)} combinations"
        mistakes.note(message, "loosen keep= or drop it")
    return kept


def _true_or_false(answer: object) -> bool:
    """What a filter says; anything else it gives was not meant as an answer."""
    if not isinstance(answer, bool):
        raise TypeError(f"it gives {answer!r}, neither True nor False")
    return answer


def _choices(study: Study, stage: Stage, subjects: Sequence[object]) -> Iterator[Choice]:
    """Every combination, subject by subject."""
    points: dict[str, tuple[Technique, ...]] = {axis.name: axis.techniques for axis in study.axis.axes}
    axes = tuple(axis.name for axis in stage.axes)
    on = [name for name in axes if name in points]
    for subject in subjects:
        for techniques in itertools.product(*(points[name] for name in on)):
            chosen = dict(zip(on, techniques, strict=True))
            yield Choice(subject, chosen, stage.usual(chosen), axes)


def _cell(choice: Choice, stage: Stage, study: Study, hardware: Hardware, conditions: Any) -> PlannedCell:
    """The cell of ``choice``; it raises ``Invalid`` where nothing can be built of its subject."""
    on = set(choice.chosen)
    engine = study.engine or stage.engine()
    try:
        workload = stage.workload(choice, conditions)
    except Unsupported as error:
        reason = f"{error}" + (f"; {error.hint}" if error.hint else "")
        return PlannedCell(choice, written_labels(choice, stage, on), None, unsupported=reason)
    labels = labels_of(choice, stage, stage.labels(choice, workload), on)
    if reason := engine.lacks(workload, hardware):
        return PlannedCell(choice, labels, None, unsupported=reason)
    engine = engine.laid_out(workload, hardware)
    cell = Cell(workload, engine, hardware, labels)
    memory = engine.memory(workload, hardware)
    remark = "; ".join(filter(None, (engine.remark(hardware), stage.remark(choice, workload))))
    return PlannedCell(choice, labels, cell, workload.cost(hardware), memory, remark=remark)
