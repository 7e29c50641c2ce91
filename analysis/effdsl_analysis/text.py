"""What every answer is written with: words as they are spelled, numbers to their uncertainty, plain tables.

Every word that comes from a store passes through :func:`words`, so that a technique called ``[red]`` or
one with a terminal's control characters is shown as it is spelled and does nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from io import StringIO

from rich.console import Console, ConsoleRenderable
from rich.table import Table
from rich.text import Text

WIDTH = 100
MOST_NAMES = 4


def words(text: str, style: str = "") -> Text:
    """``text`` as it is spelled: no markup, no control characters."""
    shown = (c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return Text("".join(shown), style)


def html(renderable: ConsoleRenderable) -> str:
    """The text as an HTML block, escaped."""
    console = Console(file=StringIO(), width=WIDTH, record=True, highlight=False)
    console.print(renderable)
    style = "white-space:pre;overflow-x:auto;line-height:normal;font-family:monospace"
    return console.export_html(inline_styles=True, code_format=f'<pre style="{style}">{{code}}</pre>')


def number(value: float, half_width: float | None = None) -> str:
    """``value`` to the second digit of its uncertainty, or to five digits when that is unknown."""
    if half_width and math.isfinite(half_width):
        decimals = min(max(1 - math.floor(math.log10(half_width)), 0), 9)
    elif value == int(value) and abs(value) < 1e15:
        decimals = 0
    else:
        decimals = min(max(4 - math.floor(math.log10(abs(value))), 0), 9)
    return f"{value:,.{decimals}f}"


def names(found: Sequence[str], of: int) -> str:
    """``found`` in a few words; ``of`` is how many could be there."""
    if len(found) > MOST_NAMES:
        if len(found) == of:
            return "all others"
        return f"{', '.join(found[: MOST_NAMES - 1])} and {len(found) - MOST_NAMES + 1} more"
    return ", ".join(found)


def table(*columns: str, numbers: Iterable[str] = ()) -> Table:
    """A table without lines; the columns named in ``numbers`` are flush right."""
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(
            words(column),
            justify="right" if column in numbers else "left",
            overflow="fold",
            no_wrap=column in ("rank", "may be", "95% interval"),
        )
    return made
