"""A table on a terminal of any width: numbers are never broken, and columns that do not fit follow below."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import attrs
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.style import StyleType
from rich.table import Column, Table
from rich.text import Text

BETWEEN = 2  # spaces between columns
NARROWEST_TEXT = 24  # a column of text is not squeezed below this where columns can follow below
LEAST_TEXT = 8  # nor below this anywhere
LONGEST_WORD = 40  # a longer one may be broken


@attrs.frozen
class _Measured:
    """A column with the cells it needs: ``least`` in a terminal too narrow for it and its keys."""

    column: Column
    least: int
    narrowest: int
    widest: int

    @classmethod
    def of(cls, column: Column) -> _Measured:
        """Values that may not be broken stand in one line; names and text are broken between words only."""
        cells = [line for cell in column.cells for line in _plain(cell).splitlines()]
        longest = max(map(cell_len, cells), default=0)
        header = _plain(column.header)
        heading = _longest_word([header])
        word = min(_longest_word(cells), LONGEST_WORD)
        narrowest = longest if column.no_wrap else max(word, min(longest, NARROWEST_TEXT))
        least = longest if column.no_wrap else min(longest, LEAST_TEXT)
        return cls(column, max(heading, least), max(heading, narrowest), max(cell_len(header), longest))


class FittingTable(Table):
    """A table without lines, printed as one where it fits, else as several below each other.

    The first ``keys`` columns say whose a row is: each of the tables begins with them. Columns with
    ``no_wrap`` hold numbers, which are never broken; the others are broken between words.
    """

    def __init__(self, *, keys: int = 1, header_style: StyleType = "dim", show_header: bool = True) -> None:
        super().__init__(
            box=None,
            pad_edge=False,
            padding=(0, BETWEEN, 0, 0),
            header_style=header_style,
            show_header=show_header,
        )
        self.keys = keys

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = [_Measured.of(column) for column in self.columns]
        for place, block in enumerate(_blocks(columns, self.keys, options.max_width)):
            if place:
                yield Text("")
            yield self._table(block, options.max_width)

    def _table(self, block: Sequence[_Measured], width: int) -> Table:
        table = Table(
            box=None,
            pad_edge=False,
            padding=self.padding,
            header_style=self.header_style,
            show_header=self.show_header,
        )
        for found, cells in zip(block, _widths(block, width), strict=True):
            column = found.column
            table.add_column(column.header, justify=column.justify, overflow="fold", width=cells)
        for row in zip(*(found.column.cells for found in block), strict=True):
            table.add_row(*row)
        return table


def _plain(cell: object) -> str:
    return cell.plain if isinstance(cell, Text) else str(cell)


def _longest_word(texts: Iterable[str]) -> int:
    return max((cell_len(word) for text in texts for word in text.split()), default=0)


def _blocks(columns: Sequence[_Measured], keys: int, width: int) -> Iterator[list[_Measured]]:
    block = list(columns[:keys])
    for column in columns[keys:]:
        if _needed([*block, column]) > width and len(block) > keys:
            yield block
            block = list(columns[:keys])
        block.append(column)
    yield block


def _needed(columns: Sequence[_Measured]) -> int:
    return sum(column.narrowest for column in columns) + BETWEEN * (len(columns) - 1)


def _widths(columns: Sequence[_Measured], width: int) -> list[int]:
    """The narrowest widths, and what is left for those that want more: text first, in equal parts."""
    widths = [column.narrowest for column in columns]
    left = width - _needed(columns)
    if left < 0:
        return _squeezed(columns, widths, -left)
    for breaks in (True, False):
        places = [place for place, found in enumerate(columns) if found.column.no_wrap is not breaks]
        places.sort(key=lambda place: columns[place].widest - columns[place].narrowest)
        for others, place in zip(range(len(places), 0, -1), places, strict=True):
            more = min(left // others, columns[place].widest - columns[place].narrowest)
            widths[place] += more
            left -= more
    return widths


def _squeezed(columns: Sequence[_Measured], widths: list[int], over: int) -> list[int]:
    """Where the keys and one column do not fit: text gives way, the widest most."""
    while over > 0:
        place = max(range(len(columns)), key=lambda place: widths[place] - columns[place].least)
        if widths[place] == columns[place].least:
            break
        widths[place] -= 1
        over -= 1
    return widths
