"""Answers and views as DuckDB relations: the same rows, of the right types, with the store left free."""

from __future__ import annotations

import gc
import importlib.util
from pathlib import Path
from typing import Any

import attrs
import effdsl_analysis
import pytest
from effdsl_analysis import (
    Evidence,
    UnknownName,
    diff,
    pareto,
    pareto_published,
    rank,
    rank_published,
    relation,
    scaling,
    scores,
)
from effdsl_analysis.questions.audit.auditing import audit
from effdsl_analysis.questions.claims.verdicts import claims
from effdsl_registry.errors import StoreError
from effdsl_registry.store import Store

NOWHERE = Store(Path("/nonexistent/effdsl-store"))


@pytest.fixture
def full(shelf: Any) -> Any:
    """Two techniques, one of them without a reading of power."""
    shelf.repeats("MHA", ppl=[50.0, 51.0, 52.0], amu_gb=[3.0, 3.1, 3.2], study="small/attention")
    shelf.add("MQA", ppl=60.0, missing={"amu_gb": "no reading"}, study="small/attention")
    return shelf


def records(found: Any) -> list[dict[str, Any]]:
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


@pytest.mark.slow
def test_a_ranking_has_a_row_per_metric_and_cell_with_the_fields_of_its_cells(full: Any) -> None:
    ranking = rank(full.store, "attention", metrics=["ppl", "amu_gb"])
    expected = [
        (block.metric.name, {**attrs.asdict(cell), "tied_with": list(cell.tied_with)})
        for block in ranking.blocks
        for cell in block.cells
    ]
    found = records(relation(ranking))
    assert len(found) == 4
    for row, (metric, cell) in zip(found, expected, strict=True):
        assert (row["metric"], row["study"], row["scale"]) == (metric, "small/attention", "3M")
        assert {name: row[name] for name in ("technique", "rank", "mean", "low", "tied_with", "reason")} == {
            name: cell[name] for name in ("technique", "rank", "mean", "low", "tied_with", "reason")
        }


@pytest.mark.slow
def test_a_pareto_set_has_a_column_for_each_objective_and_null_where_it_is_missing(full: Any) -> None:
    found = {row["technique"]: row for row in records(relation(pareto(full.store, on=["ppl", "amu_gb"])))}
    assert (found["MHA"]["ppl"], found["MHA"]["amu_gb"], found["MHA"]["place"]) == (51.0, 3.1, "front")
    assert (found["MQA"]["amu_gb"], found["MQA"]["absent"]) == (None, ["amu_gb"])


def test_a_set_of_printed_values_can_be_asked_further() -> None:
    answer = relation(pareto_published(NOWHERE, on=["performance", "amu"]))
    counted = answer.query("r", "SELECT count(DISTINCT \"group\"), min(amu_gb) FROM r WHERE place = 'front'")
    assert counted.fetchall() == [(10, 28.005)]


@pytest.mark.slow
def test_columns_keep_their_types_when_every_value_is_missing(shelf: Any) -> None:
    shelf.add("MHA", missing={"ppl": "no held-out text"})
    found = relation(pareto(shelf.store, on=["ppl"]))
    types = dict(zip(found.columns, map(str, found.types), strict=True))
    assert (types["ppl"], types["certain"], types["rivals"]) == ("DOUBLE", "BOOLEAN", "VARCHAR[]")


def test_an_answer_without_rows_still_has_columns() -> None:
    found = relation(rank(NOWHERE))
    assert found.fetchall() == []
    assert {"technique", "rank", "mean"} <= set(found.columns)


def test_types_come_from_values_where_nothing_declares_them() -> None:
    class Answer:
        def to_json(self) -> list[dict[str, Any]]:
            return [
                {"a": 1, "b": "x", "c": ["y"], "d": True, "e": None, "g": [{"h": 1}]},
                {"a": 2.5, "b": None, "c": [], 'f"': {"i": 1}, "g": []},
            ]

    found = relation(Answer())
    assert dict(zip(found.columns, map(str, found.types), strict=True)) == {
        "a": "DOUBLE",
        "b": "VARCHAR",
        "c": "VARCHAR[]",
        "d": "BOOLEAN",
        "e": "VARCHAR",
        "g": "JSON",
        'f"': "JSON",
    }
    assert found.fetchall() == [
        (1.0, "x", ["y"], True, None, '[{"h":1}]', None),
        (2.5, None, [], None, None, "[]", '{"i":1}'),
    ]


def test_a_list_of_nothing_is_a_relation_without_rows() -> None:
    class Answer:
        def to_json(self) -> list[dict[str, Any]]:
            return []

    assert relation(Answer()).fetchall() == []


@pytest.mark.slow
def test_printed_ranks_scores_claims_and_findings_are_relations_too() -> None:
    printed = Evidence.PUBLISHED
    attention = rank_published(NOWHERE, groups=["attention"], metrics=["ppl"])
    answers: list[Any] = [attention, claims(NOWHERE, evidence=printed), audit(NOWHERE)]
    assert [len(relation(answer).fetchall()) for answer in answers] == [4, 87, 0]
    best = relation(attention).filter("rank = 1").project("technique, value").fetchall()
    assert best == [("mla", pytest.approx((8.73 + 7.79 + 7.29) / 3))]
    tuned = relation(scores(NOWHERE, evidence=printed, groups=["fine_tuning_7b_8b"]))
    assert len(tuned.fetchall()) == 7 * 3


def test_a_difference_has_a_row_per_change(full: Any) -> None:
    a, b = full.repeats("MLA", ppl=[50.0, 51.0])
    changed = relation(diff(full.store, a, b)).filter("name = 'PPL'").project("a, b, relative").fetchall()
    assert changed == [("50", "51", 0.02)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["results", "cells", "published", "claims", "measurements", "study_tasks"])
def test_a_view_is_copied_whole_with_its_types(full: Any, name: str) -> None:
    found = effdsl_analysis.view(full.store, name)
    with full.store.reading() as connection:
        expected = connection.table(name)
        assert (found.columns, found.types) == (expected.columns, expected.types)
        assert sorted(map(repr, found.fetchall())) == sorted(map(repr, expected.fetchall()))


@pytest.mark.slow
def test_a_relation_outlives_everything_it_came_from_and_holds_no_store(full: Any) -> None:
    store = full.store
    kept = [effdsl_analysis.results(store), effdsl_analysis.cells(store), effdsl_analysis.published(store)]
    gc.collect()
    full.add("GQA", ppl=55.0)
    assert store.count() == 5
    assert [len(kept[0].fetchall()), len(kept[1].fetchall()), kept[2].aggregate("count(*)").fetchall()] == [
        4,
        2,
        [(1239,)],
    ]


@pytest.mark.slow
def test_columns_come_as_numpy_arrays(full: Any) -> None:
    means = relation(rank(full.store, metrics=["ppl"])).fetchnumpy()["mean"]
    assert means.tolist() == [51.0, 60.0]


@pytest.mark.skipif(importlib.util.find_spec("pandas") is not None, reason="pandas is here")
def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(Exception, match="'pandas' is required"):
        effdsl_analysis.published(NOWHERE).df()


def test_an_unknown_view_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UnknownName, match="did you mean 'results'"):
        effdsl_analysis.view(NOWHERE, "result")


def test_every_public_name_can_be_imported_and_no_other() -> None:
    assert [name for name in effdsl_analysis.__all__ if not hasattr(effdsl_analysis, name)] == []
    assert set(effdsl_analysis.__all__) <= set(dir(effdsl_analysis))
    hidden = [n for n in effdsl_analysis.__all__ if importlib.util.find_spec(f"effdsl_analysis.{n}")]
    assert hidden == []  # a module of the same name would take its place once it is imported
    with pytest.raises(AttributeError, match="no attribute 'ranks'"):
        effdsl_analysis.ranks  # noqa: B018


@pytest.mark.slow
@pytest.mark.parametrize("kind", [str, Path])
def test_the_folder_of_a_store_is_as_good_as_the_store(kind: type, full: Any) -> None:
    folder = kind(full.store.root)
    keys = sorted(record["key"] for record in records(effdsl_analysis.results(folder)))
    assert keys == sorted(record["key"] for record in records(effdsl_analysis.results(full.store)))
    assert rank(folder) == rank(full.store)
    assert diff(folder, *keys[:2]) == diff(full.store, *keys[:2])


def test_what_holds_no_results_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="7 holds no results: give a Store, a store's folder"):
        effdsl_analysis.published(7)
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file is a file; a store is a folder"):
        effdsl_analysis.published(tmp_path / "file")


def test_an_answer_without_rows_has_the_columns_of_its_words_too(shelf: Any) -> None:
    """Verdicts and trends are enums; their values are text, also where there is none."""
    found = relation(scaling(shelf.store))
    assert found.fetchall() == []
    types = dict(zip(found.columns, map(str, found.types), strict=True))
    assert (types["verdict"], types["trend"]) == ("VARCHAR", "VARCHAR")
