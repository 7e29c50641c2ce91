"""From a study to its cells: every combination of techniques and scale, resolved and priced."""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Iterator

import attrs

from effdsl.choice import AXES, CHOSEN, Choice, labels_of, written_labels
from effdsl.costs import UNPRICED, MemoryEstimate, Pace, Price, training_memory
from effdsl.data import Data, FineWebEdu, Shakespeare
from effdsl.declare import Invalid
from effdsl.hardware import Hardware, ThisMachine
from effdsl.problems import Collector, Problem, StudyError, listed
from effdsl.remarks import remark_on
from effdsl.shapes import SMALL, Shape, shape_for
from effdsl.study import Study
from effdsl.task import Cell, Engine, Labels, Pretraining
from effdsl.techniques.backbone import Parts
from effdsl.techniques.base import Technique, Unsupported
from effdsl.training import Recipe, TrainingBudget
from effdsl.units import Count


@attrs.frozen
class PlannedCell:
    """A cell with its price; or, where a technique cannot be built at this shape, the reason.

    ``remark`` says where it is not quite what its name promises; usually empty.
    """

    choice: Choice
    labels: Labels
    cell: Cell | None
    memory: MemoryEstimate | None = None
    pace: Pace | None = None
    price: Price = UNPRICED
    unsupported: str = ""
    remark: str = ""


def expand(study: Study, machine: Hardware, place: Collector | None = None) -> tuple[PlannedCell, ...]:
    """The cells of ``study``, in the order of its axes.

    Args:
        study: what was declared.
        machine: what ``THIS_MACHINE`` means.
        place: knows the lines of the study file, for messages.

    Raises:
        StudyError: with every mistake that shows only when the study is worked out.
    """
    hardware = machine if isinstance(study.hw, ThisMachine) else study.hw
    mistakes = _Mistakes(study, place)
    kept = _kept(study, mistakes)
    declared = _resolved(study.data, mistakes)
    cells: list[PlannedCell] = []
    for scale, group in itertools.groupby(kept, key=lambda choice: choice.scale):
        data = declared or default_data(scale)
        common = _common(study, scale, data, hardware, mistakes)
        for choice in group:
            try:
                shape = _shape(choice, data)
            except Invalid as error:
                mistakes.at(scale, error)
                continue
            if common is not None:
                cells.append(_cell(choice, shape, common))
    mistakes.raise_any()
    return tuple(cells)


@attrs.define
class _Mistakes:
    """What is wrong with a study as a whole; the same mistake at several scales is one."""

    study: Study
    place: Collector | None
    _found: list[Problem] = attrs.field(factory=list)
    _at_scales: dict[Problem, list[Count]] = attrs.field(factory=dict)

    def note(self, message: str, hint: str, *values: object, line: int = 0) -> None:
        """A mistake on ``line``, or where the first of ``values`` that this file declares stands."""
        self._found.append(self._placed(message, hint, values, line))

    def at(self, scale: Count, error: Invalid, *values: object) -> None:
        """A mistake that may be one at other scales too."""
        problem = self._placed(str(error), error.hint, values)
        self._at_scales.setdefault(problem, []).append(scale)

    def raise_any(self) -> None:
        for problem, scales in self._at_scales.items():
            where = listed(map(str, dict.fromkeys(scales)))
            self._found.append(attrs.evolve(problem, message=f"at {where}: {problem.message}"))
        if self._found:
            raise StudyError(self._found)

    def _placed(self, message: str, hint: str, values: tuple[object, ...], line: int = 0) -> Problem:
        if self.place is None:
            return Problem(message, hint)
        lines = map(self.place.line_of, (*values, self.study))
        return Problem(message, hint, self.place.file, line or next(filter(None, lines), 0))


def _kept(study: Study, mistakes: _Mistakes) -> list[Choice]:
    """The combinations that the study's filter keeps."""
    choices = list(_choices(study))
    if study.keep is None:
        return choices
    try:
        kept = [choice for choice in choices if study.keep(choice)]
    except Exception as error:  # the user's function: whatever it raises is a mistake in the study
        file = mistakes.place.file if mistakes.place else ""
        inside = [f.lineno or 0 for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
        hint = f"a cell has {', '.join(CHOSEN)}; e.g. keep=lambda cell: cell.scale <= 1.5*B"
        line = inside[-1] if inside else getattr(getattr(study.keep, "__code__", None), "co_firstlineno", 0)
        mistakes.note(f"keep= fails: {type(error).__name__}: {error}", hint, line=line)
        return choices
    if not kept:
        message = f"keep= leaves none of the {len(choices)} combinations"
        mistakes.note(message, "loosen keep= or drop it")
    return kept


def _resolved(data: Data | None, mistakes: _Mistakes) -> Data | None:
    """The study's own data with its content; as declared where that cannot be read."""
    if data is None:
        return None
    try:
        return data.resolve()
    except Invalid as error:
        mistakes.note(f"data: {error}", error.hint, data)
        return data


def _choices(study: Study) -> Iterator[Choice]:
    """Every combination, scale by scale."""
    chosen = {type(axis): axis.techniques for axis in study.axis.axes}
    points: list[tuple[Technique | None, ...]] = [chosen.get(axis, (None,)) for axis in AXES]
    for scale in study.scales:
        for backbone, aspect, *parts in itertools.product(*points):
            yield Choice(scale, backbone, aspect, Parts(*parts))  # type: ignore[arg-type]  # as each axis has checked


@attrs.frozen
class _Common:
    """What all cells of a scale share: made once, so that it is written once into their keys."""

    axes: tuple[type, ...]
    data: Data
    budget: TrainingBudget
    recipe: Recipe
    engine: Engine
    hardware: Hardware


def _common(
    study: Study, scale: Count, data: Data, hardware: Hardware, mistakes: _Mistakes
) -> _Common | None:
    try:
        budget = study.budget_at(scale).resolve(scale, hardware.count)
    except Invalid as error:
        mistakes.at(scale, error, *study.per_scale.get(scale, ()), study.budget)
        return None
    return _Common(
        axes=tuple(type(axis) for axis in study.axis.axes),
        data=data,
        budget=budget,
        recipe=study.recipe_at(scale).resolve(scale, hardware.bf16),
        engine=study.engine,
        hardware=hardware,
    )


def _shape(choice: Choice, data: Data) -> Shape:
    """The transformer's shape; other backbones keep its width."""
    return shape_for(choice.scale, data.vocab_size, choice.aspect.ratio if choice.aspect else None)


def _cell(choice: Choice, shape: Shape, common: _Common) -> PlannedCell:
    try:
        architecture = choice.backbone.resolve(shape).assemble(shape, choice.parts)
    except Unsupported as error:
        reason = f"{error}" + (f"; {error.hint}" if error.hint else "")
        return PlannedCell(choice, written_labels(choice, common.axes), None, unsupported=reason)
    labels = labels_of(choice, architecture, common.axes)
    workload = Pretraining(architecture, common.data, common.budget, common.recipe)
    cell = Cell(workload, common.engine, common.hardware, labels)
    remark = remark_on(choice, architecture, shape, common.budget.context_length)
    return PlannedCell(choice, labels, cell, training_memory(workload, common.hardware), remark=remark)


def default_data(scale: Count) -> Data:
    """What a study trains on that names no data: below 100M parameters what a laptop can."""
    return Shakespeare() if scale.value < SMALL else FineWebEdu()
