"""Numbers in README are those that were kept."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize(("path", "table"), [("README", "readme_table"), ("ALL", "whole_table")])
def test_the_tables_of_measured_speed_are_those_of_the_committed_results(
    path: str, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    tables = importlib.import_module("tables")
    document = getattr(tables, path).read_text(encoding="utf-8")
    assert tables.with_table(document, getattr(tables, table)()) == document
