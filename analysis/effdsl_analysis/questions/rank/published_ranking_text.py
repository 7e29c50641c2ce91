"""How rankings of groups look: a table per group, a column per metric, and the rule under it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.console import ConsoleRenderable, Group
from rich.table import Table
from rich.text import Text

from effdsl_analysis.answer import look
from effdsl_analysis.questions.rank.published_ranking import PublishedRank, PublishedRanking
from effdsl_analysis.text import alike, table, words

ARROWS = {"lower": "↓", "higher": "↑"}


@look.register
def ranking(result: PublishedRanking) -> Group:
    """A table for each group, techniques in the order of its first metric, and the rule under it."""
    parts: list[ConsoleRenderable] = []
    for _, found in groupby(result.ranks, key=lambda rank: rank.group):
        ranks = list(found)
        parts += [
            words(ranks[0].title, "bold"),
            _table(ranks),
            words(_rule(result, ranks), "dim"),
            Text(""),
        ]
    if not parts:
        return Group(words(f"No group that was asked for has such a value{_at(result.scale)}."))
    return Group(
        *parts, words("In parentheses the rank; equal values share one. ↓ lower, ↑ higher is better.")
    )


def _at(scale: str | None) -> str:
    return f" at {scale}" if scale else ""


def _rule(result: PublishedRanking, ranks: Sequence[PublishedRank]) -> str:
    scales = result.scales[ranks[0].group]
    if result.scale:
        return f"{result.rule.words} at {result.scale}."
    if not scales:
        return f"{result.rule.words}; sizes differ, so each technique has one (n = 1)."
    return f"{result.rule.words}: {', '.join(scales)} (n = {ranks[0].n})."


def _table(ranks: Sequence[PublishedRank]) -> Table:
    columns = {metric: list(found) for metric, found in groupby(ranks, key=lambda rank: rank.metric)}
    made = table("technique", *(_heading(found[0]) for found in columns.values()))
    for column in made.columns[1:]:
        column.justify = "right"
        column.no_wrap = True
    cells = {metric: _cells(found) for metric, found in columns.items()}
    for technique in dict.fromkeys(rank.technique for rank in ranks):
        made.add_row(words(technique), *(cells[metric].get(technique, Text("")) for metric in columns))
    return made


def _heading(rank: PublishedRank) -> str:
    unit = f" ({rank.unit})" if rank.unit and rank.unit not in UNSAID else ""
    return f"{rank.label}{unit} {ARROWS[rank.better]}"


UNSAID = ("fraction", "ratio", "nats/token", "rank")
"""Units that go without saying, or that the line under the table says."""


def _cells(ranks: Sequence[PublishedRank]) -> dict[str, Text]:
    shown = alike([rank.value for rank in ranks])
    return {
        rank.technique: words(f"{value} ({rank.rank})", "bold" if rank.rank == 1 else "")
        for rank, value in zip(ranks, shown, strict=True)
    }
