"""Pareto sets: which cells are worth choosing from, given several objectives at once."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import attrs

from effdsl_analysis.answer import Answer, plain
from effdsl_analysis.ask import EXACT, Objective, Scope, parse_objectives, scope_of
from effdsl_analysis.naming import ComparisonGroup, known_counts, name_cells, name_groups
from effdsl_analysis.queries import Row, rows, session
from effdsl_analysis.relations import AnswerTable, types_of
from effdsl_analysis.vocabulary import Across

if TYPE_CHECKING:
    from effdsl_analysis.queries import Source


class ParetoPlace(enum.Enum):
    """Where a technique stands among those that it is compared with, by several objectives at once."""

    FRONT = "front"
    """No other dominates it."""
    DOMINATED = "dominated"
    NOT_COMPARABLE = "not comparable"
    """It has no value of one of the objectives."""


@attrs.frozen
class ParetoCell:
    """One cell of a Pareto set's group.

    Attributes:
        technique: its name, unique in the group.
        cell: its key, 64 hexadecimal digits.
        place: whether another dominates it.
        certain: on the front: no cell could dominate it as far as the repeats tell; dominated: some
            cell certainly does; ``None`` when not comparable.
        values: means of the objectives, in their order; ``None`` when one of them is missing.
        n: repeats behind the objective that has fewest, of ``ok`` that ended well, of ``repeats`` in all.
        dominated_by: cells of the front that dominate it, by the means.
        certainly_by: of a dominated cell: cells that certainly dominate it, on the front or not.
        rivals: of a cell on the front: cells that could dominate it.
        absent: objectives without a value.
        outcomes: how repeats ended that are not ``ok``.
        kernel: what computed its mixers; ``reference`` is plain code, not to be judged by its speed.
        threads: CPU threads that its repeats computed with; usually one number.
        parameters: of the model.
        details: what its stage says of it beside what all that are compared share, by the stage's names.
        examples: of a fine-tuning, how many it trained on, how many lost their end, and how many tokens and
            bytes are predicted of the held-out ones; empty where nothing says so.
        reason: why values or repeats are missing.
    """

    technique: str
    cell: str
    place: ParetoPlace
    certain: bool | None
    values: tuple[float, ...] | None
    n: int
    ok: int
    repeats: int
    dominated_by: tuple[str, ...]
    certainly_by: tuple[str, ...]
    rivals: tuple[str, ...]
    absent: tuple[str, ...]
    outcomes: tuple[str, ...]
    kernel: str
    threads: tuple[int, ...]
    parameters: int | None
    details: Mapping[str, Any] = attrs.field(repr=False)
    examples: Mapping[str, int] = attrs.field(repr=False, converter=known_counts)
    reason: str


@attrs.frozen
class ParetoGroup:
    """The cells of one comparison group: the front first, then what it dominates, then the rest."""

    group: ComparisonGroup
    cells: tuple[ParetoCell, ...]

    @property
    def front(self) -> tuple[ParetoCell, ...]:
        """The cells that no other dominates."""
        return tuple(cell for cell in self.cells if cell.place is ParetoPlace.FRONT)


@attrs.frozen
class ParetoSet(Answer):
    """Pareto sets for the same objectives, one per comparison group.

    Attributes:
        scope: which results were asked.
        objectives: metrics with their directions.
        groups: small scales first.
    """

    scope: Scope
    objectives: tuple[Objective, ...]
    groups: tuple[ParetoGroup, ...]

    def to_json(self) -> dict[str, Any]:
        """A document of plain values; unknown ones are null."""
        return {
            "schema": "effdsl/pareto",
            "version": 1,
            "evidence": "measured",
            **self.scope.as_dict(),
            "objectives": [objective.to_json() for objective in self.objectives],
            "groups": [
                {
                    "comparison": found.group.as_dict(),
                    "cells": [plain(cell) for cell in found.cells],
                }
                for found in self.groups
            ],
        }

    def to_rows(self) -> AnswerTable:
        """One row per group and cell, with a column for each objective."""
        names = [objective.metric.name for objective in self.objectives]
        return AnswerTable.of(
            (
                {
                    "study": self.scope.study,
                    "title": found.group.title,
                    **found.group.as_dict(),
                    **plain(cell, leave_out=("values",)),
                    **dict(zip(names, cell.values or [None] * len(names), strict=True)),
                }
                for found in self.groups
                for cell in found.cells
            ),
            types_of(ParetoCell) | dict.fromkeys(names, "DOUBLE"),
        )


def pareto(
    source: Source,
    study: str | None = None,
    *,
    on: Sequence[str],
    scale: str | None = None,
    across: Across | None = None,
) -> ParetoSet:
    """The Pareto sets of ``study`` (all results without one), one per comparison group.

    Args:
        source: a store, its folder, or a DuckDB connection that has a store's views.
        study: a study's name, or the path of its file.
        on: 1 to 6 objectives: metric names; ``ppl:max`` or ``ppl:min`` overrides the direction.
        scale: only cells of this scale, e.g. ``"3M"``.
        across: ``Across.MODELS`` compares what was done to different models that exist.

    Raises:
        UnknownName: a study, scale, metric or direction that does not exist, with the nearest one, or
            nothing to compare ``across``.
    """
    objectives = parse_objectives(on)
    with session(source) as connection:
        scope = scope_of(connection, study, scale, across)
        found = rows(
            connection,
            "pareto/paretoset",
            {
                "study": scope.study,
                "scale": scale,
                "objectives": [o.metric.name for o in objectives],
                "signs": [o.sign for o in objectives],
                "exact": EXACT,
                "across_models": across is Across.MODELS,
            },
        )
    return ParetoSet(scope, tuple(objectives), tuple(_groups(found)))


def _groups(found: list[Row]) -> list[ParetoGroup]:
    groups = [list(group) for _, group in groupby(found, key=lambda row: row["grp"])]
    named = name_groups([(group[0]["comparison"], group[0]["energy_scope"]) for group in groups])
    return [ParetoGroup(name, _cells(group)) for name, group in zip(named, groups, strict=True)]


def _cells(group: list[Row]) -> tuple[ParetoCell, ...]:
    names = name_cells({row["cell"]: row["identity"] for row in group})
    return tuple(
        ParetoCell(
            technique=names[row["cell"]],
            cell=row["cell"],
            place=ParetoPlace(row["place"]),
            certain=row["certain"],
            values=None if row["values"] is None else tuple(row["values"]),
            n=row["n"],
            ok=row["ok"],
            repeats=row["repeats"],
            dominated_by=tuple(sorted(names[cell] for cell in row["dominated_by"])),
            certainly_by=tuple(sorted(names[cell] for cell in row["certainly_by"])),
            rivals=tuple(sorted(names[cell] for cell in row["rivals"])),
            absent=tuple(row["absent"]),
            outcomes=tuple(row["outcomes"]),
            kernel=row["kernel"],
            threads=tuple(row["threads"]),
            parameters=row["identity"]["parameters"],
            details=json.loads(row["identity"]["details"] or "{}"),
            examples=row["examples"],
            reason=row["reason"],
        )
        for row in group
    )
