"""Verify, rebuild, back up, clean."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from effdsl_registry.errors import StoreError
from effdsl_registry.index import rebuild
from effdsl_registry.maintenance import backup, collect, garbage
from effdsl_registry.store import Store, StudyTask
from effdsl_registry.verify import verify


def all_rows(store: Store) -> list[Any]:
    with store.reading() as connection:
        return [
            connection.execute(f"FROM {view} ORDER BY ALL").fetchall()
            for view in ("attempts", "measurements", "loss_curves", "study_tasks", "code")
        ]


def findings(store: Store) -> dict[str, str]:
    return {found.path.name: found.what for found in verify(store).findings}


def aged(path: Path) -> Path:
    os.utime(path, (time.time() - 3600,) * 2)
    return path


def test_a_whole_store_has_nothing_to_find(filled: Store) -> None:
    verdict = verify(filled)
    assert (verdict.records, verdict.findings) == (6, ())


@pytest.mark.slow
def test_rebuilding_a_damaged_index_brings_every_row_back(filled: Store, make_record: Any) -> None:
    filled.remember_study("small/attention", "a.py", [StudyTask(make_record(1).key, "b" * 64, "MHA", "3M")])
    before = all_rows(filled)
    content = bytearray(filled.index.read_bytes())
    content[4096 : len(content) // 2] = os.urandom(len(content) // 2 - 4096)
    filled.index.write_bytes(content)
    filled.index.with_name("index.duckdb.wal").write_bytes(b"a log that belongs to another database")
    assert "index.duckdb" in findings(filled)
    assert rebuild(filled) == 6
    assert all_rows(filled) == before
    assert findings(filled) == {}


def test_a_record_that_was_changed_after_it_was_indexed_is_found(filled: Store, make_record: Any) -> None:
    path = next(filled.folder(make_record(1).key).glob("*.json"))
    path.write_text(path.read_text().replace('"ppl":51.0', '"ppl":11.0'))
    assert findings(filled) == {path.name: "is not the file that was indexed"}


def test_a_task_that_was_changed_no_longer_has_its_key(filled: Store, make_record: Any) -> None:
    path = next(filled.folder(make_record(1).key).glob("*.json"))
    path.write_text(path.read_text().replace('\\"number\\": 1', '\\"number\\": 7'))
    rebuild(filled)
    assert findings(filled) == {path.name: "its key is not the hash of its task"}


@pytest.mark.parametrize("cut", [0, 100])
def test_a_record_that_was_cut_short_is_found(cut: int, filled: Store, make_record: Any) -> None:
    path = next(filled.folder(make_record(1).key).glob("*.json"))
    path.write_bytes(path.read_bytes()[:cut])
    assert any("not JSON" in found.what for found in verify(filled).findings)


def test_a_record_that_vanished_is_found(filled: Store, make_record: Any) -> None:
    path = next(filled.folder(make_record(1).key).glob("*.json"))
    path.unlink()
    assert findings(filled) == {path.name: "is in the index, but the file is gone"}


@pytest.mark.parametrize("before_the_listing", [True, False])
def test_a_record_that_is_written_while_the_store_is_verified_is_no_finding(
    before_the_listing: bool, filled: Store, make_record: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = Store.record_files

    def listed_while_somebody_writes(store: Store) -> Iterator[Path]:
        found = [] if before_the_listing else [*listed(store)]
        store.write(make_record(9), None, None)
        yield from found or listed(store)

    monkeypatch.setattr(Store, "record_files", listed_while_somebody_writes)
    assert findings(filled) == {}


@pytest.mark.slow
def test_a_record_that_was_copied_in_is_found_and_indexed_by_rebuilding(
    filled: Store, make_record: Any
) -> None:
    other = Store(filled.root.parent / "other")
    path = other.write(make_record(9), None, None)
    target = filled.record_file(path.parent.name, path.stem)
    target.parent.mkdir(parents=True)
    path.rename(target)
    assert findings(filled) == {target.name: "is not in the index"}
    assert rebuild(filled) == 7
    assert findings(filled) == {}


def test_a_table_that_cannot_be_read_or_has_no_record_is_found(filled: Store) -> None:
    iterations = next(filled.root.rglob("*.iterations.parquet"))
    iterations.write_bytes(b"PAR1 is not all there is to it")
    stray = iterations.with_name("0.samples.parquet")
    next(filled.root.rglob("*.samples.parquet")).rename(stray)
    found = findings(filled)
    assert "cannot be read" in found[iterations.name]
    assert found[stray.name] == "belongs to no record"


def test_a_code_set_that_vanished_or_was_changed_is_found(filled: Store) -> None:
    path = next(filled.code_sets.files())
    path.write_text("{}")
    assert findings(filled) == {path.name: "its name is not the hash of its content"}
    path.unlink()
    assert findings(filled) == {path.name: "is gone: the code set of a record"}


def test_a_code_set_that_no_record_names_is_garbage_once_it_is_old(filled: Store, make_record: Any) -> None:
    kept = {path: aged(path) for path in filled.code_sets.files()}
    unnamed = filled.code_sets.file(filled.code_sets.keep({"old": "a" * 64}))
    assert garbage(filled) == []
    copied_in = filled.code_sets.file(filled.code_sets.keep({"from elsewhere": "b" * 64}))
    provenance = attrs.evolve(make_record().provenance, code=copied_in.stem)
    filled.write(make_record(9, provenance=provenance), None, None)
    filled.journal.path.write_bytes(b"")
    aged(copied_in)
    aged(unnamed)
    found = garbage(filled)
    assert {item.path for item in found} == {unnamed}
    collect(filled, found)
    assert {*filled.code_sets.files()} == {*kept, copied_in}
    filled.code_sets.keep({"old": "a" * 64})
    assert garbage(filled) == []


@pytest.mark.slow
def test_a_backup_is_a_store_with_the_same_rows(filled: Store, tmp_path: Path, make_record: Any) -> None:
    filled.remember_study("s", "s.py", [StudyTask(make_record(1).key, "b" * 64, "MHA", "3M")])
    assert backup(filled, tmp_path / "copy") == 6
    assert all_rows(Store(tmp_path / "copy")) == all_rows(filled)
    assert findings(Store(tmp_path / "copy")) == {}
    assert {p.name for p in (tmp_path / "copy").rglob("*.parquet")} == {
        p.name for p in filled.root.rglob("*.parquet")
    }


def test_a_backup_overwrites_nothing_and_needs_something_to_copy(filled: Store, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    with pytest.raises(StoreError, match="exists already"):
        backup(filled, tmp_path / "copy")
    with pytest.raises(StoreError, match="empty"):
        backup(Store(tmp_path / "nowhere"), tmp_path / "new")


def test_what_nothing_needs_is_listed_and_removed_when_asked(filled: Store, make_record: Any) -> None:
    older = next(filled.folder(make_record(0).key).glob("*.json"))
    filled.ingest([filled.write(make_record(0, minute=30), None, None)])
    unfinished = aged_file(older.parent / ".x.json.123.tmp")
    orphan = aged_file(older.parent / "0123.samples.parquet")
    log = aged_file(filled.root / "logs" / f"{'9' * 10}-{'8' * 32}.log")
    claim = aged_file(filled.root / "claims" / ("7" * 64))
    beside = {
        filled.iterations_file(older.parent.name, older.stem),
        filled.samples_file(older.parent.name, older.stem),
    }
    expected = {older, *beside, unfinished, orphan, log, claim}
    found = garbage(filled)
    assert {item.path for item in found} == expected
    assert all(path.exists() for path in expected)
    collect(filled, found)
    assert not any(path.exists() for path in expected)
    assert garbage(filled) == []
    assert findings(filled) == {}
    assert filled.count() == 6


def aged_file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("left behind", encoding="utf-8")
    return aged(path)


def test_what_a_running_task_is_writing_is_not_garbage(filled: Store) -> None:
    key = "5" * 64
    temporary = aged_file(filled.folder(key) / ".a.json.1.tmp")
    log = aged_file(filled.root / "logs" / f"{key[:10]}-{'8' * 32}.log")
    young = filled.folder("6" * 64) / ".b.json.1.tmp"
    young.parent.mkdir(parents=True)
    young.touch()
    with filled.claim(key):
        assert garbage(filled) == []
    assert {item.path for item in garbage(filled)} == {temporary, log}


def test_rebuilding_while_others_read_leaves_them_their_index(filled: Store) -> None:
    with filled.reading() as connection:
        rebuild(Store(filled.root))
        assert connection.execute("SELECT count(*) FROM results").fetchall() == [(6,)]
    assert filled.count() == 6
