"""An in-memory database with the public views of a store, filled by each test."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import duckdb
import pytest

from effdsl.metrics import METRICS

IDENTITY: dict[str, Any] = {
    "stage": "pretraining",
    "technique": "MHA",
    "attention": "MHA",
    "position": "RoPE",
    "scale": "3M",
    "parameters": 3_000_000,
    "seed": 0,
    "hardware": "AMD EPYC x2",
    "hardware_count": 1,
    "dtype": "bfloat16",
    "data": "Shakespeare",
    "data_revision": "abc",
    "tokenizer": None,
    "vocab_size": 2048,
    "context_length": 256,
    "batch_size": 8,
    "micro_batch_size": 8,
    "steps": 300,
    "tokens": 614_400,
    "layers": 4,
    "hidden_size": 256,
    "heads": 8,
    "engine": "torch",
    "engine_version": 1,
    "evidence": "measured",
    "meter_scope": "",
}

TYPES = {str: "VARCHAR", int: "BIGINT", float: "DOUBLE", type(None): "VARCHAR"}

AddResult = Callable[..., str]


def digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


@pytest.fixture
def views() -> duckdb.DuckDBPyConnection:
    """Tables with the names and columns of the store's public views, without rows."""
    con = duckdb.connect(config={"threads": 1})
    identity = ", ".join(f'"{name}" {TYPES[type(value)]}' for name, value in IDENTITY.items())
    values = ", ".join(f"{metric.name} DOUBLE" for metric in METRICS)
    con.execute(
        f"CREATE TABLE results (key VARCHAR, cell VARCHAR, outcome VARCHAR, reason VARCHAR, {identity}, {values},"
        " missing MAP(VARCHAR, VARCHAR))"
    )
    con.execute(
        "CREATE TABLE study_tasks (study VARCHAR, key VARCHAR, cell VARCHAR, technique VARCHAR, scale VARCHAR)"
    )
    con.execute(
        "CREATE TABLE metrics (name VARCHAR, label VARCHAR, unit VARCHAR, better VARCHAR, definition VARCHAR)"
    )
    con.executemany(
        "INSERT INTO metrics VALUES (?, ?, ?, ?, ?)",
        [[m.name, m.label, m.unit, m.better.value, m.definition] for m in METRICS],
    )
    columns = ", ".join(metric.name for metric in METRICS)
    con.execute(
        "CREATE VIEW measurements AS SELECT key, cell, seed, metric, value FROM"
        f" (UNPIVOT (FROM results WHERE outcome = 'ok') ON {columns} INTO NAME metric VALUE value)"
        " WHERE isfinite(value)"
    )
    return con


@pytest.fixture
def add(views: duckdb.DuckDBPyConnection) -> AddResult:
    """Insert one result: identity columns, metrics and outcome by name; returns its key."""

    def insert(
        *, study: str = "", outcome: str = "ok", reason: str = "", missing: Any = None, **columns: Any
    ) -> str:
        identity = {name: columns.pop(name, value) for name, value in IDENTITY.items()}
        cell = digest(*(value for name, value in identity.items() if name not in ("seed", "meter_scope")))
        key = digest(cell, identity["seed"])
        row = {"key": key, "cell": cell, "outcome": outcome, "reason": reason, **identity, **columns}
        names = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join("?" for _ in row)
        pairs = [list(pair) for pair in zip(*(missing or {}).items(), strict=True)] or [[], []]
        views.execute(
            f"INSERT INTO results ({names}, missing) VALUES ({marks}, map(?::VARCHAR[], ?::VARCHAR[]))",
            [*row.values(), *pairs],
        )
        if study:
            views.execute(
                "INSERT INTO study_tasks VALUES (?, ?, ?, ?, ?)",
                [study, key, cell, identity["technique"], identity["scale"]],
            )
        return key

    return insert


@pytest.fixture
def repeats(add: AddResult) -> Callable[..., None]:
    """Insert one result per value of ``metric``, seeds 0, 1, 2, …"""

    def insert(technique: str, metric: str, values: Sequence[float | None], **columns: Any) -> None:
        for seed, value in enumerate(values):
            add(technique=technique, seed=seed, **{metric: value}, **columns)

    return insert
