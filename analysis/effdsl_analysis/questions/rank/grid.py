"""A ranking as a grid: techniques down, metrics across, as reports and papers print it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import singledispatch
from itertools import groupby

import attrs

from effdsl.metrics import BY_NAME, Metric
from effdsl_analysis.fairness import Compared, above, learning_rates
from effdsl_analysis.questions.rank.published_ranking import PublishedRank, PublishedRanking
from effdsl_analysis.questions.rank.ranking import RankBlock, RankedCell, Ranking


@attrs.frozen
class GridEntry:
    """Where a technique stands by one metric.

    Attributes:
        value: the mean.
        low, high: its 95% interval; ``None`` where there is none, as for a printed value.
        rank: 1 + the techniques that are better, certainly so where there are repeats.
        rank_lo, rank_hi: the ranks that the repeats leave open.
        tied_with: techniques that cannot be told apart from this one.
    """

    value: float
    low: float | None
    high: float | None
    rank: int
    rank_lo: int
    rank_hi: int
    tied_with: tuple[str, ...] = ()

    @property
    def half_width(self) -> float | None:
        """Half of the interval, which is symmetric; ``None`` without one."""
        return None if self.low is None else self.value - self.low


@attrs.frozen
class GridColumn:
    """A metric as a column.

    Attributes:
        metric: what was ranked.
        label: its name.
        unit: of its values, empty where the label says it; with the meter's scope where a grid holds several.
        entries: per row; ``None`` where the metric does not apply or has no value.
        reasons: per row, why there is no value, or why some repeats have none.
    """

    metric: Metric
    label: str
    unit: str
    entries: tuple[GridEntry | None, ...]
    reasons: tuple[str, ...]


@attrs.frozen
class Grid:
    """The ranking of one group by all of its metrics; the first metric orders the rows.

    Attributes:
        title: what the techniques share.
        note: what a value is: a mean over which sizes or repeats; and what was not the same for all.
        techniques: names, unique in the grid.
        cells: of measured techniques, their keys; empty for printed ones.
        columns: the metrics.
    """

    title: str
    note: str
    techniques: tuple[str, ...]
    cells: tuple[str, ...]
    columns: tuple[GridColumn, ...]


@singledispatch
def grids(ranking: object) -> list[Grid]:
    """The grids of a ranking, one per group of comparable techniques."""
    raise TypeError(f"{type(ranking).__name__} is no ranking")


@grids.register
def _(ranking: Ranking) -> list[Grid]:
    """One per comparison group; energies read at several scopes are several columns."""
    # Blocks come metric by metric; the groups keep the order of the first metric.
    groups: dict[str, list[RankBlock]] = {}
    for block in ranking.blocks:
        groups.setdefault(repr(sorted(block.group.comparison.items())), []).append(block)
    return [_grid(blocks) for blocks in groups.values()]


@grids.register
def _(ranking: PublishedRanking) -> list[Grid]:
    """One per group of the leaderboard."""
    by_group = groupby(ranking.ranks, key=lambda rank: rank.group)
    return [_published_grid(ranking, list(ranks)) for _, ranks in by_group]


def _published_grid(ranking: PublishedRanking, ranks: Sequence[PublishedRank]) -> Grid:
    scales = ranking.scales[ranks[0].group]
    over = f" over {', '.join(scales)}" if len(scales) > 1 and ranking.scale is None else ""
    techniques = tuple(dict.fromkeys(rank.technique for rank in ranks))
    columns = []
    for _, of_metric in groupby(ranks, key=lambda rank: rank.metric):
        found = {rank.technique: rank for rank in of_metric}
        first = next(iter(found.values()))
        columns.append(
            GridColumn(
                BY_NAME[first.column],
                first.label,
                first.unit,
                tuple(_printed_entry(found.get(name)) for name in techniques),
                ("",) * len(techniques),
            )
        )
    where = f" at {ranking.scale}" if ranking.scale else ""
    return Grid(ranks[0].title, f"{ranking.rule.words}{where}{over}.", techniques, (), tuple(columns))


def _printed_entry(rank: PublishedRank | None) -> GridEntry | None:
    return None if rank is None else GridEntry(rank.value, None, None, rank.rank, rank.rank, rank.rank)


def _grid(blocks: Sequence[RankBlock]) -> Grid:
    first = max(blocks, key=lambda block: len(block.cells))
    names = {cell.cell: cell.technique for block in (*blocks, first) for cell in block.cells}
    order = _by_rank(blocks)
    times = Counter(block.metric for block in blocks)
    columns = []
    for block in blocks:
        by_cell = {cell.cell: cell for cell in block.cells}
        unit = "" if block.metric.unit == block.metric.label else block.metric.unit
        if times[block.metric] > 1 and block.group.energy_scope:
            unit += f", {block.group.energy_scope}"
        found = [by_cell.get(cell) for cell in order]
        columns.append(
            GridColumn(
                block.metric,
                block.metric.label,
                unit,
                tuple(None if cell is None else _entry(cell) for cell in found),
                tuple("" if cell is None else _reason(cell) for cell in found),
            )
        )
    return Grid(
        first.group.title,
        " ".join([_averaged(blocks), *_unlike(blocks)]),
        tuple(names[cell] for cell in order),
        tuple(order),
        tuple(columns),
    )


def _by_rank(blocks: Sequence[RankBlock]) -> list[str]:
    """The cells of all blocks, best by the first metric first."""
    first = {cell.cell: cell for cell in blocks[0].cells}
    others = {cell.cell: cell for block in blocks[1:] for cell in block.cells}
    unranked = sorted(set(others) - set(first), key=lambda cell: others[cell].technique)
    ranked = sorted(
        first.values(), key=lambda c: (c.rank is None, c.rank or 0, c.rank_hi or 0, c.technique, c.cell)
    )
    return [*(cell.cell for cell in ranked), *unranked]


def _entry(cell: RankedCell) -> GridEntry | None:
    if cell.mean is None or cell.rank is None or cell.rank_lo is None or cell.rank_hi is None:
        return None
    tied = (*cell.tied_with, *cell.undecided_with)
    return GridEntry(cell.mean, cell.low, cell.high, cell.rank, cell.rank_lo, cell.rank_hi, tied)


def _reason(cell: RankedCell) -> str:
    if cell.mean is not None and cell.n == cell.repeats:
        return ""
    return ": ".join(filter(None, [", ".join(cell.outcomes), cell.reason]))


def _unlike(blocks: Sequence[RankBlock]) -> list[str]:
    compared = [Compared(block.group, block.cells) for block in blocks]
    return [*above(compared), *learning_rates(compared)]


def _averaged(blocks: Iterable[RankBlock]) -> str:
    """What a value is; one repeat has no interval."""
    found = sorted({cell.n for block in blocks for cell in block.ranked})
    if found in ([], [1]):
        return "Values of one repeat, so without intervals." if found else "No values."
    repeats = " to ".join(map(str, dict.fromkeys((found[0], found[-1]))))
    return f"Mean ± half of its 95% interval over {repeats} repeats."
