"""How scores look: a table per group, its scales one after another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from rich.console import ConsoleRenderable, Group
from rich.table import Table
from rich.text import Text

from effdsl_analysis.answer import look
from effdsl_analysis.footnotes import TO_MEASURE
from effdsl_analysis.questions.scores.scoring import EfficiencyScore, Scores, TechniqueScores
from effdsl_analysis.text import table, words
from effdsl_analysis.vocabulary import Evidence

FORMS = ("as printed", "by arrows")


@look.register
def scores(result: Scores) -> Group:
    """A table for each group, then how the two forms of eq. 12 differ, then what the numbers mean."""
    parts: list[ConsoleRenderable] = []
    for group, found in groupby(result.scores, key=lambda score: score.group):
        rows = list(found)
        parts += [
            words(rows[0].title, "bold"),
            _table(rows, result.labels[group]),
            *_efficiency(rows),
            Text(""),
        ]
    if not parts:
        return Group(words(f"Nothing to score: {TO_MEASURE}."))
    return Group(*parts, *_meaning(result))


def _table(rows: Sequence[TechniqueScores], labels: Mapping[str, str]) -> Table:
    metrics = list(dict.fromkeys(metric for row in rows for metric in row.normalised))
    forms = FORMS if any(row.efficiency for row in rows) else ()
    made = table("", *(labels[metric] for metric in metrics), *forms)
    for column in made.columns[1:]:
        column.justify = "right"
        column.no_wrap = True
    for scale, found in groupby(rows, key=lambda row: row.scale):
        if scale:
            made.add_row(words(scale, "dim"))
        for row in found:
            normalised = [row.normalised.get(metric) for metric in metrics]
            shown = ["" if value is None else f"{value:.3f}" for value in normalised]
            name = f"  {row.technique}" if scale else row.technique
            made.add_row(*map(words, [name, *shown]), *_forms(row))
    return made


def _forms(row: TechniqueScores) -> list[Text]:
    if row.efficiency is None:
        return []
    both = (
        (row.efficiency.as_printed, row.efficiency.rank_as_printed),
        (row.efficiency.by_arrows, row.efficiency.rank_by_arrows),
    )
    return [words(f"{score:.3f} ({rank})", "bold" if rank == 1 else "") for score, rank in both]


def _efficiency(rows: Sequence[TechniqueScores]) -> Iterable[Text]:
    missing = list(dict.fromkeys(name for row in rows for name in row.missing))
    if missing:
        yield words(f"No eq. 12: it needs AMU, PCU, AL, ST and AEC; without a value: {_spelled(missing)}.")
        return
    for scale, found in groupby(rows, key=lambda row: row.scale):
        scored = [(row.technique, row.efficiency) for row in found if row.efficiency]
        yield words(f"Eq. 12{f' at {scale}' if scale else ''}: {_turned(scored)}")


def _spelled(missing: Sequence[str]) -> str:
    return ", ".join(name.upper() for name in missing)


def _turned(scored: Sequence[tuple[str, EfficiencyScore]]) -> str:
    pairs = len(scored) * (len(scored) - 1) // 2
    turned = sum(len(score.turned) for _, score in scored) // 2
    printed = ", ".join(technique for technique, score in scored if score.rank_as_printed == 1)
    arrows = ", ".join(technique for technique, score in scored if score.rank_by_arrows == 1)
    best = (
        f"{printed} is best by both"
        if printed == arrows
        else f"best as printed {printed}, by arrows {arrows}"
    )
    return f"the two forms order {turned} of {pairs} pairs the other way round; {best}."


def _meaning(result: Scores) -> Iterable[Text]:
    yield words(
        "Metrics by eq. 10 and 11: 0.1 the worst, 1.0 the best of the group at that size or model. The "
        "paper does not say over which set it takes least and greatest values."
    )
    if result.evidence is Evidence.MEASURED:
        yield words(
            "Scores are of means alone: `effdsl rank` says which of them the repeats tell apart, and which "
            "are tied."
        )
    if any(score.efficiency for score in result.scores):
        yield words(
            "Eq. 12 as printed: low utilisation, high latency and low throughput raise the score. By arrows: "
            "each term turned the way of its metric's arrow. In parentheses the rank, higher is better."
        )
