"""Pareto sets of the paper's leaderboard: which techniques are worth choosing from, by what is printed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import attrs

from effdsl.metrics import BY_NAME, Better, Metric
from effdsl_analysis.answer import Answer, plain
from effdsl_analysis.ask import Objective, UnknownName, named_metrics, split_objectives, unknown
from effdsl_analysis.queries import Row, rows, session
from effdsl_analysis.questions.pareto.paretoset import ParetoPlace
from effdsl_analysis.relations import AnswerTable, types_of

if TYPE_CHECKING:
    from effdsl_analysis.queries import Source

PERFORMANCE = "performance"


@attrs.frozen
class PrintedTechnique:
    """One technique in a group of the leaderboard.

    Attributes:
        technique: the paper's name for it, with its size where that is part of it.
        place: whether another dominates it.
        values: the objectives in their order; ``None`` when one of them is not printed.
        sizes: scales or models that the values are means over.
        dominated_by: techniques of the front that dominate it.
        absent: objectives that are not printed.
    """

    technique: str
    place: ParetoPlace
    values: tuple[float, ...] | None
    sizes: tuple[str, ...]
    dominated_by: tuple[str, ...]
    absent: tuple[str, ...]


@attrs.frozen
class PrintedGroup:
    """One group of the leaderboard: the front first, then what it dominates, each by the first objective.

    Attributes:
        name: as ``--group`` takes it, e.g. ``attention``.
        title: as people read it.
        table_number: the paper's table.
        size: the one scale or model that the values are of; ``None`` for means over the group's.
        objectives: metrics with their directions; ``performance`` is another metric in another group.
        cells: the techniques.
    """

    name: str
    title: str
    table_number: int
    size: str | None
    objectives: tuple[Objective, ...]
    cells: tuple[PrintedTechnique, ...]

    @property
    def front(self) -> tuple[PrintedTechnique, ...]:
        """The techniques that no other dominates."""
        return tuple(cell for cell in self.cells if cell.place is ParetoPlace.FRONT)

    @property
    def missing(self) -> tuple[Metric, ...]:
        """Objectives without which no technique of the group can be compared."""
        if any(cell.values for cell in self.cells):
            return ()
        return tuple(BY_NAME[name] for name in dict.fromkeys(name for c in self.cells for name in c.absent))

    def to_json(self) -> dict[str, Any]:
        """The group as plain values."""
        return {
            "group": self.name,
            "title": self.title,
            "table": self.table_number,
            "size": self.size,
            "objectives": [objective.to_json() for objective in self.objectives],
            "cells": [plain(cell) | {"certain": None} for cell in self.cells],
        }


@attrs.frozen
class PublishedParetoSet(Answer):
    """Pareto sets for the same objectives, one per group of the leaderboard, or per scale or model in it.

    A value that is printed once has no spread, so ``certain`` is null in the document.

    Attributes:
        on: the objectives: names of metrics, or ``performance``.
        groups: in the leaderboard's order, small sizes first.
    """

    on: tuple[str, ...]
    groups: tuple[PrintedGroup, ...]

    def to_json(self) -> dict[str, Any]:
        """A document of plain values; unknown ones are null."""
        return {
            "schema": "effdsl/pareto",
            "version": 1,
            "evidence": "published",
            "on": list(self.on),
            "groups": [group.to_json() for group in self.groups],
        }

    def to_rows(self) -> AnswerTable:
        """One row per group and technique, with a column for each objective."""
        return AnswerTable.of(
            (
                {
                    "group": found.name,
                    "table_number": found.table_number,
                    "size": found.size,
                    **plain(cell, leave_out=("values",)),
                    **dict(zip(self.on, cell.values or [None] * len(self.on), strict=True)),
                }
                for found in self.groups
                for cell in found.cells
            ),
            types_of(PrintedTechnique) | dict.fromkeys(self.on, "DOUBLE"),
        )


def pareto_published(
    source: Source,
    *,
    on: Sequence[str],
    groups: Sequence[str] = (),
    scale: str | None = None,
    each_scale: bool = False,
) -> PublishedParetoSet:
    """The Pareto sets of the paper's leaderboard: over each group's means, as the leaderboard takes them.

    Args:
        source: a store, written to or not, or a DuckDB connection that has a store's views.
        on: 1 to 6 objectives: metric names, the paper's short ones, or ``performance`` for the quality
            metric of each group; ``ppl:max`` or ``ppl:min`` overrides the direction.
        groups: only these groups of the leaderboard, e.g. ``attention``.
        scale: only what is printed for this scale or model, e.g. ``"0.5B"`` or ``"phi-4"``.
        each_scale: one set for each scale or model of a group, instead of one over the means.

    Raises:
        UnknownName: a group, scale, metric or direction that does not exist, with the nearest one.
    """
    asked = [(_metric_name(name), better) for name, better in split_objectives(on)]
    metrics, given = [name for name, _ in asked], [better for _, better in asked]
    with session(source) as connection:
        (known,) = rows(connection, "pareto/published_scope", {})
        _check(known, metrics, groups, scale)
        found = rows(
            connection,
            "pareto/published_paretoset",
            {
                "groups": list(groups) or None,
                "size": scale,
                "each_size": each_scale,
                "objectives": metrics,
                "signs": [better and better.sign for better in given],
            },
        )
    if not found:
        raise UnknownName(f"{' and '.join(groups)} has nothing printed for {scale}")
    sets = tuple(_group(list(one), given) for _, one in groupby(found, key=lambda row: row["grp"]))
    return PublishedParetoSet(tuple(metrics), sets)


def _metric_name(name: str) -> str:
    if name.lower() == PERFORMANCE:
        return PERFORMANCE
    (metric,) = named_metrics([name])
    return metric.name


def _check(known: Row, metrics: Sequence[str], groups: Sequence[str], scale: str | None) -> None:
    """Refuse what the leaderboard has nowhere; what only some of its groups lack, they say themselves."""
    if len(set(metrics)) < len(metrics):
        raise UnknownName(f"an objective is named twice in {', '.join(metrics)}")
    printed = (PERFORMANCE, *known["metrics"])
    for name in metrics:
        if name not in printed:
            raise UnknownName(f"no group of the leaderboard has {name!r}; known: {', '.join(printed)}")
    for group in groups:
        if group not in known["groups"]:
            raise UnknownName(unknown("group", group, known["groups"]))
    if scale is not None and scale not in known["sizes"]:
        raise UnknownName(unknown("scale or model", scale, known["sizes"]))


def _group(found: list[Row], given: Sequence[Better | None]) -> PrintedGroup:
    first = found[0]
    metrics = [BY_NAME[name] for name in first["metrics"]]
    return PrintedGroup(
        name=first["group"],
        title=first["title"],
        table_number=first["table_number"],
        size=first["size"],
        objectives=tuple(
            Objective(metric, better or metric.better) for metric, better in zip(metrics, given, strict=True)
        ),
        cells=tuple(
            PrintedTechnique(
                technique=row["technique"],
                place=ParetoPlace(row["place"]),
                values=None if row["values"] is None else tuple(row["values"]),
                sizes=tuple(row["sizes"]),
                dominated_by=tuple(row["dominated_by"]),
                absent=tuple(row["absent"]),
            )
            for row in found
        ),
    )
