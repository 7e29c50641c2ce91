"""What the words of a claim mean, and that every claim is written in its own file."""

from __future__ import annotations

import csv
import re
from importlib.resources import files
from typing import Any

import duckdb
import pytest
from effdsl_analysis.queries import define, statement
from effdsl_analysis.questions.claims.verdicts import claims

SHARED = {"statements", "words", "tables", "sizes", "methods", "kinds", "verdicts"}
FOLDER = files("effdsl_analysis").joinpath("sql", "claims")


def written() -> dict[str, str]:
    return {path.name.removesuffix(".sql"): path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}


def word(said: str) -> bool | None:
    connection = define(duckdb.connect(), "numbers")
    for macro in re.findall(
        r"CREATE OR REPLACE TEMP MACRO (?:within|roundly|about)\(.*?;", statement("claims/words"), re.S
    ):
        connection.execute(macro)
    (found,) = connection.sql(f"SELECT {said}").fetchall()[0]
    return None if found is None else bool(found)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("about(25, 25, 25, 1)", True),
        ("about(27.5, 27.5, 25, 1)", True),  # 10% more
        ("about(27.51, 27.51, 25, 1)", False),
        ("about(-22.5, -22.5, -25, 1)", True),
        ("about(25, 25, -25, 1)", False),
        ("about(1.5, 1.5, 1, 1)", True),  # 1 is printed in steps of 1
        ("about(1.51, 1.51, 1, 1)", False),
        ("about(26, 27, 25, 1)", True),
        ("about(26, 29, 25, 1)", None),
        ("about(28, 29, 25, 1)", False),
        ("about(NULL, NULL, 25, 1)", None),
        ("about(0.1 + 0.2, 0.1 + 0.2, 0.3, 0.001)", True),
        ("roundly(21.5, 21.5, 22, 25, 1)", True),
        ("roundly(21.4, 21.4, 22, 25, 1)", False),
        ("roundly(42.236, 42.236, 42.24, 42.24, 0.01)", True),
        ("roundly(42.2, 42.2, 42.24, 42.24, 0.01)", False),
        ("within(1, 3, 2, 4)", None),
    ],
)
def test_a_number_is_about_right_or_not_or_its_interval_leaves_it_open(
    said: str, expected: bool | None
) -> None:
    assert word(said) is expected


def test_every_claim_has_one_file_and_every_file_is_a_claim() -> None:
    source = files("effdsl_registry.published").joinpath("claims.csv")
    with source.open(encoding="utf-8", newline="") as file:
        ids = [row["id"] for row in csv.DictReader(file)]
    assert len(ids) == 87
    assert set(written()) - SHARED == set(ids)


def test_every_claim_starts_with_its_statement_and_its_table() -> None:
    for name in set(written()) - SHARED:
        first = written()[name].splitlines()[0]
        assert re.match(r"-- .+ \(.*([Tt]ables? |no table).*\)", first), (name, first)


def test_no_file_types_in_what_supports_a_claim() -> None:
    for name in set(written()) - SHARED:
        code = re.sub(r"--.*", "", written()[name])
        assert not re.search(r"\b(true|false)\s+AS\s+supports|SELECT\s+(true|false)\b", code, re.I), name


@pytest.mark.slow
def test_without_evidence_nothing_is_supported_or_contradicted(shelf: Any) -> None:
    for claim in claims(shelf.store).claims:
        assert (claim.verdict.value, claim.cases) == ("undecided", ()), claim.id
