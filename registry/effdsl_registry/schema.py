"""The schema of the index: numbered migrations for its tables, and the public views over them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import attrs

from effdsl.key import SHOWN_DIGITS
from effdsl.metrics import METRICS, Metric
from effdsl.stages.stage import STAGES
from effdsl_registry import published
from effdsl_registry.errors import REBUILD, StoreDamaged, StoreNewer
from effdsl_registry.files import literal, quoted
from effdsl_registry.records import Identity

if TYPE_CHECKING:
    from pathlib import Path

    from duckdb import DuckDBPyConnection

PUBLIC_VIEWS = (
    "results",
    "attempts",
    "cells",
    "measurements",
    "metrics",
    "axes",
    "loss_curves",
    "decoding",
    "expert_shares",
    "examples",
    "time_to_loss",
    "items",
    "scores",
    "compression",
    "study_tasks",
    "code",
    "published",
    "claims",
)


@attrs.frozen
class Migration:
    """One step of the schema, forward only."""

    version: int
    sql: str


@cache
def migrations() -> tuple[Migration, ...]:
    """Every migration, oldest first."""
    steps = [f for f in files(__package__).joinpath("schema").iterdir() if f.name.endswith(".sql")]
    return tuple(
        Migration(int(step.name[:4]), step.read_text(encoding="utf-8"))
        for step in sorted(steps, key=lambda step: step.name)
    )


def is_current(connection: DuckDBPyConnection, steps: Sequence[Migration] | None = None) -> bool:
    """Whether tables and views were made by this effdsl.

    Raises:
        StoreNewer: when a newer effdsl wrote the index.
        StoreDamaged: when it is no index of ours.
    """
    version, views_digest = _stamp(connection)
    newest = (steps or migrations())[-1].version
    if version > newest:
        raise StoreNewer(
            f"the store has schema {version}, this effdsl knows up to {newest}; "
            "update effdsl, or give another --store"
        )
    return version == newest and views_digest == _views_digest()


def has_our_columns(connection: DuckDBPyConnection) -> bool:
    """Whether the tables are those of its version; those of an unreleased effdsl may differ."""
    import duckdb

    version, _ = _stamp(connection)
    with duckdb.connect() as fresh:
        for step in migrations():
            if step.version <= version:
                fresh.execute(step.sql)
        return _columns(connection) == _columns(fresh)


def create(connection: DuckDBPyConnection) -> None:
    """Make the tables and views in an empty database."""
    migrate(connection, migrations())


def migrate(connection: DuckDBPyConnection, steps: Sequence[Migration], backup: Path | None = None) -> None:
    """Bring tables and views up to date: each step whole or not at all, after a copy to ``backup``."""
    version = _stamp(connection)[0] if _has_tables(connection) else 0
    missing = [step for step in steps if step.version > version]
    if missing and version and backup is not None:
        copy_database(connection, backup)
    for step in missing:
        with transaction(connection):
            connection.execute(step.sql)
            connection.execute("UPDATE internal.meta SET schema_version = ?", [step.version])
    with transaction(connection):
        connection.execute(_views())
        for column, comment in _column_comments():
            connection.execute(f"COMMENT ON COLUMN results.{quoted(column)} IS {literal(comment)}")
        published.load(connection)
        connection.execute("UPDATE internal.meta SET views_digest = ?", [_views_digest()])


def copy_database(connection: DuckDBPyConnection, target: Path) -> None:
    """A consistent copy of the open database, which a copy of its file would not be."""
    target.unlink(missing_ok=True)
    name = quoted(_name(connection))
    connection.execute(
        f"ATTACH {literal(str(target))} AS backup; COPY FROM DATABASE {name} TO backup; DETACH backup"
    )


@contextmanager
def transaction(connection: DuckDBPyConnection) -> Iterator[None]:
    """All statements of the block, or none."""
    connection.execute("BEGIN")
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.execute("COMMIT")


def _name(connection: DuckDBPyConnection) -> str:
    row = connection.execute("SELECT current_database()").fetchone()
    return str(row[0]) if row else "index"


def _has_tables(connection: DuckDBPyConnection) -> bool:
    found = connection.execute(
        "SELECT 1 FROM duckdb_tables() WHERE schema_name = 'internal' AND table_name = 'meta'"
    )
    return found.fetchone() is not None


def _columns(connection: DuckDBPyConnection) -> list[tuple[str, ...]]:
    return connection.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() "
        "WHERE schema_name = 'internal' ORDER BY ALL"
    ).fetchall()


def _stamp(connection: DuckDBPyConnection) -> tuple[int, str]:
    if not _has_tables(connection):
        raise StoreDamaged(f"the index holds no effdsl store; {REBUILD}")
    row = connection.execute("SELECT schema_version, views_digest FROM internal.meta").fetchone()
    if row is None:
        raise StoreDamaged(f"the index has no schema version; {REBUILD}")
    return int(row[0]), str(row[1])


def _views() -> str:
    """The statements that make the views, for the metrics and stages that are declared by now."""
    return _views_of(tuple(METRICS), tuple(STAGES))


@cache
def _views_of(metrics: tuple[Metric, ...], stages: tuple[str, ...]) -> str:
    sources = [f for f in files(__package__).joinpath("views").iterdir() if f.name.endswith(".sql")]
    parts = {
        "{shown_digits}": str(SHOWN_DIGITS),
        "{metric_rows}": _metric_rows(),
        "{metric_columns}": _listed(f"metrics[{literal(m.name)}] AS {quoted(m.name)}" for m in METRICS),
        "{metric_means}": _listed(map(_mean, METRICS)),
        "{axis_rows}": _axis_rows(),
        "{stage_columns}": _listed(f"{sql} AS {quoted(name)}" for name, sql in _stage_columns().items()),
        "{identity_columns}": _listed(
            f"any_value({quoted(name)}) AS {quoted(name)}"
            for name in (*(f.name for f in attrs.fields(Identity)), *_stage_columns())
            if name != "seed"
        ),
    }
    text = "\n".join(
        source.read_text(encoding="utf-8") for source in sorted(sources, key=lambda source: source.name)
    )
    code = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    for place, sql in parts.items():
        code = code.replace(place, sql)
    return code


def _views_digest() -> str:
    return _digest_of(_views(), published.digest())


@cache
def _digest_of(views: str, tables: str) -> str:
    said = (views, _column_comments(), [step.sql for step in migrations()], tables)
    return hashlib.sha256(repr(said).encode()).hexdigest()


def _listed(items: Iterable[str]) -> str:
    return ",\n    ".join(items)


def _metric_rows() -> str:
    return _listed(
        f"({place}, {literal(m.name)}, {literal(m.label)}, {literal(m.unit)}, {literal(m.better.value)}, "
        f"{literal(m.definition)}, {str(m.on_default_table).lower()}, {literal(m.short)}, "
        f"{str(m.is_energy).lower()}, {list(m.stages)}::VARCHAR[], {str(m.is_quality).lower()})"
        for place, m in enumerate(METRICS)
    )


def _axis_rows() -> str:
    """The axes of the declared stages, then those that only the paper's tables have."""
    axes: dict[tuple[str, str], tuple[str | None, str | None, bool]] = {
        (stage.name, axis.name): (
            axis.within.name if axis.within else None,
            stage.batch_of,
            stage.compares_dtypes,
        )
        for stage in STAGES.values()
        for axis in stage.axes
    }
    for table in published.TABLES:
        axes.setdefault((table.stage, table.axis), (None, None, False))
    return _listed(
        f"({literal(axis)}, {literal(stage)}, {place}, {_or_null(within)}, {_or_null(batch_of)}, {dtypes})"
        for place, ((stage, axis), (within, batch_of, dtypes)) in enumerate(axes.items(), start=1)
    )


def _or_null(text: str | None) -> str:
    return "NULL::VARCHAR" if text is None else literal(text)


def _stage_columns() -> dict[str, str]:
    """Columns for what the declared stages call their axes, settings and details, read from JSON."""
    types = {str: "VARCHAR", int: "BIGINT", float: "DOUBLE"}
    columns: dict[str, str] = {}
    for stage in STAGES.values():
        columns |= {axis.name: f"choices ->> '$.{axis.name}.label'" for axis in stage.axes}
        for source, named in (("setting", stage.settings), ("details", stage.details)):
            columns |= {name: f"({source} ->> '$.{name}')::{types[kind]}" for name, kind in named.items()}
    return columns


def _mean(metric: Metric) -> str:
    name = quoted(metric.name)
    mean = f"avg({name} ORDER BY {name}) FILTER (outcome = 'ok')"  # the last digits depend on the order
    if metric.is_energy:
        one_scope = "count(DISTINCT meter_scope) FILTER (outcome = 'ok') = 1"
        return f"CASE WHEN {one_scope} THEN {mean} END AS {name}"
    return f"{mean} AS {name}"


def _column_comments() -> list[tuple[str, str]]:
    return [(m.name, f"{m.label}{f' in {m.unit}' if m.unit else ''}: {m.definition}") for m in METRICS]
