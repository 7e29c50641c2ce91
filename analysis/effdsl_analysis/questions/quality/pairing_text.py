"""How differences of quality look: a table for each model and evaluation, then the question answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import ConsoleRenderable, Group
from rich.table import Table

from effdsl_analysis.answer import look
from effdsl_analysis.footnotes import left
from effdsl_analysis.questions.quality.pairing import Over, Quality, QualityDifference
from effdsl_analysis.text import number, table, words

NOTHING = (
    "No two precisions of one model have been evaluated item by item: `effdsl execute` of a study with "
    "Precision([...]) and an evaluation does that."
)
CHECKPOINTS = (
    "The intervals are over checkpoints, items paired within each: they say what a precision costs models "
    "that are trained like these."
)
ITEMS = (
    "The intervals are over the items of one checkpoint: they say what a precision costs that checkpoint "
    "on items like these, not what it costs another. Checkpoints of other seeds often differ in sign; a "
    "study of Trained(...) with repeats=3 asks that."
)


@look.register
def quality(result: Quality) -> Group:
    """A block for each model and evaluation, then what was answered and what was not resolved."""
    parts: list[ConsoleRenderable] = []
    for found in result.groups:
        for _, of_it in groupby(found.differences, key=lambda one: (one.evaluation, one.reference_cell)):
            rows = list(of_it)
            parts += [words(_title(rows[0], found.group.title), "bold"), _table(rows)]
            parts += [*map(words, _unpaired(rows)), words("")]
    if not parts:
        return Group(words(NOTHING), *left(result.scope, 1))
    found_ = [one for group in result.groups for one in group.differences]
    return Group(*parts, *map(words, _said(found_)), *left(result.scope, len(found_)))


def _title(one: QualityDifference, title: str) -> str:
    unit = "nats/token, lower is better" if one.is_loss else "higher is better"
    return f"{one.evaluation} against {one.reference}, {unit} · {title}"


def _table(rows: Sequence[QualityDifference]) -> Table:
    judged = any(one.right_or_wrong and one.over is Over.ITEMS for one in rows)
    more = ("lost / gained", "p") if judged else ()
    needed = ("items needed",) if any(one.over is Over.ITEMS for one in rows) else ()
    headings = ("precision", "score", "difference", "95% interval", *more, "told apart", *needed)
    shown = table(*headings, numeric=("score", "difference", *more, *needed), unbroken=("95% interval",))
    for one in rows:
        shown.add_row(
            *map(words, [*_cells(one), *(_lost(one) if judged else ()), _told(one), *_needed(one, needed)])
        )
    return shown


def _cells(one: QualityDifference) -> tuple[str, str, str, str]:
    if one.difference is None or one.score is None:
        return one.technique, "–", "–", "–"
    half = None if one.low is None else one.difference - one.low
    interval = "–"
    if one.low is not None and one.high is not None:
        interval = f"[{_signed(one.low, half)}, {_signed(one.high, half)}]"
    return one.technique, number(one.score), _signed(one.difference, half), interval


def _signed(value: float, half_width: float | None) -> str:
    shown = number(value, half_width)
    return f"+{shown}" if value > 0 else shown


def _lost(one: QualityDifference) -> tuple[str, str]:
    first = one.checkpoints[0]
    if one.over is Over.CHECKPOINTS or first.lost is None or first.p is None:
        return "–", "–"
    return f"{first.lost} / {first.gained}", f"{first.p:.3g}"


def _told(one: QualityDifference) -> str:
    if not one.resolved or one.difference is None:
        return "no"
    return "better" if (one.difference < 0) is one.is_loss else "worse"


def _needed(one: QualityDifference, asked: Sequence[str]) -> list[str]:
    if not asked:
        return []
    first = one.checkpoints[0]
    known = one.over is Over.ITEMS and first.needed is not None
    return [f"{first.needed:,} of {first.items:,}" if known else "–"]


def _unpaired(rows: Sequence[QualityDifference]) -> Iterator[str]:
    for one in rows:
        if one.unpaired:
            yield (
                f"{one.technique}: {one.unpaired:,} items are not those of {one.reference}, so nothing is "
                "compared; it was evaluated in another way."
            )


def _said(found: Sequence[QualityDifference]) -> Iterator[str]:
    compared = [one for one in found if one.difference is not None]
    resolved = sum(one.resolved for one in compared)
    yield f"Told apart at 95%: {resolved} of {len(compared)}."
    over = {one.over for one in compared}
    if Over.CHECKPOINTS in over:
        several = sorted({one.n for one in compared if one.over is Over.CHECKPOINTS})
        yield f"{CHECKPOINTS} Checkpoints: {' or '.join(map(str, several))}.{_split(compared)}"
    if Over.ITEMS in over:
        yield ITEMS
        if any(one.right_or_wrong and one.over is Over.ITEMS for one in compared):
            yield (
                "Lost: right in the reference alone; gained: right in the precision alone. p is McNemar's, "
                "exact; it decides where items are right or wrong."
            )
        yield (
            "Items needed: so many would find a difference as large as the observed one, at 5% with a power "
            "of 80%."
        )
    if any(one.difference is not None and one.low is None for one in found):
        yield "–: no interval, for there is no spread to judge by; nothing is told apart by that."


def _split(found: Sequence[QualityDifference]) -> str:
    """How often single checkpoints say with certainty what the others contradict."""
    split = [
        one
        for one in found
        if one.over is Over.CHECKPOINTS
        and len({(part.difference or 0) > 0 for part in one.checkpoints if part.resolved}) > 1
    ]
    if not split:
        return ""
    named = ", ".join(dict.fromkeys(one.technique for one in split))
    return f" Of {named} single checkpoints, each certain by its items, contradict one another."
