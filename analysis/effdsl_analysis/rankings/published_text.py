"""How rankings of groups look: a table per group, a column per metric, and where rules disagree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.console import ConsoleRenderable, Group
from rich.table import Table
from rich.text import Text

from effdsl_analysis.answer import look
from effdsl_analysis.evidence import Evidence
from effdsl_analysis.rankings.published import PublishedRank, PublishedRanking
from effdsl_analysis.rankings.rule_comparison import RuleComparison, RuledRanks
from effdsl_analysis.rules import Rule
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


@look.register
def rules(result: RuleComparison) -> Group:
    """A table for each group of the techniques whose rank depends on the rule; the others are counted."""
    parts: list[ConsoleRenderable] = []
    for group, found in groupby(result.rows, key=lambda row: row.group):
        parts += [*_disagreements(list(found), result.scales[group]), Text("")]
    if not parts:
        return Group(words("Nothing to rank: `effdsl execute STUDY` runs a study."))
    return Group(*parts, *_reading(result))


def _disagreements(rows: Sequence[RuledRanks], scales: Sequence[str]) -> list[ConsoleRenderable]:
    title = words(rows[0].title, "bold")
    if len(scales) < 2:
        why = f"only {scales[0]}" if scales else "each technique has a size of its own"
        return [title, words(f"Nothing to average ({why}): every rule gives the same ranks.")]
    agreeing = [row for row in rows if row.averages_agree]
    differing = [row for row in rows if row.averages_agree is False]
    at_scales = sum(not row.scales_agree for row in agreeing)
    counted = (
        f"{len(agreeing)} of {len(agreeing) + len(differing)} ranks are the same by every average; "
        f"{at_scales} of these differ at a scale alone."
    )
    made = [_differing(differing)] if differing else []
    return [title, *made, words(f"Each alone: {', '.join(scales)}. {counted}"), *_left_out(rows)]


def _left_out(rows: Sequence[RuledRanks]) -> Iterable[Text]:
    """The techniques that have no average, with the metrics that lack a value at one of the scales."""
    lacking: dict[str, list[str]] = {}
    for row in rows:
        if row.averages_agree is None:
            lacking.setdefault(row.technique, []).append(row.label)
    if lacking:
        named = "; ".join(f"{technique} ({', '.join(labels)})" for technique, labels in lacking.items())
        yield words(f"Left out, for want of a value at every scale: {named}.")


def _differing(rows: Sequence[RuledRanks]) -> Table:
    averages = [rule.value for rule in Rule if rule is not Rule.ONE_SCALE]
    made = table("metric", "technique", *(name.replace("_", " ") for name in averages), "each alone", keys=2)
    for column in made.columns[2:]:
        column.justify = "right"
        column.no_wrap = True
    for label, found in groupby(rows, key=lambda row: row.label):
        for place, row in enumerate(found):
            alone = " ".join(map(str, row.ranks_by_scale.values()))
            ranks = [str(row.ranks.get(name, "")) for name in averages]
            made.add_row(*map(words, ["" if place else label, row.technique, *ranks, alone]))
    return made


def _reading(result: RuleComparison) -> Iterable[Text]:
    yield words("Ranks by each rule; `each alone` is the rank at each scale by itself, in the order named.")
    if result.evidence is Evidence.MEASURED:
        yield words("These are ranks of means: `effdsl rank` says which of them the repeats tell apart.")
