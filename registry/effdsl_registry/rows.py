"""Rows with their columns, and how people and programs get to see them."""

from __future__ import annotations

import csv
import html
import io
import json
import math
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from effdsl_registry.files import Table, write_parquet

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UBIGINT", "FLOAT", "DOUBLE", "DECIMAL")
FETCHED_TOGETHER = 10_000
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\n")
_LATEX: dict[str, str | int | None] = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
    "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}", "\n": " ", "\r": " ",
}  # fmt: skip
_MARKDOWN: dict[str, str | int | None] = {
    "\\": "\\\\", "|": "\\|", "\n": "<br>", "\r": "", "`": "\\`", "*": "\\*", "_": "\\_",
}  # fmt: skip


@attrs.frozen
class Column:
    """A column of a result, with its SQL type."""

    name: str
    sql_type: str

    @property
    def is_number(self) -> bool:
        """Whether its cells are aligned to the right and left bare in CSV."""
        return self.sql_type.startswith(NUMBERS)


@attrs.frozen
class Rows:
    """The rows of a query, with the types of their columns."""

    columns: tuple[Column, ...]
    rows: list[tuple[Any, ...]]

    @classmethod
    def of(cls, connection: DuckDBPyConnection, go_on: Callable[[], None] = lambda: None) -> Rows:
        """What the last statement of ``connection`` gave; ``go_on`` is called on the way and may raise."""
        described = connection.description or []
        names = _distinct([str(column[0]) for column in described])
        types = [str(column[1]) for column in described]
        rows: list[tuple[Any, ...]] = []
        while some := connection.fetchmany(FETCHED_TOGETHER):
            rows += some
            go_on()
        return cls(tuple(map(Column, names, types)), rows)

    def __len__(self) -> int:
        return len(self.rows)


def as_json(rows: Rows) -> str:
    """A list of objects; what JSON cannot hold (NaN, infinity) is null, times are ISO 8601."""
    names = [column.name for column in rows.columns]
    objects = [dict(zip(names, map(_plain, row), strict=True)) for row in rows.rows]
    return json.dumps(objects, default=str, allow_nan=False) + "\n"


def as_csv(rows: Rows) -> str:
    """CSV with a header; a text that a spreadsheet would take for a formula gets a quote before it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_disarmed(column.name) for column in rows.columns)
    for row in rows.rows:
        writer.writerow(
            cell if column.is_number else _disarmed(_text(cell))
            for column, cell in zip(rows.columns, row, strict=True)
        )
    return out.getvalue()


def as_markdown(rows: Rows) -> str:
    """A GitHub table; numbers to six digits, aligned right; names cannot break out of their cell."""
    lines = [
        _line((markdown_text(column.name) for column in rows.columns), " | ", "| ", " |"),
        _line(("---:" if column.is_number else "---" for column in rows.columns), " | ", "| ", " |"),
    ]
    lines += [_line(map(markdown_text, shown(row)), " | ", "| ", " |") for row in rows.rows]
    return "\n".join(lines) + "\n"


def as_latex(rows: Rows) -> str:
    """A booktabs tabular; numbers to six digits, aligned right; every special character escaped."""
    lines = [
        r"\begin{tabular}{" + "".join("r" if column.is_number else "l" for column in rows.columns) + "}",
        r"\toprule",
        _line((latex_text(column.name) for column in rows.columns), " & ", "", r" \\"),
        r"\midrule",
        *(_line(map(latex_text, shown(row)), " & ", "", r" \\") for row in rows.rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def markdown_text(text: str) -> str:
    """``text`` as Markdown that shows it as it is spelled, also in a table's cell."""
    return html.escape(text, quote=False).translate(str.maketrans(_MARKDOWN))


def latex_text(text: str) -> str:
    """``text`` as LaTeX that shows it as it is spelled."""
    return text.translate(str.maketrans(_LATEX))


def as_text(rows: Rows) -> str:
    """Columns aligned with spaces, as wide as they need: for pipes and logs."""
    cells = [[column.name for column in rows.columns], *(shown(row) for row in rows.rows)]
    cells = [[" ".join(cell.split()) for cell in line] for line in cells]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    aligned = [str.rjust if column.is_number else str.ljust for column in rows.columns]
    lines = (
        (align(cell, width) for align, cell, width in zip(aligned, line, widths, strict=True))
        for line in cells
    )
    return "".join("  ".join(line).rstrip() + "\n" for line in lines)


def write_rows_as_parquet(rows: Rows, path: Path) -> None:
    """Write numbers, booleans and texts as they are, everything else as its text."""
    table: Table = {
        column.name: [_stored(column, row[i]) for row in rows.rows] for i, column in enumerate(rows.columns)
    }
    write_parquet(path, table, {column.name: _parquet_type(column) for column in rows.columns})


TEXT_FORMATS: dict[str, Callable[[Rows], str]] = {
    "csv": as_csv,
    "json": as_json,
    "markdown": as_markdown,
    "latex": as_latex,
}


def _distinct(names: list[str]) -> list[str]:
    """Names with a number where one comes again, so that no column hides another."""
    return [name if name not in names[:i] else f"{name}_{i}" for i, name in enumerate(names)]


def _line(cells: Any, between: str, before: str, after: str) -> str:
    return before + between.join(cells) + after


def shown(row: tuple[Any, ...]) -> list[str]:
    """The cells of a row as people read them: numbers to six digits, NULL empty."""
    return [f"{c:.6g}" if isinstance(c, float) else _text(c) for c in row]


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, (dict, list, tuple)):
        return json.dumps(_plain(cell), default=str)
    return str(cell)


def _plain(cell: Any) -> Any:
    if isinstance(cell, float) and not math.isfinite(cell):
        return None
    if isinstance(cell, Decimal):
        return float(cell)
    if isinstance(cell, dict):
        return {str(name): _plain(value) for name, value in cell.items()}
    return [_plain(value) for value in cell] if isinstance(cell, (list, tuple)) else cell


def _disarmed(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")  # the csv module leaves a bare \r unquoted
    return "'" + text if text.startswith(FORMULA_STARTS) else text


def _parquet_type(column: Column) -> str:
    return (
        column.sql_type
        if column.is_number or column.sql_type in ("BOOLEAN", "TIMESTAMP", "DATE")
        else "VARCHAR"
    )


def _stored(column: Column, cell: Any) -> Any:
    if cell is None or (column.is_number and isinstance(cell, (int, float))) or isinstance(cell, bool):
        return cell
    return _text(cell)
