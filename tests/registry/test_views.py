"""What the public views show of the records in a store."""

from __future__ import annotations

import json
import math
from typing import Any, get_type_hints

import attrs
import pytest
from effdsl_registry.index import rebuild
from effdsl_registry.maintenance import collect, garbage
from effdsl_registry.records import Identity, Provenance
from effdsl_registry.schema import PUBLIC_VIEWS
from effdsl_registry.store import Store
from effdsl_registry.verify import verify

from effdsl.metrics import METRICS
from effdsl.task import ChosenTechnique


def query(store: Store, sql: str) -> list[tuple[Any, ...]]:
    with store.reading() as connection:
        return connection.execute(sql).fetchall()


def test_every_field_of_a_record_is_a_column_with_its_value(store: Store, make_record: Any) -> None:
    hints = get_type_hints(Identity)
    asked: dict[str, Any] = {name: name if hints[name] is str else i for i, name in enumerate(hints)}
    asked["choices"] = {"attention": ChosenTechnique("GQA", "GQA(kv_heads=2)")}
    asked["setting"] = {"data": "Shakespeare", "batch_size": 8}
    asked["details"] = {"layers": 4, "experts": None}
    identity = Identity(**asked)
    provenance = attrs.evolve(
        make_record().provenance,
        duration_s=2.5,
        host="h",
        git_dirty=True,
        threads=2,
        flags=("throttled",),
        libraries={"torch": "2"},
    )
    metrics = {metric.name: float(i) for i, metric in enumerate(METRICS)}
    record = make_record(identity=identity, provenance=provenance, metrics=metrics)
    store.ingest([store.write(record, None, None)])
    with store.reading() as connection:
        cursor = connection.execute("SELECT * FROM results")
        names = [column[0] for column in cursor.description]
        row = dict(zip(names, cursor.fetchall()[0], strict=True))
    asked |= {"attention": "GQA(kv_heads=2)", "position": None, **asked["setting"], **asked["details"]}
    for name, value in (asked | metrics).items():
        if name not in ("choices", "setting", "details"):
            assert row[name] == value, name
    for name in ("setting", "details"):
        assert json.loads(row[name]) == asked[name]
    for field in attrs.fields(Provenance):
        assert field.name in row
    assert (row["duration_s"], row["git_dirty"], row["flags"]) == (2.5, True, ["throttled"])
    assert row["libraries"] == {"torch": "2"}
    assert row["finished_at"].isoformat() == "2026-01-01T00:01:00"
    assert row["missing"] == {"aec_w": "no power meter"}
    assert row["short_key"] == record.key[:10]


def test_a_metric_that_was_not_measured_is_null_and_not_a_measurement(filled: Store) -> None:
    assert query(filled, "SELECT count(*) FROM results WHERE aec_w IS NULL") == [(6,)]
    assert query(filled, "SELECT DISTINCT metric FROM measurements ORDER BY 1") == [("amu_gb",), ("ppl",)]


def test_the_latest_attempt_is_the_result_and_every_attempt_is_kept(store: Store, make_record: Any) -> None:
    later = make_record(1, minute=9, outcome="failed", reason="disk full", metrics={})
    for record in (later, make_record(1, minute=3), make_record(2)):
        store.write(record, None, None)
    store.ingest()
    assert query(store, "SELECT outcome, reason FROM results ORDER BY outcome") == [
        ("failed", "disk full"),
        ("ok", ""),
    ]
    assert query(store, "SELECT count(*) FROM attempts") == [(3,)]
    assert store.record(later.key) == later
    assert store.known([later.key]).results[later.key].outcome == "failed"


def test_a_cell_has_the_mean_of_its_ok_repeats_only(store: Store, make_record: Any) -> None:
    for number, outcome in ((0, "ok"), (1, "ok"), (2, "oom")):
        store.write(make_record(number, outcome=outcome), None, None)
    store.ingest()
    assert query(store, "SELECT technique, tasks, n, outcomes, ppl FROM cells") == [
        ("T0", 3, 2, ["ok", "oom"], 50.5)
    ]


def test_a_cell_measured_at_two_meter_scopes_has_no_mean_energy(store: Store, make_record: Any) -> None:
    base = make_record().provenance
    for number, scope in ((0, "gpu"), (1, "module"), (3, "gpu"), (4, "gpu")):
        provenance = attrs.evolve(base, meter_scope=scope)
        store.write(
            make_record(number, provenance=provenance, metrics={"aec_w": 100.0, "ppl": 2.0}), None, None
        )
    store.ingest()
    assert query(store, "SELECT technique, aec_w, ppl FROM cells ORDER BY 1") == [
        ("T0", None, 2.0),
        ("T1", 100.0, 2.0),
    ]


def test_loss_curves_have_a_row_for_each_point(store: Store, make_record: Any) -> None:
    store.write(make_record(curves={"train": [(1, 3.0), (2, math.nan)], "held_out": [(2, 2.5)]}), None, None)
    store.ingest()
    rows = query(store, "SELECT step, loss, kind FROM loss_curves ORDER BY kind, step")
    assert rows == [(2, 2.5, "held_out"), (1, 3.0, "train"), (2, None, "train")]


def test_decoding_has_a_row_for_each_context_of_the_latest_attempt(store: Store, make_record: Any) -> None:
    names = ("context", "prefill_s", "decode_s_per_token", "cache_bytes")
    before, *after = (
        dict(zip(names, row, strict=True))
        for row in [(8, 9.0, 9.0, 9), (8, 0.5, 0.25, 100), (32, 1.5, 0.5, 400)]
    )
    old = make_record(1, minute=1, tables={"decoding": (before,)})
    new = make_record(1, minute=2, tables={"decoding": tuple(after)})
    for each in (old, new, make_record(2)):
        store.write(each, None, None)
    store.ingest()
    rows = query(store, "SELECT * FROM decoding ORDER BY context")
    names = (new.key, new.cell, "T0", 1)
    assert rows == [(*names, 8, 0.5, 0.25, 4.0, 100), (*names, 32, 1.5, 0.5, 2.0, 400)]


def test_expert_shares_have_a_row_for_each_layer_and_expert_of_the_latest_attempt(
    store: Store, make_record: Any
) -> None:
    def shares(*rows: tuple[int, int, float]) -> dict[str, Any]:
        named = [dict(zip(("layer", "expert", "share"), row, strict=True)) for row in rows]
        return {"expert_shares": tuple(named)}

    old = make_record(1, minute=1, tables=shares((0, 0, 1.0), (0, 1, 0.0)))
    new = make_record(1, minute=2, tables=shares((0, 0, 0.25), (0, 1, 0.75), (1, 0, 0.5), (1, 1, 0.5)))
    for each in (old, new, make_record(2)):
        store.write(each, None, None)
    store.ingest()
    rows = query(store, "SELECT * FROM expert_shares ORDER BY layer, expert")
    names = (new.key, new.cell, "T0", 1)
    assert rows == [(*names, 0, 0, 0.25), (*names, 0, 1, 0.75), (*names, 1, 0, 0.5), (*names, 1, 1, 0.5)]


def test_examples_have_a_row_for_each_fine_tuning_by_its_latest_attempt(
    store: Store, make_record: Any
) -> None:
    """Other stages, and results from before they were counted, have none."""
    names = ("training", "truncated", "held_out_tokens", "held_out_bytes")
    old = make_record(1, minute=1, tables={"examples": (dict.fromkeys(names, 1),)})
    new = make_record(1, minute=2, tables={"examples": (dict(zip(names, (800, 24, 90, 300), strict=True)),)})
    for each in (old, new, make_record(2)):
        store.write(each, None, None)
    store.ingest()
    assert query(store, "SELECT * FROM examples") == [(new.key, new.cell, "T0", 1, 800, 24, 90, 300)]


ITEMS = {
    "evaluation": ["arc", "arc", "text"],
    "item": [1, 0, 0],
    "value": [0.0, 1.0, 12.5],
    "weight": [1.0, 1.0, 4.0],
}


def test_items_have_a_row_each_of_the_latest_attempt_and_scores_one_for_each_name(
    store: Store, make_record: Any
) -> None:
    """By their numbers, with the task that they are of."""
    new = make_record(1, minute=9, items={"arc": 2, "text": 1}, scores={"group": 0.25})
    old = make_record(1, minute=3, items={"arc": 2, "text": 1}, scores={"group": 0.75})
    for record in (new, old):
        store.write(record, None, None, ITEMS)
    store.write(make_record(2), None, None)
    assert store.ingest() == 3
    names = (new.key, new.cell, "T0", 1)
    rows = query(store, "SELECT * FROM items ORDER BY evaluation, item")
    assert rows == [
        (*names, "arc", 0, 1.0, 1.0),
        (*names, "arc", 1, 0.0, 1.0),
        (*names, "text", 0, 12.5, 4.0),
    ]
    assert query(store, "SELECT * FROM scores") == [(*names, "group", 0.25)]


def test_items_that_are_damaged_or_gone_keep_no_other_out(
    store: Store, make_record: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The records stand in the index, what is damaged is logged, and both are found by a verification."""
    records = [make_record(n, items={"arc": 2, "text": 1}) for n in range(3)]
    paths = [store.write(record, None, None, ITEMS) for record in records]
    damaged, gone, whole = (store.items_file(record.key, record.attempt) for record in records)
    damaged.write_bytes(b"PAR1")
    gone.unlink()
    assert store.ingest(paths) == 3
    assert query(store, "SELECT DISTINCT key FROM items") == [(records[2].key,)]
    assert f"{damaged} is damaged and left out" in caplog.text
    assert {fault.path for fault in verify(store).findings} == {damaged, gone}
    assert whole.exists()


def test_items_come_back_with_a_rebuilt_index_and_go_with_their_attempt(
    store: Store, make_record: Any
) -> None:
    """The file of an attempt that is superseded goes as well."""
    for minute in (3, 9):
        store.write(make_record(1, minute=minute, items={"arc": 2, "text": 1}), None, None, ITEMS)
    store.ingest()
    before = query(store, "SELECT * FROM items ORDER BY ALL")
    rebuild(store)
    assert query(store, "SELECT * FROM items ORDER BY ALL") == before
    collect(store, garbage(store))
    assert query(store, "SELECT * FROM items ORDER BY ALL") == before
    assert query(store, "SELECT count(*) FROM internal.items") == [(2,)]
    assert len(list(store.records.rglob("*.items.parquet"))) == 1


def test_every_public_view_says_what_it_is_and_every_metric_what_it_means(filled: Store) -> None:
    views = dict(
        query(
            filled,
            "SELECT view_name, comment FROM duckdb_views() WHERE schema_name = 'main' AND NOT internal",
        )
    )
    assert set(views) == set(PUBLIC_VIEWS)
    assert all(views.values())
    comments = dict(
        query(filled, "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'results'")
    )
    assert all(metric.definition in comments[metric.name] for metric in METRICS)
