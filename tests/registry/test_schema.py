"""Migrations, and the index as something that can always be made anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import duckdb
import pytest
from effdsl_registry import schema
from effdsl_registry.errors import StoreNewer
from effdsl_registry.ingest import insert_files
from effdsl_registry.schema import Migration, create, is_current, migrate, migrations
from effdsl_registry.store import Store, StudyTask

from effdsl.metrics import METRICS, Better, Metric
from effdsl.stages import STAGES


def test_migrations_are_numbered_without_a_gap() -> None:
    assert [step.version for step in migrations()] == list(range(1, len(migrations()) + 1))


def old_index(store: Store, records: list[Any]) -> None:
    """An index as the first schema had it, without views, with rows in it."""
    paths = [str(store.write(record, None, None)) for record in records]
    with duckdb.connect(str(store.index)) as connection:
        connection.execute(migrations()[0].sql)
        connection.execute("UPDATE internal.meta SET schema_version = 1")
        insert_files(connection, paths, store)
    store.journal.clear(store.journal.read())


@pytest.mark.slow
def test_an_older_index_is_migrated_after_a_copy_and_keeps_its_rows(store: Store, make_record: Any) -> None:
    old_index(store, [make_record(1), make_record(2)])
    assert store.count() == 2
    store.remember_study("s", "s.py", [StudyTask("a" * 64, "b" * 64, "MHA", "3M")])
    with store.reading() as connection:
        assert is_current(connection)
        assert connection.execute("SELECT study FROM study_tasks").fetchall() == [("s",)]
    with duckdb.connect(str(store.root / "index.before-migration.duckdb"), read_only=True) as copy:
        assert copy.execute("SELECT schema_version FROM internal.meta").fetchall() == [(1,)]
        assert copy.execute("SELECT count(*) FROM internal.attempts").fetchall() == [(2,)]


@pytest.mark.slow
def test_an_index_of_an_unreleased_effdsl_with_other_columns_is_made_anew(
    filled: Store, make_record: Any
) -> None:
    with filled.reading() as connection:
        rows = connection.execute("FROM results ORDER BY key").fetchall()
    with duckdb.connect(str(filled.index)) as connection:
        connection.execute("ALTER TABLE internal.attempts DROP COLUMN choices")
        connection.execute("ALTER TABLE internal.attempts ADD COLUMN flavour VARCHAR")
        connection.execute("UPDATE internal.meta SET views_digest = 'of that time'")
    with filled.reading() as connection:
        assert connection.execute("FROM results ORDER BY key").fetchall() == rows
        assert is_current(connection)
    with duckdb.connect(str(filled.index)) as connection:
        connection.execute("ALTER TABLE internal.attempts DROP COLUMN choices")
        connection.execute("UPDATE internal.meta SET views_digest = 'of that time'")
    filled.ingest([filled.write(make_record(7), None, None)])
    assert filled.count() == 7


@pytest.mark.slow
@pytest.mark.parametrize("ask", [Store.finished, Store.count, lambda store: store.known(["a" * 64])])
def test_whatever_is_asked_first_brings_the_index_up_to_date(
    ask: Callable[[Store], object], filled: Store
) -> None:
    with duckdb.connect(str(filled.index)) as connection:
        connection.execute("ALTER TABLE internal.attempts DROP COLUMN hardware_count")
        connection.execute("UPDATE internal.meta SET views_digest = 'of that time'")
    ask(filled)
    with duckdb.connect(str(filled.index)) as connection:
        assert is_current(connection)
        connection.execute("UPDATE internal.meta SET schema_version = 99")
    with pytest.raises(StoreNewer):
        ask(filled)


def test_a_step_that_fails_leaves_the_step_before_it(tmp_path: Path) -> None:
    steps = [*migrations(), Migration(98, "CREATE TABLE internal.a (x INTEGER)"),
             Migration(99, "CREATE TABLE internal.b (x INTEGER); SELECT * FROM nowhere")]  # fmt: skip
    with duckdb.connect(str(tmp_path / "index.duckdb")) as connection:
        with pytest.raises(duckdb.CatalogException):
            migrate(connection, steps)
        assert connection.execute("SELECT schema_version FROM internal.meta").fetchall() == [(98,)]
        assert connection.execute(
            "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'b'"
        ).fetchall() == [(0,)]
        migrate(connection, [*steps[:-1], Migration(99, "CREATE TABLE internal.b (x INTEGER)")])
        assert connection.execute("SELECT count(*) FROM internal.b").fetchall() == [(0,)]


def test_a_metric_that_is_added_later_becomes_a_column_of_old_stores(
    filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = Metric("carbon_g", "CO2", "g", Better.LOWER, "grams of CO2")
    monkeypatch.setattr(schema, "METRICS", (*METRICS, added))
    with filled.reading() as connection:
        counted = connection.execute("SELECT count(*), count(carbon_g), count(ppl) FROM results")
        assert counted.fetchall() == [(6, 0, 6)]


def test_the_columns_of_the_index_are_the_fields_of_a_record() -> None:
    from effdsl_registry.records import Identity, Provenance, Record

    fields = {f.name for cls in (Record, Identity, Provenance) for f in attrs.fields(cls)}
    with duckdb.connect() as connection:
        create(connection)
        columns = connection.execute("SELECT column_name FROM duckdb_columns() WHERE table_name = 'attempts'")
        names = {name for (name,) in columns.fetchall()}
    assert {"attention", "batch_size", "layers"} < names
    of_stages = {axis.name for stage in STAGES.values() for axis in stage.axes}
    of_stages |= {name for stage in STAGES.values() for name in (*stage.settings, *stage.details)}
    of_table = names - {metric.name for metric in METRICS} - of_stages - {"short_key", "checksum", "sample"}
    assert of_table == fields - {"format", "identity", "provenance"}


PARETO = """
    CREATE TABLE p AS
    SELECT i id, (i*7919%1009)/1009.0 x, (i*104729%1013)/1013.0 y, (i*15485863%1019)/1019.0 z
    FROM range(500) t(i)
"""
DOMINATES = "b.x<=a.x AND b.y<=a.y AND b.z<=a.z AND (b.x<a.x OR b.y<a.y OR b.z<a.z)"


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT count(*) FROM p a WHERE NOT EXISTS (FROM p b WHERE {DOMINATES})",  # noqa: S608
        f"SELECT count(*) FROM p a ANTI JOIN p b ON ({DOMINATES})",  # noqa: S608
        f"SELECT count(*) FROM p a LEFT JOIN p b ON ({DOMINATES}) WHERE b.id IS NULL",  # noqa: S608
    ],
)
def test_this_duckdb_answers_the_joins_that_version_2_0_answers_wrongly(query: str) -> None:
    points = [
        ((i * 7919 % 1009) / 1009, (i * 104729 % 1013) / 1013, (i * 15485863 % 1019) / 1019)
        for i in range(500)
    ]
    undominated = [
        a
        for a in points
        if not any(b != a and all(p <= q for p, q in zip(b, a, strict=True)) for b in points)
    ]
    with duckdb.connect() as connection:
        connection.execute(PARETO)
        assert connection.execute(query).fetchall() == [(len(undominated),)]
