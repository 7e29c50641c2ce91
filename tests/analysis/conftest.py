"""A store that a test fills with results in a line each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
from effdsl_registry.records import Identity, Provenance, Record
from effdsl_registry.store import Store, StudyTask

from effdsl.metrics import BY_NAME

IDENTITY = Identity(
    stage="pretraining",
    technique="MHA",
    attention="MHA",
    position="RoPE",
    scale="3M",
    parameters=3_000_000,
    hardware="AMD EPYC x2",
    dtype="bfloat16",
    data="Shakespeare",
    data_revision="abc",
    tokenizer="BPE",
    vocab_size=2048,
    context_length=256,
    batch_size=8,
    micro_batch_size=8,
    steps=300,
    tokens=614_400,
    layers=4,
    hidden_size=256,
    heads=8,
    engine="torch",
    engine_version=1,
)


def digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


@attrs.define
class Shelf:
    """A store under construction."""

    root: Path
    _tasks: dict[str, list[StudyTask]] = attrs.field(factory=dict)

    @property
    def store(self) -> Store:
        """The store with everything added so far."""
        store = Store(self.root)
        for name, tasks in self._tasks.items():
            store.remember_study(name, f"studies/{name}.py", tasks)
        return store

    def task(self, study: str, technique: str, seed: int = 0) -> None:
        """A task of a study, without a result."""
        key = digest("task", study, technique, seed)
        self._tasks.setdefault(study, []).append(StudyTask(key, digest(key), technique, "3M"))

    def add(
        self,
        technique: str = "MHA",
        *,
        study: str = "",
        called: str = "",
        kernel: str = "sdpa",
        outcome: str = "ok",
        reason: str = "",
        missing: Mapping[str, str] | None = None,
        meter_scope: str = "",
        evidence: str = "measured",
        canonical: str = "",
        **columns: Any,
    ) -> str:
        """One result: identity columns and metrics by name; returns its key.

        ``called`` is what its study calls it, where that is not the technique's own name.
        """
        metrics = {name: columns.pop(name) for name in list(columns) if name in BY_NAME}
        identity = attrs.evolve(IDENTITY, technique=technique, attention=technique, **columns)
        cell = digest(evidence, *attrs.astuple(attrs.evolve(identity, seed=0)))
        key = digest(cell, identity.seed)
        record = Record(
            key=key,
            cell=cell,
            lineage=digest("lineage", key),
            canonical=canonical or json.dumps({"$": "task", "cell": {"technique": technique}}),
            attempt=digest("attempt", key)[:32],
            outcome=outcome,
            reason=reason,
            evidence=evidence,
            identity=identity,
            metrics={name: value for name, value in metrics.items() if value is not None},
            missing=dict(missing or {}),
            provenance=Provenance(
                started_at="2026-01-01T00:00:00+00:00",
                finished_at="2026-01-01T00:01:00+00:00",
                meter_scope=meter_scope,
                kernel=kernel,
                libraries={"torch": "2.13.0"},
            ),
        )
        Store(self.root).write(record, None, None)
        if study:
            self._tasks.setdefault(study, []).append(
                StudyTask(key, cell, called or technique, identity.scale)
            )
        return key

    def repeats(self, technique: str, *, seeds: Sequence[int] = (), **metrics: Any) -> list[str]:
        """One result per seed (0, 1, … by default); a sequence as a metric gives each its own value."""
        lengths = {len(value) for value in metrics.values() if isinstance(value, list)}
        (n,) = lengths or {len(seeds)}
        return [
            self.add(
                technique,
                seed=seed,
                **{name: value[i] if isinstance(value, list) else value for name, value in metrics.items()},
            )
            for i, seed in enumerate(seeds or range(n))
        ]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """An empty store to fill."""
    return Shelf(tmp_path / "store")
