"""Records of tasks that were never run, and stores to put them in."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from effdsl_registry.records import Identity, Provenance, Record
from effdsl_registry.store import Store
from hypothesis import settings

from effdsl.key import key_of

settings.register_profile("no deadline", deadline=None)  # a busy machine is no failure
settings.load_profile("no deadline")

MakeRecord = Callable[..., Record]


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def record(number: int = 0, *, minute: int = 1, **changes: Any) -> Record:
    """The record of task ``number``; three tasks are one cell. ``minute`` is when the attempt finished."""
    canonical = json.dumps({"$": "task", "number": number})
    values: dict[str, Any] = {
        "key": key_of(canonical),
        "cell": digest(f"cell {number // 3}"),
        "lineage": digest(f"lineage {number}"),
        "canonical": canonical,
        "attempt": uuid.uuid4().hex,
        "outcome": "ok",
        "identity": Identity(
            stage="pretraining", technique=f"T{number // 3}", scale="3M", seed=number % 3, engine_version=1
        ),
        "metrics": {"ppl": 50.0 + number, "amu_gb": 1.5},
        "missing": {"aec_w": "no power meter"},
        "provenance": Provenance(
            started_at="2026-01-01T00:00:00+00:00",
            finished_at=f"2026-01-01T00:{minute:02}:00+00:00",
        ),
        "curves": {"train": [(1, 7.5), (2, 6.25)], "held_out": [(2, 6.5)]},
    }
    return Record(**(values | changes))


@pytest.fixture
def make_record() -> MakeRecord:
    return record


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", patience_s=5.0)


@pytest.fixture
def filled(store: Store, filled_once: Path) -> Store:
    """A store with six tasks in two cells, indexed, the first with tables and a code set beside it."""
    shutil.copytree(filled_once, store.root)
    for path in store.code_sets.folder.iterdir():
        os.utime(path)  # as just written: an old one that no record names would be garbage
    return store


@pytest.fixture(scope="session")
def filled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of ``filled``, to copy: an index takes longer to make than to copy."""
    store = Store(tmp_path_factory.mktemp("filled") / "store")
    code = store.code_sets.keep({"effdsl.training": digest("training")})
    provenance = attrs.evolve(record().provenance, code=code)
    store.write(
        record(0, provenance=provenance),
        {"step": [1, 2], "seconds": [0.5, 0.25]},
        {"t_ns": [10, 20], "power_w": [None, 3.5]},
    )
    for number in range(1, 6):
        store.write(record(number), None, None)
    store.ingest()
    return store.root
