"""How a ranking looks: text of at most 100 columns, or the same in a notebook."""

from __future__ import annotations

from rich.console import ConsoleRenderable, Group
from rich.table import Table
from rich.text import Text

from effdsl_analysis.answer import look
from effdsl_analysis.fairness import Compared, above, learning_rates
from effdsl_analysis.footnotes import by_reason, left, plain_code, repeats, uneven_threads
from effdsl_analysis.naming import quantity
from effdsl_analysis.over_checkpoints import CHECKPOINTS, SHARED, answered
from effdsl_analysis.questions.rank.ranking import RankBlock, RankedCell, Ranking
from effdsl_analysis.text import names, number, table, words


@look.register
def ranking(result: Ranking) -> Group:
    """A block for each metric and comparison group, then what is told apart and what is not."""
    compared = [Compared(block.group, block.cells) for block in result.blocks]
    parts: list[ConsoleRenderable] = [*map(words, above(compared))]
    for block in result.blocks:
        parts += [_title(block), _table(block), Text("")]
    cells = [cell for block in result.blocks for cell in block.cells]
    notes = [
        *_resolved(result),
        *map(words, answered(((block.metric, block.ranked) for block in result.blocks), result.evaluations)),
        *map(words, learning_rates(compared)),
        *plain_code(cells),
        *uneven_threads(b.cells for b in result.blocks),
        *_empty(result),
    ]
    return Group(*parts, *notes, *left(result.scope, len(result.blocks)))


def _empty(result: Ranking) -> list[Text]:
    """Metrics of the default table that nothing measured, each with the reason."""
    why = [f"{metric.label} ({reason})" for metric, reason in result.without_value]
    return [words(f"Without a value: {'; '.join(why)}.")] if why else []


def _title(block: RankBlock) -> Text:
    title = f"{quantity(block.metric)}, {block.metric.better.value} is better · {block.group.title}"
    return words(f"{title} · {repeats(cell.n for cell in block.ranked)}", "bold")


def _table(block: RankBlock) -> Table:
    headings = ("rank", "may be", "technique", "mean", "95% interval", "tied with")
    shown = table(*headings, numeric=("mean",), unbroken=("rank", "may be", "95% interval"), keys=3)
    several = len({cell.n for cell in block.ranked}) > 1
    notes = {cell.cell: _note(cell) for cell in block.cells}
    if several:
        shown.add_column("n", justify="right", no_wrap=True)
    noted = any(notes.values())
    if noted:
        shown.add_column("note")
    for cell in block.cells:
        if cell.mean is None:
            continue
        row = [words(text) for text in _row(cell, cell.mean, len(block.ranked) - 1)]
        if several:
            row.append(words(str(cell.n)))
        shown.add_row(*row, *([words(notes[cell.cell])] if noted else []))
    unranked = (cell for cell in block.cells if cell.rank is None)
    for (instead, why), techniques in by_reason(unranked, _instead):
        row = [words(text) for text in ("", "", ", ".join(techniques), instead, "", "")]
        shown.add_row(*row, *([Text("")] if several else []), *([words(why)] if noted else []))
    return shown


def _instead(cell: RankedCell) -> tuple[str, str]:
    """What stands where a value would, a dash or how the repeats ended, and why."""
    return "–" if cell.ok else ", ".join(cell.outcomes), cell.reason


def _row(cell: RankedCell, mean: float, others: int) -> tuple[str, ...]:
    half = None if cell.low is None else mean - cell.low
    if cell.low is None or cell.high is None:
        interval = ""
    elif half:
        interval = f"[{number(cell.low, half)}, {number(cell.high, half)}]"
    else:
        interval = "no spread"
    between = str(cell.rank) if cell.rank_lo == cell.rank_hi else f"{cell.rank_lo}–{cell.rank_hi}"
    tied = names(cell.tied_with, others)
    if cell.undecided_with:
        tied = "; ".join(filter(None, [tied, f"undecided: {names(cell.undecided_with, others)}"]))
    return (str(cell.rank), between, cell.technique, number(mean, half), interval, tied)


def _note(cell: RankedCell) -> str:
    if cell.mean is None:
        return cell.reason
    if cell.n < cell.repeats:
        why = ": ".join(filter(None, [", ".join(cell.outcomes) or "no value", cell.reason]))
        return f"{cell.repeats - cell.n} of {cell.repeats} repeats: {why}"
    return ""


def _resolved(result: Ranking) -> list[Text]:
    told: dict[str, tuple[int, int]] = {}
    for block in result.blocks:
        apart, pairs = block.pairs
        before = told.get(block.metric.label, (0, 0))
        told[block.metric.label] = (before[0] + apart, before[1] + pairs)
    counts = [f"{label} {apart} of {pairs}" for label, (apart, pairs) in told.items() if pairs]
    if not counts:
        return []
    sentence = f"Pairs told apart at 95%: {', '.join(counts)}; all other pairs are not resolved."
    meaning = (
        "Rank: 1 + the techniques that are certainly better; equal ranks are in no order. "
        "May be: the ranks that the repeats leave open."
    )
    few = any(
        cell.undecided_with and cell.details.get(CHECKPOINTS) != SHARED
        for block in result.blocks
        for cell in block.cells
    )
    advice = ["Undecided pairs have fewer than two repeats: set repeats=3 in the study."] if few else []
    return [words(line) for line in (sentence, meaning, *advice)]
