"""What every answer is written with: words as they are spelled, numbers to their uncertainty, plain tables.

Every word that comes from a store passes through :func:`words`, so that a technique called ``[red]`` or
one with a terminal's control characters is shown as it is spelled and does nothing.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from html import escape
from io import StringIO

from rich.console import Console, ConsoleRenderable, Group, RenderableType
from rich.style import Style
from rich.table import Table
from rich.text import Text

from effdsl.tables import FittingTable

WIDTH = 100
MOST_NAMES = 4
FEWEST_DIGITS, MOST_DIGITS = 4, 7
SMALL = 1e-4
"""Below it a value or its uncertainty is a power of ten: many zeros are neither read nor told from others."""


def words(text: str, style: str = "") -> Text:
    """``text`` as it is spelled: no markup, no control characters."""
    shown = (c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return Text("".join(shown), style)


def html(renderable: ConsoleRenderable) -> str:
    """The same in a notebook, escaped: tables as tables, in the notebook's own colours."""
    return f'<div style="overflow-x:auto">{_html(renderable)}</div>'


def _html(shown: RenderableType) -> str:
    if isinstance(shown, Group):
        return "".join(map(_html, shown.renderables))
    if isinstance(shown, Table):
        return _html_table(shown)
    if isinstance(shown, Text):
        return f"<p>{_html_words(shown)}</p>" if shown.plain else ""
    console = Console(file=StringIO(), width=WIDTH, highlight=False)
    with console.capture() as captured:
        console.print(shown)
    return f"<pre>{escape(captured.get())}</pre>"


def _html_table(shown: Table) -> str:
    align = [f' style="text-align:{c.justify};padding:2px 8px"' for c in shown.columns]
    columns = [[*map(_html_words, column.cells)] for column in shown.columns]
    head = "".join(
        f"<th{style}>{_html_words(column.header)}</th>"
        for style, column in zip(align, shown.columns, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(f"<td{style}>{cell}</td>" for style, cell in zip(align, row, strict=True)) + "</tr>"
        for row in zip(*columns, strict=True)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _html_words(shown: RenderableType) -> str:
    text = shown if isinstance(shown, Text) else Text(str(shown))
    console = Console(file=StringIO())
    base = console.get_style(text.style)
    parts = [(escape(part.text), base + (part.style or Style())) for part in text.render(console)]
    return "".join(f"<b>{word}</b>" if style.bold else word for word, style in parts)


def number(value: float, half_width: float | None = None) -> str:
    """``value`` to the second digit of its uncertainty, or to five digits when that is unknown."""
    if half_width and math.isfinite(half_width):
        decimals = max(1 - math.floor(math.log10(half_width)), 0)
        if half_width < SMALL and abs(value) < 10 * SMALL:
            digits = decimals + math.floor(math.log10(abs(value))) if value else 0
            return f"{value:.{max(digits, 0)}e}" if value else "0"
        decimals = min(decimals, 9)
    elif value == int(value) and abs(value) < 1e15:
        decimals = 0
    elif abs(value) < SMALL:
        return f"{value:.5g}"
    else:
        decimals = min(max(4 - math.floor(math.log10(abs(value))), 0), 9)
    return f"{value:,.{decimals}f}"


def numbers(values: Sequence[float], half_widths: Sequence[float | None]) -> list[str]:
    """A column: values to the second digit of their uncertainty, all others with the same decimals."""
    plain = [value for value, half in zip(values, half_widths, strict=True) if not half]
    are_whole = all(value == int(value) for value in plain)
    shown = iter(map(number, plain) if are_whole else alike(plain))
    return [
        number(value, half) if half else next(shown) for value, half in zip(values, half_widths, strict=True)
    ]


def alike(values: Sequence[float]) -> list[str]:
    """``values`` with the same decimals: four digits of the largest, more to keep unequal ones apart."""
    largest = max(map(abs, values))
    for digits in range(FEWEST_DIGITS, MOST_DIGITS + 1):
        shown = [_spelled(value, digits, largest) for value in values]
        if len(set(shown)) == len(set(values)):
            break
    return shown


def _spelled(value: float, digits: int, largest: float) -> str:
    if 0 < largest < 1e-3:
        return f"{value:.{digits - 2}e}"
    before = math.floor(math.log10(largest)) + 1 if largest else 1
    return f"{value:,.{max(digits - before, 0)}f}"


def names(found: Sequence[str], of: int) -> str:
    """``found`` in a few words; ``of`` is how many could be there."""
    if len(found) > MOST_NAMES:
        if len(found) == of:
            return "all others"
        return f"{', '.join(found[: MOST_NAMES - 1])} and {len(found) - MOST_NAMES + 1} more"
    return ", ".join(found)


def table(
    *columns: str, numeric: Collection[str] = (), unbroken: Collection[str] = (), keys: int = 1
) -> FittingTable:
    """A table without lines.

    Args:
        columns: the headings.
        numeric: those of columns of numbers: flush right, and never broken over lines.
        unbroken: those of other columns whose cells are never broken.
        keys: how many of the first columns are repeated where the others have to follow below.
    """
    made = FittingTable(keys=keys)
    for column in columns:
        is_numeric = column in numeric
        made.add_column(
            words(column),
            justify="right" if is_numeric else "left",
            no_wrap=is_numeric or column in unbroken,
        )
    return made
