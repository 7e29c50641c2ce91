"""Writing, indexing and finding results."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import re
from pathlib import Path
from typing import Any

import attrs
import duckdb
import pytest
from effdsl_registry.errors import StoreDamaged, StoreNewer, UnknownKey
from effdsl_registry.files import write_parquet
from effdsl_registry.ingest import insert_files
from effdsl_registry.records import Identity, Provenance, from_json
from effdsl_registry.store import Store, StudyTask


def query(store: Store, sql: str) -> list[tuple[Any, ...]]:
    with store.reading() as connection:
        return connection.execute(sql).fetchall()


@pytest.mark.slow
def test_opening_and_asking_creates_nothing(store: Store) -> None:
    assert store.count() == 0
    assert store.known(["a" * 64]).results == {}
    assert store.running() == []
    assert query(store, "FROM results") == query(store, "FROM cells") == []
    assert not store.root.exists()


def test_a_written_record_is_found_by_its_file_before_and_after_it_is_indexed(
    store: Store, make_record: Any
) -> None:
    record = make_record(1)
    path = store.write(record, None, None)
    assert path == store.root / "records" / record.key[:2] / record.key / f"{record.attempt}.json"
    assert not store.index.exists()
    assert store.record(record.key[:8]) == record
    assert store.ingest([path]) == 1
    assert store.record(record.key[:8]) == record
    assert store.attempts(record.key) == {record.attempt}


def test_known_answers_keys_lineages_and_code_in_one_go(store: Store, make_record: Any) -> None:
    code = {"effdsl.training": "a" * 64, "effdsl_runtime.recording.metric_values": "b" * 64}
    name = store.code_sets.keep(code)
    first = make_record(1, provenance=attrs.evolve(make_record().provenance, code=name, duration_s=7.0))
    bare = make_record(3)
    for record in (first, make_record(2), bare):
        store.write(record, None, None)
    store.ingest()
    known = store.known([first.key, bare.key, "0" * 64], [first.lineage, "0" * 64])
    assert set(known.results) == {first.key, bare.key}
    result = known.results[first.key]
    assert (result.outcome, result.canonical, result.duration_s) == ("ok", first.canonical, 7.0)
    assert known.code[result.code] == code
    assert known.code[known.results[bare.key].code] == {}
    assert known.engine_versions == {first.lineage: 1}


def test_a_record_left_by_a_killed_process_is_indexed_by_the_next_reader(
    filled: Store, make_record: Any
) -> None:
    filled.write(make_record(7), None, None)  # and the process died before it could ingest
    assert filled.count() == 7
    assert filled.journal.read().attempts == ()


def test_an_up_to_date_store_is_not_written_to_by_readers(filled: Store, make_record: Any) -> None:
    def state() -> dict[str, tuple[int, int]]:
        return {str(p): (p.stat().st_mtime_ns, p.stat().st_size) for p in filled.root.rglob("*")}

    filled.remember_study("s", "s.py", [])
    before = state()
    filled.known([make_record(1).key])
    filled.count()
    filled.ingest()
    filled.remember_study("s", "s.py", [])
    assert state() == before


def test_indexing_twice_adds_nothing(filled: Store) -> None:
    assert filled.ingest(list(filled.record_files())) == 0
    assert query(filled, "SELECT count(*), count(DISTINCT attempt) FROM attempts") == [(6, 6)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"format": 1, "key": "',
        b"\xff\xfe\x00\x01",
        b"[1, 2]",
        b'{"format": 1}',
        b"null",
        b"\n\n",
        b"}",
        b"{} {}\n",
        b'"\xff"\n',
        b'"\0"\n',
        b'{"format": 1, "identity": 3, "provenance": []}\n',
    ],
)
def test_a_damaged_record_stops_no_other_and_is_logged(
    content: bytes, store: Store, make_record: Any, caplog: pytest.LogCaptureFixture
) -> None:
    damaged = store.write(make_record(1), None, None)
    damaged.write_bytes(content)
    store.write(make_record(2), None, None)
    with caplog.at_level(logging.WARNING):
        assert store.ingest() == 1
    assert damaged.stem in caplog.text
    assert query(store, "SELECT technique, seed FROM results") == [("T0", 2)]
    assert store.journal.read().attempts == ()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("said", "says"),
    [
        ('"format":1', '"format":"one"'),
        ('"identity":{', '"identity":[{}],"x":{'),
        ('"stage":"pretraining"', '"stage":null'),
        ('"finished_at":"2026', '"finished_at":"long ago'),
        ('"outcome":"ok"', '"outcome":null'),
        ('"code":""', '"code":{"effdsl.training":"0"}'),
    ],
)
def test_a_record_of_a_wrong_type_stops_no_other_and_is_logged(
    said: str, says: str, store: Store, make_record: Any, caplog: pytest.LogCaptureFixture
) -> None:
    damaged = store.write(make_record(1), None, None)
    assert said in damaged.read_text()
    damaged.write_text(damaged.read_text().replace(said, says))
    store.write(make_record(2), None, None)
    with caplog.at_level(logging.WARNING):
        assert store.ingest() == 1
    assert caplog.text.count("damaged") == 1
    assert damaged.stem in caplog.text
    assert query(store, "SELECT technique, seed FROM results") == [("T0", 2)]


def test_a_record_under_a_foreign_name_is_left_out(store: Store, make_record: Any) -> None:
    path = store.write(make_record(1), None, None)
    path.rename(path.with_name("0" * 32 + ".json"))
    assert store.ingest(list(store.record_files())) == 0


def test_a_record_that_an_editor_broke_into_lines_is_indexed(store: Store, make_record: Any) -> None:
    path = store.write(make_record(1, artifacts={"sample": "two\nlines\tand é"}), None, None)
    path.write_bytes(path.read_bytes().replace(b',"', b',\r\n\t"'))
    assert store.ingest() == 1
    assert query(store, "SELECT sample FROM results") == [("two\nlines\tand é",)]


def test_a_long_sample_is_indexed_whole(store: Store, make_record: Any) -> None:
    store.write(make_record(1, artifacts={"sample": "x" * 3_000_000}), None, None)
    assert store.ingest() == 1
    assert query(store, "SELECT length(sample) FROM results") == [(3_000_000,)]


def test_more_records_than_a_batch_are_indexed(
    store: Store, make_record: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("effdsl_registry.ingest.BATCH", 4)
    for number in range(11):
        store.write(make_record(number), None, None)
    assert store.ingest() == 11


@pytest.mark.slow
def test_code_sets_are_kept_once_and_indexed_with_the_first_record_that_names_them(
    store: Store, make_record: Any
) -> None:
    training, metrics = {"effdsl.training": "a" * 64}, {"effdsl_runtime.recording.metric_values": "b" * 64}
    names = [store.code_sets.keep(code) for code in (training, metrics, training)]
    assert names[0] == names[2]
    assert {path.stem for path in store.code_sets.files()} == set(names)
    path = store.code_sets.file(names[0])
    assert hashlib.sha256(path.read_bytes()).hexdigest() == names[0]
    assert json.loads(path.read_bytes()) == training
    for number, name in enumerate(names):
        provenance = attrs.evolve(make_record().provenance, code=name)
        store.ingest([store.write(make_record(number, provenance=provenance), None, None)])
    assert query(store, "FROM code ORDER BY module") == [
        (names[0], "effdsl.training", "a" * 64),
        (names[1], "effdsl_runtime.recording.metric_values", "b" * 64),
    ]
    path.write_bytes(b"")
    assert store.code_sets.keep(training) == names[0]
    assert store.code_sets.read(names[0]) == training


def test_a_record_without_its_code_set_is_indexed_and_the_set_that_is_missing_logged(
    store: Store, make_record: Any, caplog: pytest.LogCaptureFixture
) -> None:
    provenance = attrs.evolve(make_record().provenance, code="c" * 64)
    store.write(make_record(1, provenance=provenance), None, None)
    with caplog.at_level(logging.WARNING):
        assert store.ingest() == 1
    assert f"{'c' * 64}.json" in caplog.text
    assert query(store, "FROM code") == []


def test_a_study_is_remembered_in_the_order_of_its_plan_and_replaced_whole(
    filled: Store, make_record: Any
) -> None:
    def task(number: int) -> StudyTask:
        record = make_record(number)
        return StudyTask(record.key, record.cell, record.identity.technique, "3M")

    filled.remember_study("small/attention", "a.py", [task(2), task(0), task(1)])
    filled.remember_study("other", "b.py", [task(0)])
    filled.remember_study("small/attention", "a.py", [task(4), task(3)])
    rows = query(filled, "SELECT study, file, place, key FROM study_tasks ORDER BY study DESC, place")
    assert rows == [
        ("small/attention", "a.py", 0, make_record(4).key),
        ("small/attention", "a.py", 1, make_record(3).key),
        ("other", "b.py", 0, make_record(0).key),
    ]


def test_a_prefix_that_names_no_result_or_several_is_refused(store: Store, make_record: Any) -> None:
    records = [make_record(number) for number in range(17)]  # seventeen keys on sixteen first digits
    for record in records:
        store.write(record, None, None)
    firsts = [record.key[0] for record in records]
    for nobodys in ("zz", "", "**", "/", "../", "[", "\0"):
        with pytest.raises(UnknownKey, match="no result"):
            store.record(nobodys)
    with pytest.raises(UnknownKey, match="more digits"):
        store.record(max(firsts, key=firsts.count))


def test_tables_keep_types_and_order_and_have_null_for_what_is_not_finite(tmp_path: Path) -> None:
    table = {
        "n": [3, 1, None],
        "x": [0.5, math.nan, 2.0],
        "flag": [True, None, False],
        "why": ["a", "'", None],
    }
    write_parquet(tmp_path / "t.parquet", table)
    relation = duckdb.sql(f"FROM '{tmp_path}/t.parquet'")
    assert list(map(str, relation.types)) == ["BIGINT", "DOUBLE", "BOOLEAN", "VARCHAR"]
    assert relation.fetchall() == [(3, 0.5, True, "a"), (1, None, None, "'"), (None, 2.0, False, None)]


def test_an_index_of_a_newer_effdsl_is_refused(filled: Store) -> None:
    with filled.writing() as connection:
        connection.execute("UPDATE internal.meta SET schema_version = 99")
    with pytest.raises(StoreNewer, match=r"schema 99.*update effdsl"):
        filled.count()
    with pytest.raises(StoreNewer), filled.writing():
        pass


@pytest.mark.parametrize("damage", [b"", b"not a database" * 400])
def test_an_index_that_is_no_database_is_refused_with_the_remedy(damage: bytes, filled: Store) -> None:
    filled.index.write_bytes(damage)
    with pytest.raises(StoreDamaged, match="effdsl store rebuild"):
        filled.count()


def test_a_database_without_our_tables_does_not_count_as_an_empty_store(filled: Store) -> None:
    filled.index.unlink()
    duckdb.connect(str(filled.index)).close()
    with pytest.raises(StoreDamaged, match="effdsl store rebuild"):
        filled.count()


def test_a_missing_index_is_made_anew_by_the_next_reader(filled: Store) -> None:
    rows = query(filled, "FROM results ORDER BY key")
    filled.index.unlink()
    assert query(filled, "FROM results ORDER BY key") == rows


def test_the_store_is_found_where_people_expect_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / "project" / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.delenv("EFFDSL_STORE", raising=False)
    monkeypatch.chdir(deep)
    (tmp_path / "project" / "studies").mkdir()
    assert Store.find().root == tmp_path / "project" / ".effdsl"
    (tmp_path / "project" / "a" / ".effdsl").mkdir()
    assert Store.find().root == tmp_path / "project" / "a" / ".effdsl"
    monkeypatch.setenv("EFFDSL_STORE", str(tmp_path / "named"))
    assert Store.find().root == tmp_path / "named"
    assert Store.find(Path("here")).root == Path("here")


def test_an_unreadable_batch_leaves_the_index_as_it_was(filled: Store, make_record: Any) -> None:
    path = filled.write(make_record(8), None, None)
    with pytest.raises(RuntimeError), filled.writing() as connection:
        insert_files(connection, failing_after(str(path)), filled.code_sets)
    assert query(filled, "SELECT count(*) FROM attempts") == [(7,)]  # the reader has indexed it, once


def failing_after(path: str) -> Any:
    yield path
    raise RuntimeError


def test_the_record_file_is_what_was_written(filled: Store) -> None:
    for path in filled.record_files():
        record = from_json(path.read_bytes())
        assert (record.key, record.attempt) == (path.parent.name, path.stem)
        assert re.fullmatch(r"[^\n]+\n", path.read_text())
        assert not [name for name in os.listdir(path.parent) if name.endswith(".tmp")]


def test_the_newest_good_results_of_each_hardware_are_given_with_their_times(
    store: Store, make_record: Any
) -> None:
    def on(hardware: str, number: int, minute: int, outcome: str = "ok") -> Any:
        started = "2026-01-01T00:00:00+00:00"
        return make_record(
            number,
            outcome=outcome,
            identity=Identity(stage="pretraining", technique="T", hardware=hardware),
            metrics={"time_to_finish_s": float(number)},
            provenance=Provenance(
                started_at=started, finished_at=f"2026-01-01T00:{minute:02}:00+00:00", duration_s=number + 0.5
            ),
        )

    records = [on("a", 1, 1), on("a", 2, 2), on("a", 3, 3), on("b", 4, 1), on("b", 5, 2, "oom")]
    assert store.finished() == []
    store.ingest([store.write(record, None, None) for record in records])
    found = {(r.duration_s, r.training_s, r.memory_gb) for r in store.finished(newest=2)}
    assert found == {(2.5, 2.0, None), (3.5, 3.0, None), (4.5, 4.0, None)}
