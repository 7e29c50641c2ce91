"""Rankings as heat tables: what stands in each cell, and in which tier it is."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from effdsl_analysis.questions.rank.grid import Grid, GridColumn, GridEntry
from effdsl_analysis.text import number, numbers

TIERS = 5
"""Shades of a heat table: 0 is the best tier, the last one has no shade."""


@attrs.frozen
class HeatCell:
    """One cell as it is shown; all texts are empty where there is no value.

    Attributes:
        value: the number.
        spread: ± half of its 95% interval.
        rank: its rank, with the ranks that the repeats leave open.
        tier: 0 (best) to 4; ``None`` without a value, and where no technique is told from another.
        best: whether nothing is certainly better.
        sort: what the column is sorted by.
        title: what a reader may ask for: ties, or why there is no value.
    """

    value: str = ""
    spread: str = ""
    rank: str = ""
    tier: int | None = None
    best: bool = False
    sort: str = ""
    title: str = ""


@attrs.frozen
class HeatColumn:
    """The head of a column."""

    label: str
    unit: str
    better: str
    definition: str


@attrs.frozen
class HeatTable:
    """The ranking of one group, ready to be shown."""

    id: str
    title: str
    note: str
    columns: tuple[HeatColumn, ...]
    rows: tuple[tuple[str, tuple[HeatCell, ...]], ...]


def heat_table(id_: str, grid: Grid) -> HeatTable:
    """``grid`` with its tiers."""
    cells = [_column(column) for column in grid.columns]
    return HeatTable(
        id_,
        grid.title,
        grid.note,
        tuple(HeatColumn(c.label, c.unit, c.metric.better.value, c.metric.definition) for c in grid.columns),
        tuple((name, tuple(column[i] for column in cells)) for i, name in enumerate(grid.techniques)),
    )


def _column(column: GridColumn) -> list[HeatCell]:
    known = [entry for entry in column.entries if entry is not None]
    worst = max((entry.rank for entry in known), default=1)
    shown = iter(numbers([s.value for s in known], [s.half_width for s in known]))
    return [
        HeatCell(title=reason) if entry is None else _cell(entry, next(shown), worst, reason)
        for entry, reason in zip(column.entries, column.reasons, strict=True)
    ]


def _cell(entry: GridEntry, value: str, worst: int, reason: str) -> HeatCell:
    between = f" ({entry.rank_lo}–{entry.rank_hi})" if entry.rank_lo < entry.rank_hi else ""
    half = entry.half_width
    return HeatCell(
        value=value,
        spread=f"±{number(half, half)}" if half else "",
        rank=f"{entry.rank}{between}",
        tier=None if worst == 1 else round((TIERS - 1) * (entry.rank - 1) / (worst - 1)),
        best=entry.rank == 1,
        sort=repr(entry.value),
        title="; ".join(filter(None, [_ties(entry.tied_with), reason])),
    )


def _ties(tied: Sequence[str]) -> str:
    return f"not told apart from {', '.join(tied)}" if tied else ""
