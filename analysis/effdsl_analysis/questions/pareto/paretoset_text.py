"""How a Pareto set looks: text of at most 100 columns, or the same in a notebook."""

from __future__ import annotations

from rich.console import ConsoleRenderable, Group
from rich.table import Table
from rich.text import Text

from effdsl.metrics import BY_NAME
from effdsl_analysis.answer import look
from effdsl_analysis.fairness import Compared, above, learning_rates
from effdsl_analysis.footnotes import by_reason, left, plain_code, repeats, uneven_threads
from effdsl_analysis.questions.pareto.paretoset import ParetoCell, ParetoGroup, ParetoPlace, ParetoSet
from effdsl_analysis.text import names, number, table, words


@look.register
def pareto_set(result: ParetoSet) -> Group:
    """A table for each comparison group, then what is certain."""
    compared = [Compared(found.group, found.cells) for found in result.groups]
    parts: list[ConsoleRenderable] = [*map(words, above(compared))]
    for found in result.groups:
        parts += [
            _title(result, found),
            _table(result, found),
            _sentence(found),
            *_uneven(found),
            Text(""),
        ]
    cells = [cell for found in result.groups for cell in found.cells]
    threads = uneven_threads(found.cells for found in result.groups)
    notes = [*map(words, learning_rates(compared)), *plain_code(cells), *threads]
    return Group(*parts, *notes, *left(result.scope, len(result.groups)))


def _title(result: ParetoSet, found: ParetoGroup) -> Text:
    wanted = ", ".join(map(str, result.objectives))
    counts = repeats(cell.n for cell in found.cells if cell.values)
    return words(f"Pareto set for {wanted} · {found.group.title} · {counts}", "bold")


def _table(result: ParetoSet, found: ParetoGroup) -> Table:
    labels = [objective.metric.label for objective in result.objectives]
    shown = table("technique", *labels, "place", "certain", "why", numeric=labels)
    comparable = sum(cell.values is not None for cell in found.cells)
    for cell in found.cells:
        if cell.values is None:
            continue
        values = [number(value) for value in cell.values]
        row = (
            cell.technique,
            *values,
            cell.place.value,
            "yes" if cell.certain else "no",
            _why(cell, comparable - 1),
        )
        shown.add_row(*map(words, row))
    for why, techniques in by_reason((cell for cell in found.cells if cell.values is None), _gap):
        shown.add_row(
            *map(
                words,
                (", ".join(techniques), *["–"] * len(labels), ParetoPlace.NOT_COMPARABLE.value, "", why),
            )
        )
    return shown


def _gap(cell: ParetoCell) -> str:
    absent = ", ".join(BY_NAME[name].label for name in cell.absent)
    what = f"no {absent}" if cell.ok else ", ".join(cell.outcomes)
    return f"{what}: {cell.reason}" if cell.reason else what


def _why(cell: ParetoCell, others: int) -> str:
    if cell.place is ParetoPlace.DOMINATED:
        by_means = f"dominated by {names(cell.dominated_by, others)} (on the front)"
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


def _sentence(found: ParetoGroup) -> Text:
    comparable = [cell for cell in found.cells if cell.place is not ParetoPlace.NOT_COMPARABLE]
    if not comparable:
        return words("No cell has a value for every objective.")
    front = found.front
    sure = [cell.technique for cell in front if cell.certain]
    out = [cell.technique for cell in comparable if cell.place is ParetoPlace.DOMINATED and cell.certain]
    is_are = "is" if len(front) == 1 else "are"
    return words(
        f"{len(front)} of {len(comparable)} {is_are} on the front. "
        f"Certainly on it: {', '.join(sure) or 'none'}. Certainly off it: {', '.join(out) or 'none'}."
    )
