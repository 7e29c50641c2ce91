"""A table on a terminal of any width: numbers are never broken, and columns that do not fit follow below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs
from rich.console import Console
from rich.table import Table
from rich.text import Text

BETWEEN = 2  # spaces between columns
NARROWEST_TEXT = 24  # a column of text is not squeezed below this


@attrs.frozen
class Column:
    """A column and its values; ``is_text`` says that they may be broken between words."""

    name: str
    values: tuple[str, ...]
    is_text: bool

    @property
    def narrowest(self) -> int:
        """Numbers stand in one line; a name is broken between words only."""
        words = max(map(len, self.name.split()), default=0)
        longest = max(map(len, self.values), default=0)
        return max(words, min(longest, NARROWEST_TEXT) if self.is_text else longest)

    @property
    def widest(self) -> int:
        return max(map(len, (self.name, *self.values)))


def print_columns(out: Console, columns: Sequence[Column], keys: int) -> None:
    """Print ``columns``, as one table where it fits, else as several below each other.

    The first ``keys`` columns say whose a row is: every table begins with them.
    """
    for number, block in enumerate(_blocks(columns, keys, out.width)):
        if number:
            out.print()
        out.print(_table(block, _widths(block, out.width)))


def _blocks(columns: Sequence[Column], keys: int, width: int) -> Iterator[list[Column]]:
    block = list(columns[:keys])
    for column in columns[keys:]:
        if _needed([*block, column]) > width and len(block) > keys:
            yield block
            block = list(columns[:keys])
        block.append(column)
    yield block


def _needed(columns: Sequence[Column]) -> int:
    return sum(column.narrowest for column in columns) + BETWEEN * (len(columns) - 1)


def _widths(columns: Sequence[Column], width: int) -> dict[str, int]:
    """The narrowest widths, and what is left for those that want more: text first, in equal parts."""
    widths = {column.name: column.narrowest for column in columns}
    left = width - _needed(columns)
    for is_text in (True, False):
        wanting = sorted((c for c in columns if c.is_text is is_text), key=lambda c: c.widest - c.narrowest)
        for place, column in enumerate(wanting):
            more = max(0, min(left // (len(wanting) - place), column.widest - column.narrowest))
            widths[column.name] += more
            left -= more
    return widths


def _table(columns: Sequence[Column], widths: dict[str, int]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, BETWEEN, 0, 0))
    for column in columns:
        table.add_column(
            Text(column.name),
            justify="left" if column.is_text else "right",
            overflow="fold",
            width=widths[column.name],
        )
    for row in zip(*(column.values for column in columns), strict=True):
        table.add_row(*map(Text, row))
    return table
