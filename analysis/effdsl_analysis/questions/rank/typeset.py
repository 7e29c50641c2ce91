"""Rankings as tables for a paper: Markdown, and LaTeX with booktabs.

A technique per row, a metric per column; rank 1 in bold and the next rank underlined, ± half of the 95%
interval where there are repeats. What has no value stays empty. Names are escaped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
from effdsl_registry.rows import latex_text, markdown_text

from effdsl_analysis.questions.rank.grid import Grid, GridColumn, GridEntry, grids
from effdsl_analysis.text import number, numbers, words

if TYPE_CHECKING:
    from effdsl_analysis.questions.rank.published_ranking import PublishedRanking
    from effdsl_analysis.questions.rank.ranking import Ranking

MARKS = "Bold: rank 1. Underlined: the next rank."


@attrs.frozen
class _Form:
    """How one language writes a table's parts."""

    text: Callable[[str], str]
    value: Callable[[str, str], str]
    best: str
    second: str


def markdown(ranking: Ranking | PublishedRanking) -> str:
    """A GitHub table per group, with the group as its heading."""
    form = _Form(
        markdown_text, lambda value, half: f"{value} ± {half}" if half else value, "**{}**", "<ins>{}</ins>"
    )
    tables = []
    for grid in grids(ranking):
        rows = _rows(grid, form)
        heads = ["technique", *(markdown_text(_head(column, "↓", "↑")) for column in grid.columns)]
        lines = [heads, ["---", *["---:"] * len(grid.columns)], *rows]
        tables.append(
            f"### {_spelled(grid.title, markdown_text)}\n\n"
            + "".join(f"| {' | '.join(line)} |\n" for line in lines)
            + f"\n{_note(grid, markdown_text)}\n"
        )
    return "\n".join(tables)


def latex(ranking: Ranking | PublishedRanking) -> str:
    r"""A ``table`` per group; needs ``\usepackage{booktabs}``."""
    return "\n".join(_latex_table(grid) for grid in grids(ranking))


def _latex_table(grid: Grid) -> str:
    form = _Form(latex_text, _math, r"{{\boldmath{}}}", r"\underline{{{}}}")
    heads = ["technique", *(_latex_head(column) for column in grid.columns)]
    title, note = _spelled(grid.title, latex_text), _note(grid, latex_text)
    lines = [
        r"\begin{table}[t]",
        r"\centering",
        rf"\caption{{{title}. {note}}}",
        rf"\begin{{tabular}}{{l{'r' * len(grid.columns)}}}",
        r"\toprule",
        " & ".join(heads) + r" \\",
        r"\midrule",
        *(" & ".join(row) + r" \\" for row in _rows(grid, form)),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _rows(grid: Grid, form: _Form) -> list[list[str]]:
    columns = [_column(column, form) for column in grid.columns]
    return [
        [_spelled(name, form.text), *(column[i] for column in columns)]
        for i, name in enumerate(grid.techniques)
    ]


def _note(grid: Grid, escape: Callable[[str], str]) -> str:
    """What a value is, and what the marks mean where there are any."""
    is_marked = any(map(_marked_ranks, grid.columns))
    return " ".join([_spelled(grid.note, escape), *([MARKS] if is_marked else [])])


def _marked_ranks(column: GridColumn) -> list[int]:
    """The best rank and the next; none where all share a rank, for then none stands out."""
    found = sorted({entry.rank for entry in column.entries if entry is not None})
    return found[:2] if len(found) > 1 else []


def _column(column: GridColumn, form: _Form) -> list[str]:
    marks = dict(zip(_marked_ranks(column), (form.best, form.second), strict=False))
    known = [entry for entry in column.entries if entry is not None]
    shown = iter(numbers([s.value for s in known], [s.half_width for s in known]))
    return [
        "" if entry is None else marks.get(entry.rank, "{}").format(_value(entry, next(shown), form))
        for entry in column.entries
    ]


def _value(entry: GridEntry, value: str, form: _Form) -> str:
    half = entry.half_width
    return form.value(value, number(half, half) if half else "")


def _math(value: str, half: str) -> str:
    """Numbers in math mode, so that signs, powers of ten and ± look as they should."""
    return rf"${_power(value)} \pm {_power(half)}$" if half else f"${_power(value)}$"


def _power(shown: str) -> str:
    digits, _, exponent = shown.partition("e")
    digits = digits.replace(",", "{,}")
    return rf"{digits} \times 10^{{{int(exponent)}}}" if exponent else digits


def _head(column: GridColumn, lower: str, higher: str) -> str:
    unit = f" ({column.unit})" if column.unit else ""
    return f"{column.label}{unit} {lower if column.metric.better.value == 'lower' else higher}"


def _latex_head(column: GridColumn) -> str:
    return f"{latex_text(_head(column, '', '').rstrip())} ${_arrow(column)}$"


def _arrow(column: GridColumn) -> str:
    return r"\downarrow" if column.metric.better.value == "lower" else r"\uparrow"


def _spelled(text: str, escape: Callable[[str], str]) -> str:
    return escape(words(text).plain)
