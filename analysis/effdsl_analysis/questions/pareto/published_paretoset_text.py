"""How Pareto sets of the paper's leaderboard look."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import ConsoleRenderable, Group
from rich.table import Table
from rich.text import Text

from effdsl.metrics import BY_NAME
from effdsl_analysis.answer import look
from effdsl_analysis.questions.pareto.published_paretoset import (
    PrintedGroup,
    PrintedTechnique,
    PublishedParetoSet,
)
from effdsl_analysis.text import names, number, table, words

MOST_LETTERS = 20
PRINTED_ONCE = "The paper prints each value once, so how certain a place is cannot be said."


@look.register
def published_pareto_set(result: PublishedParetoSet) -> Group:
    """A table for each group that prints all objectives, then the groups that do not."""
    compared = [found for found in result.groups if not found.missing]
    parts: list[ConsoleRenderable] = []
    for found in compared:
        parts += [_title(found), _table(found), _sentence(found), Text("")]
    notes = [*_incomplete(result.groups), *([PRINTED_ONCE] if compared else [])]
    return Group(*parts, *map(words, notes))


def _title(found: PrintedGroup) -> Text:
    wanted = ", ".join(map(str, found.objectives))
    return words(f"{found.title} (Table {found.table_number}) · {wanted} · {_averaged(found)}", "bold")


def _averaged(found: PrintedGroup) -> str:
    """What the values are of; scales are few and short, models are counted."""
    sizes = list(dict.fromkeys(size for cell in found.cells for size in cell.sizes))
    if len(sizes) == 1:
        return sizes[0]
    if all(len(cell.sizes) == 1 for cell in found.cells):
        return "each technique at a size of its own"
    named = ", ".join(sizes)
    return f"means over {named if len(named) <= MOST_LETTERS else f'{len(sizes)} models'}"


def _table(found: PrintedGroup) -> Table:
    labels = [objective.metric.label for objective in found.objectives]
    shown = table("technique", *labels, "place", "why", numeric=labels)
    comparable = sum(cell.values is not None for cell in found.cells)
    for cell in found.cells:
        values = ["–"] * len(labels) if cell.values is None else _values(cell.values, len(cell.sizes))
        shown.add_row(*map(words, (cell.technique, *values, cell.place.value, _why(cell, comparable - 1))))
    return shown


def _values(values: Sequence[float], n: int) -> list[str]:
    """Means to five digits; what was printed as such, no longer than it was."""
    return [number(value) if n > 1 or abs(value) >= 1e5 else f"{value:.7g}" for value in values]


def _why(cell: PrintedTechnique, others: int) -> str:
    if cell.absent:
        return f"no {', '.join(BY_NAME[name].label for name in cell.absent)}"
    if not cell.dominated_by:
        return ""
    return f"dominated by {names(cell.dominated_by, others)} (on the front)"


def _sentence(found: PrintedGroup) -> Text:
    comparable = sum(cell.values is not None for cell in found.cells)
    front = [cell.technique for cell in found.front]
    is_are = "is" if len(front) == 1 else "are"
    return words(f"{len(front)} of {comparable} {is_are} on the front: {', '.join(front)}.")


def _incomplete(groups: Iterable[PrintedGroup]) -> list[str]:
    """Groups without one of the objectives, together where they lack the same."""
    lacking: dict[tuple[str, ...], list[str]] = {}
    for found in groups:
        if found.missing:
            lacking.setdefault(tuple(metric.label for metric in found.missing), []).append(found.title)
    return [
        f"No {' or '.join(labels)} is printed for: {'; '.join(dict.fromkeys(titles))}."
        for labels, titles in lacking.items()
    ]
