"""The guarded SQL: one SELECT, and nothing that leaves a trace or reads a file."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from effdsl_registry.errors import SqlRefused
from effdsl_registry.guarded_sql import ask
from effdsl_registry.store import Store

READING_FILES = [
    "SELECT * FROM read_csv('{secret}')",
    "SELECT * FROM '{secret}'",
    "FROM read_text('{secret}')",
    "FROM read_blob('{secret}')",
    "FROM read_json('{record}')",
    "FROM read_ndjson_objects('{record}')",
    "FROM read_parquet('{parquet}')",
    "FROM '{parquet}'",
    "FROM parquet_metadata('{parquet}')",
    "FROM sniff_csv('{secret}')",
    "FROM glob('{folder}/*')",
    "FROM read_text('/proc/self/environ')",
    "FROM read_text('file://{secret}')",
    "FROM read_csv('https://example.org/a.csv')",
    "SELECT (SELECT content FROM read_text('{secret}'))",
    "WITH s AS MATERIALIZED (FROM read_text('{secret}')) FROM s",
    "FROM query('FROM read_text(''{secret}'')')",
    "FROM query_table('{secret}')",
    "FROM sqlite_scan('{secret}', 't')",
]
WRITING_FILES = [
    "COPY (SELECT 1) TO '{folder}/out.csv'",
    "COPY (SELECT 1) TO '{index}.wal'",
    "COPY (SELECT 1) TO '{index}' (USE_TMP_FILE false)",
    "COPY results TO '{folder}/out.parquet'",
    "COPY internal.attempts FROM '{secret}'",
    "EXPORT DATABASE '{folder}/dump'",
    "IMPORT DATABASE '{folder}'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{folder}/out.csv'",
    "EXPLAIN ANALYZE SELECT 1",
    "EXPLAIN SELECT 1",
    "PREPARE p AS COPY (SELECT 1) TO '{folder}/out.csv'",
]
CHANGING_THE_STORE = [
    "INSERT INTO internal.meta VALUES (1, '')",
    "DELETE FROM internal.attempts",
    "UPDATE internal.attempts SET outcome = 'ok'",
    "TRUNCATE internal.attempts",
    "MERGE INTO internal.meta USING (SELECT 1 AS x) ON false WHEN NOT MATCHED THEN INSERT VALUES (1, '')",
    "DROP TABLE internal.attempts",
    "DROP VIEW results",
    "CREATE TABLE t AS SELECT 1",
    "CREATE TEMP TABLE t AS SELECT 1",
    "CREATE OR REPLACE TEMP MACRO pi() AS 4",
    "ALTER TABLE internal.attempts ADD COLUMN x INTEGER",
    "COMMENT ON VIEW results IS 'mine'",
    "WITH x AS (INSERT INTO internal.meta VALUES (1, '') RETURNING *) SELECT * FROM x",
    "WITH x AS (DELETE FROM internal.attempts RETURNING *) FROM x",
    "SELECT nextval('s')",
    "CHECKPOINT",
    "VACUUM",
    "BEGIN",
]
CHANGING_THE_SESSION = [
    "ATTACH '{folder}/other.duckdb' AS other",
    "ATTACH '{index}' AS again",
    "DETACH index",
    "USE memory",
    "SET enable_external_access = true",
    "SET disabled_filesystems = ''",
    "SET lock_configuration = false",
    "RESET disabled_filesystems",
    "SET VARIABLE x = 1",
    "PRAGMA memory_limit = '1TB'",
    "PRAGMA database_list",
    "pragma\ttable_info('results')",
    "; -- a comment\n /* and\n another */ Pragma version",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '{secret}'",
    "CREATE SECRET s (TYPE s3)",
    "CALL pragma_version()",
    "CALL force_checkpoint()",
    "EXECUTE p",
    "PIVOT results ON technique USING avg(ppl)",
]
NOT_ONE_SELECT = [
    "",
    ";",
    "-- only a comment",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE internal.attempts",
    "SELECT 1; COPY (SELECT 1) TO '{folder}/out.csv'",
    "SELECT",
    "rm -rf /",
    "SELECT * FROM secret_rows",
]
ATTACKS = READING_FILES + WRITING_FILES + CHANGING_THE_STORE + CHANGING_THE_SESSION + NOT_ONE_SELECT


def fingerprint(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused_and_leaves_every_file_as_it_was(
    attack: str, filled: Store, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a,b\n1,2\n")
    secret_rows = [("a python variable",)]  # must not be reachable as a table
    places = {
        "secret": secret,
        "folder": tmp_path,
        "index": filled.index,
        "record": next(filled.record_files()),
        "parquet": next(filled.root.rglob("*.parquet")),
    }
    before = fingerprint(tmp_path)
    with pytest.raises(SqlRefused):
        ask(filled, attack.format(**places) if "{" in attack else attack)
    assert fingerprint(tmp_path) == before
    assert secret_rows


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT count(*) FROM results", [(6,)]),
        ("FROM results SELECT count(*);", [(6,)]),
        ("WITH a AS (SELECT ppl FROM cells) SELECT count(ppl) FROM a -- fine", [(2,)]),
        ("VALUES (1), (2)", [(1,), (2,)]),
        ("SELECT ';' AS s", [(";",)]),
        ("SELECT 'PRAGMA version' AS s -- PRAGMA version", [("PRAGMA version",)]),
        ("SELECT name FROM metrics WHERE name = 'ppl'", [("ppl",)]),
        ("SELECT technique, max(ppl) FROM results GROUP BY ALL ORDER BY 1 LIMIT 1", [("T0", 52.0)]),
    ],
)
def test_one_select_over_the_views_is_answered(sql: str, rows: list[Any], filled: Store) -> None:
    assert ask(filled, sql).rows == rows


@pytest.mark.parametrize("sql", ["DESCRIBE results", "SUMMARIZE results", "SHOW TABLES"])
def test_people_can_look_around(sql: str, filled: Store) -> None:
    assert len(ask(filled, sql)) > 0


def test_a_query_that_takes_too_long_is_stopped(filled: Store) -> None:
    with pytest.raises(SqlRefused, match=r"stopped after 0\.2 s"):
        ask(filled, "SELECT sum(random()) FROM range(100000000000)", timeout_s=0.2)


INTERRUPTED = """\
import os, signal, sys, threading
from effdsl_registry.guarded_sql import ask
from effdsl_registry.store import Store
threading.Timer(1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    ask(Store(sys.argv[1]), 'SELECT count(*) FROM range(1000000000000) a, range(10000) b')
except KeyboardInterrupt:
    print('interrupted')
"""


@pytest.mark.slow
def test_ctrl_c_stops_a_query_that_would_run_for_days(tmp_path: Path) -> None:
    """Three times, for it is a matter of where DuckDB's threads are at that moment."""
    for _ in range(3):
        ended = subprocess.run(
            [sys.executable, "-c", INTERRUPTED, tmp_path],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert ended.stdout == "interrupted\n"


@pytest.mark.slow
def test_a_query_that_needs_too_much_memory_is_stopped(filled: Store) -> None:
    with pytest.raises(SqlRefused, match="over 64MB of memory"):
        ask(filled, "SELECT list(x ORDER BY random()) FROM range(50000000) t(x)", memory_limit="64MB")


def test_an_unknown_column_is_answered_with_the_nearest_ones(filled: Store) -> None:
    with pytest.raises(SqlRefused, match=r'"ppll" not found[^$]*"ppl"'):
        ask(filled, "SELECT ppll FROM results")


def test_an_unknown_table_is_answered_with_the_nearest_view_and_all_there_are(filled: Store) -> None:
    with pytest.raises(SqlRefused, match=r"did you mean 'results'.*loss_curves"):
        ask(filled, "SELECT * FROM resluts")


def test_a_mistake_is_told_without_the_ways_of_python(filled: Store) -> None:
    with pytest.raises(SqlRefused) as caught:
        ask(filled, "SELEC 1")
    assert "syntax error" in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_the_empty_store_answers_with_no_rows_and_stays_absent(store: Store) -> None:
    rows = ask(store, "SELECT technique, ppl FROM results")
    assert [column.name for column in rows.columns] == ["technique", "ppl"]
    assert rows.rows == []
    assert not store.root.exists()
    with pytest.raises(SqlRefused):
        ask(store, "FROM read_text('/etc/hostname')")


@pytest.mark.slow
def test_a_result_too_large_to_fetch_in_time_is_stopped(store: Store) -> None:
    with pytest.raises(SqlRefused, match=r"stopped after 0\.3 s"):
        ask(store, "SELECT * FROM range(50_000_000)", timeout_s=0.3)


def test_times_with_a_zone_are_handed_over(store: Store) -> None:
    assert len(ask(store, "SELECT now()")) == 1
