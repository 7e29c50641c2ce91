"""What tasks leave is whole or absent, checked before it is handed out, and removed when nothing needs it."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from effdsl_registry.checkpoints import Checkpoints, hashes_in
from effdsl_registry.errors import StoreError
from effdsl_registry.maintenance import checkpoints, collect, garbage
from effdsl_registry.records import Record
from effdsl_registry.store import Store
from effdsl_registry.verify import verify
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

KEY = "ab" * 32


def left(store: Checkpoints, attempt: str, **files: bytes) -> dict[str, str]:
    """The files of an attempt, kept; their hashes."""
    folder = store.unfinished(KEY, attempt)
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    hashes = hashes_in(folder)
    store.keep(KEY, attempt)
    return hashes


def test_a_later_attempt_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path / "artifacts")
    left(store, "first", weights=b"old", only_here=b"x")
    files = left(store, "second", weights=b"new", parts__more=b"y")
    assert sorted(files) == ["parts/more", "weights"]
    assert {path.name for path in store.of(KEY).iterdir()} == {"parts", "weights"}
    assert store.left_unfinished() == []
    store.check_out(KEY, files, tmp_path / "out")
    assert (tmp_path / "out" / "weights").read_bytes() == b"new"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=40), st.binary(max_size=40))
def test_every_change_of_a_file_is_damage(tmp_path: Path, content: bytes, changed: bytes) -> None:
    """Examples take each other's place under one key."""
    store = Checkpoints(tmp_path / "artifacts")
    files = left(store, "one", weights=content)
    assert list(store.damage(KEY, files)) == []
    (store.of(KEY) / "weights").write_bytes(changed)
    expected = [] if changed == content else ["is not the file that was written"]
    assert [what for _, what in store.damage(KEY, files)] == expected


def test_damaged_or_missing_files_are_not_handed_out(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path / "artifacts")
    files = left(store, "one", weights=b"w", config=b"c")
    (store.of(KEY) / "config").unlink()
    with pytest.raises(StoreError, match="config: is gone"):
        store.check_out(KEY, files, tmp_path / "out")
    shutil.rmtree(store.of(KEY))
    with pytest.raises(StoreError, match="were removed; `effdsl execute STUDY --retry ok`"):
        store.check_out(KEY, files, tmp_path / "out")
    (tmp_path / "out").mkdir()
    with pytest.raises(StoreError, match="exists already"):
        store.check_out(KEY, files, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


BASE_KEY = "ba" * 32


@pytest.mark.parametrize(
    ("revision", "named"),
    [(BASE_KEY, "artifacts"), ("cd" * 32, "before"), ("main", "before"), ("", "before"), (None, "before")],
    ids=["a task here", "a task that is not here", "of the hub", "none", "null"],
)
def test_an_adapter_that_is_handed_out_names_its_base_where_that_is_now(
    tmp_path: Path, revision: str | None, named: str
) -> None:
    """A task's by its key, wherever the store has been moved to; any other is left as it was written."""
    store = Checkpoints(tmp_path / "artifacts")
    store.of(BASE_KEY).mkdir(parents=True)
    said = {"r": 4, "base_model_name_or_path": "before", "revision": revision}
    folder = store.unfinished(KEY, "one")
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(json.dumps(said), encoding="utf-8")
    store.keep(KEY, "one")
    store.check_out(KEY, hashes_in(store.of(KEY)), tmp_path / "out")
    found = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    base = {"artifacts": str(tmp_path / "artifacts" / BASE_KEY), "before": "before"}[named]
    assert found == said | {"base_model_name_or_path": base}
    assert json.loads((store.of(KEY) / "adapter_config.json").read_text()) == said, "the store's own stays"


def test_what_nothing_needs_is_collected_and_the_rest_when_it_is_asked_for(tmp_path: Path) -> None:
    """Folders of no record, and of attempts that were killed, once they are a minute old."""
    store = Store(tmp_path / "store")
    left(store.checkpoints, "one", weights=bytes(1000))
    unfinished = store.checkpoints.unfinished("cd" * 32, "two")
    unfinished.mkdir(parents=True)
    assert garbage(store) == []
    for folder in (store.checkpoints.of(KEY), unfinished):
        os.utime(folder, (time.time() - 100,) * 2)
    found = garbage(store)
    assert [(item.path, item.size) for item in found] == [(store.checkpoints.of(KEY), 1000), (unfinished, 0)]
    collect(store, found)
    assert list(store.checkpoints.folder.iterdir()) == []
    left(store.checkpoints, "three", weights=bytes(10))
    collect(store, checkpoints(store))
    assert list(store.checkpoints.folder.iterdir()) == []


def test_older_files_that_a_killed_process_did_not_remove_stop_no_later_attempt(tmp_path: Path) -> None:
    """It was killed after the last move, when those it replaced stood aside."""
    store = Checkpoints(tmp_path / "artifacts")
    left(store, "first", weights=b"old")
    shutil.copytree(store.of(KEY), store.unfinished(KEY, "older"))
    left(store, "second", weights=b"new")
    assert (store.of(KEY) / "weights").read_bytes() == b"new"
    assert store.left_unfinished() == []


def test_files_are_held_to_the_record_of_the_last_attempt_that_left_any(
    tmp_path: Path, make_record: Callable[..., Record]
) -> None:
    """An earlier attempt's were replaced, which is no damage; one that failed later left none."""
    store = Store(tmp_path / "store")
    for minute, content in ((1, b"first"), (2, b"second"), (3, b"")):
        record = make_record(minute=minute, outcome="ok" if content else "oom")
        if content:
            folder = store.checkpoints.unfinished(record.key, record.attempt)
            folder.mkdir(parents=True)
            (folder / "weights").write_bytes(content)
            record = attrs.evolve(record, files=hashes_in(folder))
            store.checkpoints.keep(record.key, record.attempt)
        store.ingest([store.write(record, None, None)])
    assert verify(store).findings == ()
    (store.checkpoints.of(record.key) / "weights").write_bytes(b"first")
    assert [found.what for found in verify(store).findings] == ["is not the file that was written"]
