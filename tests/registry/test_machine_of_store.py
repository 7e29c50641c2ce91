"""Any order of writing, indexing, killing, damaging and repairing, compared with a dictionary."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from effdsl_registry.index import rebuild
from effdsl_registry.maintenance import collect, garbage
from effdsl_registry.records import Identity, Provenance, Record
from effdsl_registry.store import Store
from effdsl_registry.verify import verify
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from effdsl.key import key_of


class StoreMachine(RuleBasedStateMachine):
    """The model: every attempt that was written, by key, the latest last."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.store = Store(self.folder / "store", patience_s=5.0)
        self.model: dict[str, list[Record]] = {}
        self.clock = 0

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @rule(number=st.integers(0, 4), outcome=st.sampled_from(["ok", "failed", "oom"]), tables=st.booleans())
    def write(self, number: int, outcome: str, tables: bool) -> None:
        self.clock += 1
        canonical = json.dumps({"number": number})
        record = Record(
            key=key_of(canonical),
            cell="c" * 64,
            lineage="d" * 64,
            canonical=canonical,
            attempt=f"{self.clock:032x}",
            outcome=outcome,
            identity=Identity(stage="pretraining", technique="MHA", seed=number),
            metrics={"ppl": float(self.clock)},
            provenance=Provenance(
                started_at="2026-01-01T00:00:00",
                finished_at=f"2026-01-01T{self.clock // 60:02}:{self.clock % 60:02}:00",
            ),
        )
        self.store.write(record, {"step": [1, 2]} if tables else None, None)
        self.model.setdefault(record.key, []).append(record)

    @rule()
    def ingest(self) -> None:
        self.store.ingest()

    @rule()
    def rebuild(self) -> None:
        rebuild(self.store)

    @rule()
    def lose_the_index(self) -> None:
        self.store.index.unlink(missing_ok=True)

    @precondition(lambda self: self.store.index.exists())
    @rule()
    def damage_the_index(self) -> None:
        self.store.index.write_bytes(b"damaged" * 1000)
        rebuild(self.store)

    @rule()
    def die_before_the_record_is_in_place(self) -> None:
        """What a process that is killed between its note and its record leaves behind."""
        with self.store.journal.noting("e" * 64, "f" * 32):
            pass

    @rule()
    def collect(self) -> None:
        collect(self.store, garbage(self.store))
        self.model = {key: attempts[-1:] for key, attempts in self.model.items()}

    @rule()
    def look(self) -> None:
        known = self.store.known([*self.model, "0" * 64]).results
        assert {key: (r.outcome, r.attempt) for key, r in known.items()} == {
            key: (attempts[-1].outcome, attempts[-1].attempt) for key, attempts in self.model.items()
        }
        with self.store.reading() as connection:
            results: list[Any] = connection.execute("SELECT key, attempt, ppl FROM results").fetchall()
            indexed: list[Any] = connection.execute("SELECT attempt FROM attempts").fetchall()
        assert sorted(results) == sorted(
            (k, a[-1].attempt, a[-1].metrics["ppl"]) for k, a in self.model.items()
        )
        assert sorted(indexed) == sorted((r.attempt,) for a in self.model.values() for r in a)
        for key, written in self.model.items():
            assert self.store.record(key) == written[-1]

    @rule()
    def verify(self) -> None:
        verdict = verify(self.store)
        assert verdict.findings == ()
        assert verdict.records == sum(map(len, self.model.values()))


StoreMachine.TestCase.settings = settings(
    max_examples=12, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.slow
class TestStoreMachine(StoreMachine.TestCase):
    """The store answers as the dictionary does, whatever happened before."""
