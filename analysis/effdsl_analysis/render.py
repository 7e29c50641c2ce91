"""How rankings, Pareto sets and differences look: text of at most 100 columns, or the same in a notebook."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, TypeVar

from rich.console import ConsoleRenderable, Group
from rich.table import Table
from rich.text import Text

from effdsl.key import short
from effdsl.metrics import BY_NAME
from effdsl_analysis.naming import quantity
from effdsl_analysis.text import names, number, table, words

if TYPE_CHECKING:
    from effdsl_analysis.ask import Scope
    from effdsl_analysis.difference import Change, Difference
    from effdsl_analysis.paretoset import ParetoCell, ParetoGroup, ParetoSet
    from effdsl_analysis.ranking import RankBlock, RankedCell, Ranking

W = TypeVar("W", bound=Hashable)
C = TypeVar("C", "RankedCell", "ParetoCell")

PLAIN_CODE = "reference"
DIGEST = re.compile(r"\b[0-9a-f]{64}\b")


def ranking(result: Ranking) -> Group:
    """A block for each metric and comparison group, then what is told apart and what is not."""
    parts: list[ConsoleRenderable] = []
    for block in result.blocks:
        parts += [_rank_title(block), _rank_table(block), Text("")]
    cells = [cell for block in result.blocks for cell in block.cells]
    notes = [*_resolved(result), *_plain_code(cells), *_empty(result)]
    return Group(*parts, *notes, *_left(result.scope, len(result.blocks)))


def _plain_code(cells: Iterable[RankedCell | ParetoCell]) -> list[Text]:
    """The techniques whose speed says little: they ran as plain code, where tuned kernels exist."""
    named = sorted({cell.technique for cell in cells if cell.kernel == PLAIN_CODE})
    if not named:
        return []
    return [words(f"Plain code, slower than a tuned kernel would be: {', '.join(named)}.")]


def _empty(result: Ranking) -> list[Text]:
    """Metrics of the default table that nothing measured, each with the reason."""
    why = [f"{metric.label} ({reason})" for metric, reason in result.without_value]
    return [words(f"Without a value: {'; '.join(why)}.")] if why else []


def _rank_title(block: RankBlock) -> Text:
    title = f"{quantity(block.metric)}, {block.metric.better.value} is better · {block.group.title}"
    return words(f"{title} · {_repeats(cell.n for cell in block.ranked)}", "bold")


def _rank_table(block: RankBlock) -> Table:
    shown = table("rank", "may be", "technique", "mean", "95% interval", "tied with", numbers=("mean",))
    several = len({cell.n for cell in block.ranked}) > 1
    notes = {cell.cell: _rank_note(cell) for cell in block.cells}
    if several:
        shown.add_column("n", justify="right")
    if any(notes.values()):
        shown.add_column("note", overflow="fold")
    for cell in block.cells:
        if cell.mean is None:
            continue
        row = [words(text) for text in _rank_row(cell, cell.mean, len(block.ranked) - 1)]
        if several:
            row.append(words(str(cell.n)))
        shown.add_row(*row, words(notes[cell.cell]))
    unranked = (cell for cell in block.cells if cell.rank is None)
    for (instead, why), techniques in _alike(unranked, _instead):
        row = [words(text) for text in ("", "", ", ".join(techniques), instead, "", "")]
        shown.add_row(*row, *([Text("")] if several else []), words(why))
    return shown


def _instead(cell: RankedCell) -> tuple[str, str]:
    """What stands where a value would, a dash or how the repeats ended, and why."""
    return "–" if cell.ok else ", ".join(cell.outcomes), cell.reason


def _alike(cells: Iterable[C], why: Callable[[C], W]) -> Iterable[tuple[W, list[str]]]:
    """Techniques that have nothing to show for the same reason, together."""
    found: dict[W, list[str]] = {}
    for cell in cells:
        found.setdefault(why(cell), []).append(cell.technique)
    return found.items()


def _rank_row(cell: RankedCell, mean: float, others: int) -> tuple[str, ...]:
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


def _rank_note(cell: RankedCell) -> str:
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
    few = any(cell.undecided_with for block in result.blocks for cell in block.cells)
    advice = ["Undecided pairs have fewer than two repeats: set repeats=3 in the study."] if few else []
    return [words(line) for line in (sentence, meaning, *advice)]


def pareto_set(result: ParetoSet) -> Group:
    """A table for each comparison group, then what is certain."""
    parts: list[ConsoleRenderable] = []
    for found in result.groups:
        parts += [
            _pareto_title(result, found),
            _pareto_table(result, found),
            _pareto_sentence(found),
            *_uneven(found),
            Text(""),
        ]
    cells = [cell for found in result.groups for cell in found.cells]
    return Group(*parts, *_plain_code(cells), *_left(result.scope, len(result.groups)))


def _pareto_title(result: ParetoSet, found: ParetoGroup) -> Text:
    wanted = ", ".join(map(str, result.objectives))
    repeats = _repeats(cell.n for cell in found.cells if cell.values)
    return words(f"Pareto set for {wanted} · {found.group.title} · {repeats}", "bold")


def _pareto_table(result: ParetoSet, found: ParetoGroup) -> Table:
    labels = [objective.metric.label for objective in result.objectives]
    shown = table("technique", *labels, "place", "certain", "why", numbers=labels)
    comparable = sum(cell.values is not None for cell in found.cells)
    for cell in found.cells:
        if cell.values is None:
            continue
        values = [number(value) for value in cell.values]
        row = (
            cell.technique,
            *values,
            cell.place,
            "yes" if cell.certain else "no",
            _pareto_why(cell, comparable - 1),
        )
        shown.add_row(*map(words, row))
    for why, techniques in _alike((cell for cell in found.cells if cell.values is None), _pareto_gap):
        shown.add_row(*map(words, (", ".join(techniques), *["–"] * len(labels), "not comparable", "", why)))
    return shown


def _pareto_gap(cell: ParetoCell) -> str:
    absent = ", ".join(BY_NAME[name].label for name in cell.absent)
    what = f"no {absent}" if cell.ok else ", ".join(cell.outcomes)
    return f"{what}: {cell.reason}" if cell.reason else what


def _pareto_why(cell: ParetoCell, others: int) -> str:
    if cell.place == "dominated":
        by_means = f"dominated by {names(cell.dominated_by, others)}"
        if cell.certainly_by in ((), cell.dominated_by):
            return by_means
        return f"{by_means}; certainly by {names(cell.certainly_by, others)}"
    return f"{names(cell.rivals, others)} could dominate it" if cell.rivals else ""


def _uneven(found: ParetoGroup) -> list[Text]:
    """Where means are over different repeats, which have fewer: their place may be one of the seeds."""
    counts = {cell.technique: cell.n for cell in found.cells if cell.values is not None}
    most = max(counts.values(), default=0)
    fewer = [f"{technique} {n}" for technique, n in counts.items() if n < most]
    if not fewer:
        return []
    return [
        words(
            f"Means are over up to {most} repeats, but {', '.join(fewer)}: places compare means of different "
            "seeds there. What is certain compares the seeds that two techniques share."
        )
    ]


def _pareto_sentence(found: ParetoGroup) -> Text:
    comparable = [cell for cell in found.cells if cell.place != "not comparable"]
    if not comparable:
        return words("No cell has a value for every objective.")
    front = found.front
    sure = [cell.technique for cell in front if cell.certain]
    out = [cell.technique for cell in comparable if cell.place == "dominated" and cell.certain]
    is_are = "is" if len(front) == 1 else "are"
    return words(
        f"{len(front)} of {len(comparable)} {is_are} on the front. "
        f"Certainly on it: {', '.join(sure) or 'none'}. Certainly off it: {', '.join(out) or 'none'}."
    )


def difference(result: Difference) -> Group:
    """A table for each part that differs; a sentence when nothing does."""
    a, b = result.names
    if not result.changes:
        return Group(words(f"{a} and {b} are equal in identity, provenance and metrics."))
    parts: list[ConsoleRenderable] = []
    for part in result.parts:
        shown = table("", a, b, *(["b against a"] if part == "metrics" else []))
        for change in result.of(part):
            shown.add_row(*(words(text) for text in _change_row(change, part == "metrics")))
        parts += [words(part, "bold"), shown, Text("")]
    if not result.of("identity"):
        parts.append(words("Identity: equal."))
    if result.of("metrics"):
        parts.append(words("Two single runs: whether a difference exceeds the spread, `effdsl rank` says."))
    return Group(*parts)


def _change_row(change: Change, with_verdict: bool) -> list[str]:
    values = [DIGEST.sub(_shortened, value) for value in (change.a, change.b)]
    return [change.name, *values, *([change.verdict] if with_verdict else [])]


def _shortened(digest: re.Match[str]) -> str:
    """A digest by the digits that people are shown: two whole ones do not fit beside each other."""
    return f"{short(digest[0])}…"


def _repeats(counts: Iterable[int]) -> str:
    found = sorted(set(counts))
    if not found:
        return "no repeats"
    if len(found) > 1:
        return f"{found[0]} to {found[-1]} repeats"
    return "1 repeat" if found == [1] else f"{found[0]} repeats"


def _left(scope: Scope, shown: int) -> list[Text]:
    lines = []
    if not shown:
        what = f"Study {scope.study}" if scope.study else "The store"
        empty = "" if scope.missing else " `effdsl execute STUDY` runs a study."
        lines.append(f"{what} has no result to show{' at this scale' if scope.scale else ''}.{empty}")
    if scope.missing:
        count = "1 task has" if scope.missing == 1 else f"{scope.missing} tasks have"
        lines.append(f"{count} no result yet: `effdsl execute {scope.study}` runs what is missing.")
    return [words(line) for line in lines]
