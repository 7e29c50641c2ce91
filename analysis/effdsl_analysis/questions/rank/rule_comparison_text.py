"""How a comparison of rules looks: a table per group of where they disagree; the rest is counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.console import ConsoleRenderable, Group
from rich.table import Table
from rich.text import Text

from effdsl_analysis.answer import look
from effdsl_analysis.footnotes import TO_MEASURE
from effdsl_analysis.questions.rank.rule_comparison import AVERAGES, RuleComparison, RuledRanks
from effdsl_analysis.text import table, words
from effdsl_analysis.vocabulary import Evidence


@look.register
def rules(result: RuleComparison) -> Group:
    """A table for each group of the techniques whose rank depends on the rule; the others are counted."""
    parts: list[ConsoleRenderable] = []
    for group, found in groupby(result.rows, key=lambda row: row.group):
        parts += [*_disagreements(list(found), result.scales[group]), Text("")]
    if not parts:
        return Group(words(f"Nothing to rank: {TO_MEASURE}."))
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
    averages = [rule.value for rule in AVERAGES]
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
