"""Rows on a terminal: a table where it fits, else every row as a block of its own."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from effdsl_registry.rows import Rows, shown

ANY_WIDTH = 1_000_000


def print_rows(rows: Rows, console: Console) -> None:
    """Print ``rows`` so that no name and no value is cut, whatever the width of ``console``."""
    table = _table(rows)
    if console.measure(table, options=console.options.update(width=ANY_WIDTH)).maximum <= console.width:
        console.print(table)
    else:
        _print_blocks(rows, console)


def _table(rows: Rows) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for column in rows.columns:
        table.add_column(Text(column.name), justify="right" if column.is_number else "left", overflow="fold")
    for row in rows.rows:
        table.add_row(*map(Text, shown(row)))  # Text: nobody's name is markup
    return table


def _print_blocks(rows: Rows, console: Console) -> None:
    """A line per column, its name before its value; a long value goes on below itself."""
    longest = max((len(column.name) for column in rows.columns), default=0)
    names = min(longest, console.width * 2 // 3)
    for number, row in enumerate(rows.rows, 1):
        block = Table.grid(padding=(0, 2))
        block.add_column(style="bold", overflow="fold", width=names)
        block.add_column(overflow="fold", width=console.width - names - 2)
        for column, cell in zip(rows.columns, shown(row), strict=True):
            block.add_row(Text(column.name), Text(cell))
        console.print(Text(f"row {number:,} of {len(rows.rows):,}", "dim"), block, Text(""), sep="\n")
    if not rows.rows:
        console.print(Text(f"no rows; columns: {', '.join(column.name for column in rows.columns)}"))
