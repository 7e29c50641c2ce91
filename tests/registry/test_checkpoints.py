"""What tasks leave is whole or absent, checked before it is handed out, and removed when nothing needs it."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from effdsl_registry.checkpoints import Checkpoints, hashes_in
from effdsl_registry.errors import StoreError
from effdsl_registry.maintenance import checkpoints, collect, garbage
from effdsl_registry.store import Store
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
