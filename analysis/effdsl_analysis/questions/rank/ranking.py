"""Rankings: per metric and comparison group, with intervals, and with ties that stay ties."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import attrs

from effdsl.metrics import BY_NAME, METRICS, Metric
from effdsl_analysis.answer import Answer
from effdsl_analysis.ask import EXACT, Scope, named_metrics, scope_of
from effdsl_analysis.naming import ComparisonGroup, known_counts, name_cells, name_groups
from effdsl_analysis.queries import Row, rows, session
from effdsl_analysis.relations import AnswerTable, types_of
from effdsl_analysis.vocabulary import Across

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from effdsl_analysis.queries import Source


@attrs.frozen
class RankedCell:
    """One cell of a ranking.

    Attributes:
        technique: its name, unique in the group.
        cell: its key, 64 hexadecimal digits.
        rank: 1 + the number of cells that are certainly better; ``None`` without a value.
        rank_lo, rank_hi: the ranks it may have as far as the repeats tell.
        n: repeats with a value, of ``ok`` that ended well, of ``repeats`` in the store.
        mean, sd, low, high: over the repeats; ``low`` to ``high`` is the mean's 95% interval.
        tied_with: cells whose difference from this one does not exclude zero.
        undecided_with: cells for which there are too few repeats to say.
        outcomes: how repeats ended that are not ``ok``.
        kernel: what computed its mixers; ``reference`` is plain code, not to be judged by its speed.
        threads: CPU threads that its repeats computed with; usually one number.
        parameters: of the model.
        details: what its stage says of it beside what all that are compared share, by the stage's names.
        examples: of a fine-tuning, how many it trained on, how many lost their end, and how many tokens and
            bytes are predicted of the held-out ones; empty where nothing says so.
        reason: why the value, or some of the repeats, are missing.
    """

    technique: str
    cell: str
    rank: int | None
    rank_lo: int | None
    rank_hi: int | None
    n: int
    ok: int
    repeats: int
    mean: float | None
    sd: float | None
    low: float | None
    high: float | None
    tied_with: tuple[str, ...]
    undecided_with: tuple[str, ...]
    outcomes: tuple[str, ...]
    kernel: str
    threads: tuple[int, ...]
    parameters: int | None
    details: Mapping[str, Any] = attrs.field(repr=False)
    examples: Mapping[str, int] = attrs.field(repr=False, converter=known_counts)
    reason: str


@attrs.frozen
class RankBlock:
    """The ranking by one metric within one comparison group."""

    metric: Metric
    group: ComparisonGroup
    cells: tuple[RankedCell, ...]

    @property
    def ranked(self) -> tuple[RankedCell, ...]:
        """The cells that have a value."""
        return tuple(cell for cell in self.cells if cell.rank is not None)

    @property
    def pairs(self) -> tuple[int, int]:
        """(pairs of ranked cells that are told apart, all pairs of ranked cells)."""
        n = len(self.ranked)
        open_ends = sum(len(cell.tied_with) + len(cell.undecided_with) for cell in self.ranked)
        return n * (n - 1) // 2 - open_ends // 2, n * (n - 1) // 2


@attrs.frozen
class Ranking(Answer):
    """Rankings by several metrics; prints as text or HTML, and gives JSON.

    Attributes:
        scope: which results were asked.
        blocks: one per metric and comparison group, metrics in the order asked, small scales first.
        without_value: metrics of the default table that no result has, and why.
        evaluations: the names of metrics that come of an evaluation item by item.
    """

    scope: Scope
    blocks: tuple[RankBlock, ...]
    without_value: tuple[tuple[Metric, str], ...] = ()
    evaluations: tuple[str, ...] = attrs.field(default=(), repr=False)

    def to_json(self) -> dict[str, Any]:
        """A document of plain values; unknown ones are null."""
        return {
            "schema": "effdsl/ranking",
            "version": 1,
            **self.scope.as_dict(),
            "blocks": [
                {
                    "metric": block.metric.name,
                    "unit": block.metric.unit,
                    "better": block.metric.better.value,
                    "comparison": block.group.as_dict(),
                    "cells": [attrs.asdict(cell) for cell in block.cells],
                }
                for block in self.blocks
            ],
            "without_value": {metric.name: reason for metric, reason in self.without_value},
        }

    def to_rows(self) -> AnswerTable:
        """One row per metric, comparison group and cell."""
        return AnswerTable.of(
            (
                {
                    "study": self.scope.study,
                    "metric": block.metric.name,
                    "unit": block.metric.unit,
                    "better": block.metric.better.value,
                    "title": block.group.title,
                    **block.group.as_dict(),
                    **attrs.asdict(cell),
                }
                for block in self.blocks
                for cell in block.cells
            ),
            types_of(RankedCell),
        )


def rank(
    source: Source,
    study: str | None = None,
    *,
    metrics: Sequence[str] | None = None,
    scale: str | None = None,
    across: Across | None = None,
) -> Ranking:
    """Rank the cells of ``study`` (all results without one) by ``metrics``, per comparison group.

    Args:
        source: a store, its folder, or a DuckDB connection that has a store's views.
        study: a study's name, or the path of its file.
        metrics: names from ``effdsl.metrics.METRICS``; by default those of the default table, and those
            that the paper ranks, that have a value.
        scale: only cells of this scale, e.g. ``"3M"``.
        across: ``Across.MODELS`` compares what was done to different models that exist.

    Raises:
        UnknownName: a study, scale or metric that does not exist, with the nearest one, or
            nothing to compare ``across``.
    """
    with session(source) as connection:
        scope = scope_of(connection, study, scale, across)
        asked = named_metrics(metrics) if metrics else _default_metrics(connection, scope)
        absent = [] if metrics else _without_value(connection, scope)
        found = rows(
            connection,
            "rank/ranking",
            {
                "study": scope.study,
                "scale": scale,
                "metrics": [metric.name for metric in asked],
                "exact": EXACT,
                "across_models": across is Across.MODELS,
            },
        )
        evaluated = tuple(row["metric"] for row in rows(connection, "rank/evaluations", {}))
    return Ranking(scope, tuple(_blocks(found)), tuple(absent), evaluated)


def _default_metrics(connection: DuckDBPyConnection, scope: Scope) -> list[Metric]:
    have = {
        row["metric"]
        for row in rows(connection, "rank/have_value", {"study": scope.study, "scale": scope.scale})
    }
    valued = [metric for metric in METRICS if metric.name in have]
    first = next(metric for metric in METRICS if metric.on_default_table)
    return valued or ([first] if scope.results else [])  # where nothing ended well, how each ended


def _without_value(connection: DuckDBPyConnection, scope: Scope) -> list[tuple[Metric, str]]:
    wanted = [metric.name for metric in METRICS if metric.on_default_table]
    asked = {"study": scope.study, "scale": scope.scale, "metrics": wanted}
    return [(BY_NAME[row["metric"]], row["reason"]) for row in rows(connection, "rank/without_value", asked)]


def _blocks(found: list[Row]) -> list[RankBlock]:
    blocks = [list(block) for _, block in groupby(found, key=lambda row: row["block"])]
    groups = name_groups([(block[0]["comparison"], block[0]["energy_scope"]) for block in blocks])
    return [
        RankBlock(BY_NAME[block[0]["metric"]], group, _cells(block))
        for block, group in zip(blocks, groups, strict=True)
    ]


def _cells(block: list[Row]) -> tuple[RankedCell, ...]:
    names = name_cells({row["cell"]: row["identity"] for row in block})
    by_number = {row["number"]: names[row["cell"]] for row in block}
    kept = [field.name for field in attrs.fields(RankedCell)]
    cells = [
        RankedCell(
            **{name: row[name] for name in kept if name in row and not isinstance(row[name], list)},
            technique=names[row["cell"]],
            tied_with=tuple(sorted(by_number[number] for number in row["tied_with"])),
            undecided_with=tuple(sorted(by_number[number] for number in row["undecided_with"])),
            outcomes=tuple(row["outcomes"]),
            threads=tuple(row["threads"]),
            parameters=row["identity"]["parameters"],
            details=json.loads(row["identity"]["details"] or "{}"),
        )
        for row in block
    ]
    # Within a rank by name: an order by mean would read as one that the repeats do not support.
    return tuple(sorted(cells, key=lambda c: (c.rank is None, c.rank or 0, c.technique)))
