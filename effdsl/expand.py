"""From a study to its cells: every combination of techniques and scale, resolved and priced."""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Iterator

import attrs

from effdsl.choice import AXES, CHOSEN, Choice, labels_of, written_labels
from effdsl.costs import UNPRICED, MemoryEstimate, Price, training_memory
from effdsl.data import Data, FineWebEdu, Shakespeare
from effdsl.declare import Invalid
from effdsl.hardware import Hardware, ThisMachine
from effdsl.problems import Collector, Problem, StudyError
from effdsl.shapes import Shape, shape_for
from effdsl.study import Study
from effdsl.task import Cell, Engine, Labels, Pretraining
from effdsl.techniques.aspect import AspectRatio
from effdsl.techniques.backbone import Parts
from effdsl.techniques.base import Technique, Unsupported
from effdsl.training import SMALL, Recipe, TrainingBudget
from effdsl.units import Count


@attrs.frozen
class PlannedCell:
    """A cell with its price; or, where a technique cannot be built at this shape, the reason."""

    choice: Choice
    labels: Labels
    cell: Cell | None
    memory: MemoryEstimate | None = None
    price: Price = UNPRICED
    unsupported: str = ""


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
    problems: list[Problem] = []
    choices = list(_choices(study))
    kept = [choice for choice in choices if _keeps(study, choice, problems, place)]
    if not kept and not problems:
        problems.append(
            _at(
                place,
                study,
                f"keep= leaves none of the {len(choices)} combinations",
                "loosen keep= or drop it",
            )
        )
    cells: list[PlannedCell] = []
    for scale, group in itertools.groupby(kept, key=lambda choice: choice.scale):
        try:
            common = _Common.of(study, scale, hardware)
            cells += [_cell(choice, common) for choice in group]
        except (Invalid, Unsupported) as error:
            problems.append(_at(place, study, f"at {scale}: {error}", error.hint))
    if problems:
        raise StudyError(problems)
    return tuple(cells)


def _choices(study: Study) -> Iterator[Choice]:
    """Every combination, scale by scale."""
    chosen = {type(axis): axis.techniques for axis in study.axis.axes}
    points: list[tuple[Technique | None, ...]] = [chosen.get(axis, (None,)) for axis in AXES]
    for scale in study.scales:
        for backbone, aspect, *parts in itertools.product(*points):
            yield Choice(scale, backbone, aspect, Parts(*parts))  # type: ignore[arg-type]


def _keeps(study: Study, choice: Choice, problems: list[Problem], place: Collector | None) -> bool:
    if study.keep is None or problems:
        return True
    try:
        return bool(study.keep(choice))
    except Exception as error:  # the user's function: whatever it raises is a mistake in the study
        line = traceback.extract_tb(error.__traceback__)[-1].lineno or 0
        file = place.file if place else ""
        hint = f"a cell has {', '.join(CHOSEN)}"
        problems.append(Problem(f"keep= fails: {type(error).__name__}: {error}", hint, file, line))
        return True


@attrs.frozen
class _Common:
    """What all cells of a scale share: made once, so that it is written once into their keys."""

    scale: Count
    axes: tuple[type, ...]
    data: Data
    budget: TrainingBudget
    recipe: Recipe
    engine: Engine
    hardware: Hardware

    @classmethod
    def of(cls, study: Study, scale: Count, hardware: Hardware) -> _Common:
        data = data_at(study, scale).resolve()
        return cls(
            scale=scale,
            axes=tuple(type(axis) for axis in study.axis.axes),
            data=data,
            budget=study.budget_at(scale).resolve(scale, hardware.count),
            recipe=study.recipe_at(scale).resolve(scale, hardware.bf16),
            engine=study.engine,
            hardware=hardware,
        )

    def shape(self, aspect: AspectRatio | None) -> Shape:
        """The transformer's shape; other backbones keep its width."""
        return shape_for(self.scale, self.data.vocab_size, aspect.ratio if aspect else None)


def _cell(choice: Choice, common: _Common) -> PlannedCell:
    shape = common.shape(choice.aspect)
    try:
        architecture = choice.backbone.resolve(shape).assemble(shape, choice.parts)
    except Unsupported as error:
        reason = f"{error}" + (f"; {error.hint}" if error.hint else "")
        return PlannedCell(choice, written_labels(choice, common.axes), None, unsupported=reason)
    labels = labels_of(choice, architecture, common.axes)
    workload = Pretraining(architecture, common.data, common.budget, common.recipe)
    cell = Cell(workload, common.engine, common.hardware, labels)
    return PlannedCell(choice, labels, cell, training_memory(workload, common.hardware))


def data_at(study: Study, scale: Count) -> Data:
    """The study's data; by default what a laptop can train on below 100M parameters."""
    if study.data is not None:
        return study.data
    return Shakespeare() if scale.value < SMALL else FineWebEdu()


def _at(place: Collector | None, value: object, message: str, hint: str = "") -> Problem:
    return Problem(message, hint, place.file, place.line_of(value)) if place else Problem(message, hint)
