"""Rows as CSV, JSON, Parquet, Markdown, LaTeX and text."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import duckdb
import pytest
from effdsl_registry.rows import (
    Rows,
    as_csv,
    as_json,
    as_latex,
    as_markdown,
    as_text,
    write_rows_as_parquet,
)
from hypothesis import given
from hypothesis import strategies as st


def rows_of(sql: str, *parameters: object) -> Rows:
    with duckdb.connect() as connection:
        connection.execute(sql, list(parameters))
        return Rows.of(connection)


ODD = """
    SELECT '=cmd()' AS technique, -1.5::DOUBLE AS ppl, 'NaN'::DOUBLE AS mfu, NULL::DOUBLE AS aec_w,
           true AS flag,
           MAP {'aec_w': 'no meter'} AS missing, [1, 2] AS steps,
           TIMESTAMP '2026-01-02 03:04:05' AS at,
           12345678901234::BIGINT AS parameters, 0.5::DECIMAL(4, 2) AS share, 'x' AS technique
"""


def test_json_has_null_for_what_is_not_finite_and_keeps_structure() -> None:
    assert json.loads(as_json(rows_of(ODD)), parse_constant=pytest.fail) == [
        {
            "technique": "=cmd()",
            "ppl": -1.5,
            "mfu": None,
            "aec_w": None,
            "flag": True,
            "missing": {"aec_w": "no meter"},
            "steps": [1, 2],
            "at": "2026-01-02 03:04:05",
            "parameters": 12345678901234,
            "share": 0.5,
            "technique_10": "x",
        }
    ]


def test_csv_disarms_formulas_in_text_and_leaves_numbers_alone() -> None:
    (row,) = csv.DictReader(io.StringIO(as_csv(rows_of(ODD))))
    assert (row["technique"], row["ppl"], row["aec_w"]) == ("'=cmd()", "-1.5", "")
    assert json.loads(row["missing"]) == {"aec_w": "no meter"}


readable = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


@pytest.mark.slow
@given(st.lists(st.text(readable, max_size=8), min_size=1))
def test_csv_of_any_text_reads_back_and_starts_no_formula(texts: list[str]) -> None:
    rows = rows_of("SELECT unnest(from_json(?, '[\"VARCHAR\"]')) AS name", json.dumps(texts))
    read = [row[0] if row else "" for row in csv.reader(io.StringIO(as_csv(rows), newline=""))][1:]
    written = [text.replace("\r\n", "\n").replace("\r", "\n") for text in texts]
    assert [cell.removeprefix("'") for cell in read] == [text.removeprefix("'") for text in written]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for cell in read)


def test_markdown_cells_cannot_break_out_of_the_table() -> None:
    rows = rows_of("SELECT 'a|b' || chr(10) || '<b>`*_' AS name, 1234.5678::DOUBLE AS ppl")
    assert as_markdown(rows).splitlines() == [
        "| name | ppl |",
        "| --- | ---: |",
        r"| a\|b<br>&lt;b&gt;\`\*\_ | 1234.57 |",
    ]


def test_latex_is_a_booktabs_table_with_every_special_character_escaped() -> None:
    rows = rows_of("SELECT $1 AS a_b, 3::BIGINT AS n", r"50% of $x_1 & {y} #~^\ <z>")
    assert as_latex(rows).splitlines() == [
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"a\_b & n \\",
        r"\midrule",
        (
            r"50\% of \$x\_1 \& \{y\} \#\textasciitilde{}\textasciicircum{}\textbackslash{} "
            r"\textless{}z\textgreater{} & 3 \\"
        ),
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_text_aligns_numbers_right_and_names_left() -> None:
    rows = rows_of(
        "SELECT * FROM (VALUES ('MHA', 1.0::DOUBLE), ('GQA', NULL), (NULL, 123.25)) t(technique, ppl)"
    )
    assert as_text(rows) == "technique     ppl\nMHA             1\nGQA\n           123.25\n"


def test_parquet_keeps_numbers_booleans_times_and_texts(tmp_path: Path) -> None:
    write_rows_as_parquet(rows_of(ODD), tmp_path / "o.parquet")
    relation = duckdb.sql(f"FROM '{tmp_path}/o.parquet'")
    types = dict(zip(relation.columns, map(str, relation.types), strict=True))
    assert [types[c] for c in ("technique", "ppl", "flag", "at", "parameters", "share", "missing")] == [
        "VARCHAR", "DOUBLE", "BOOLEAN", "TIMESTAMP", "BIGINT", "DECIMAL(4,2)", "VARCHAR",
    ]  # fmt: skip
    (row,) = relation.fetchall()
    assert row[:5] == ("=cmd()", -1.5, None, None, True)
    assert json.loads(row[5]) == {"aec_w": "no meter"}


def test_no_rows_are_written_with_their_columns(tmp_path: Path) -> None:
    rows = rows_of("SELECT 1 AS n, 'x' AS name WHERE false")
    write_rows_as_parquet(rows, tmp_path / "o.parquet")
    assert duckdb.sql(f"DESCRIBE FROM '{tmp_path}/o.parquet'").fetchall()[0][:2] == ("n", "INTEGER")
    assert (as_json(rows), as_csv(rows), as_text(rows)) == ("[]\n", "n,name\n", "n  name\n")
