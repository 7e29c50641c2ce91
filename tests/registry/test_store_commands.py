"""The commands sql, export and store, as people and programs use them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import duckdb
import pytest
from click.testing import CliRunner, Result
from effdsl_registry import store_commands
from effdsl_registry.store import Store

from effdsl.cli import COMMANDS, group


def run(command: Any, store: Store, *arguments: str, **options: Any) -> Result:
    return CliRunner().invoke(command, [*arguments, "--store", str(store.root)], **options)


def test_sql_prints_aligned_columns_into_a_pipe(filled: Store) -> None:
    result = run(store_commands.sql, filled, "SELECT technique, ppl FROM results ORDER BY ppl LIMIT 2")
    assert result.output == "technique  ppl\nT0          50\nT0          51\n"


def test_sql_prints_json_and_csv(filled: Store) -> None:
    query = "SELECT technique, aec_w FROM results ORDER BY ppl LIMIT 1"
    assert json.loads(run(store_commands.sql, filled, query, "--json").output) == [
        {"technique": "T0", "aec_w": None}
    ]
    assert run(store_commands.sql, filled, "SELECT 1 AS n, '@x' AS name", "--csv").output == "n,name\n1,'@x\n"


def test_json_and_csv_exclude_each_other(filled: Store) -> None:
    result = run(store_commands.sql, filled, "SELECT 1", "--json", "--csv")
    assert result.exit_code == 2
    assert "--json and --csv exclude each other" in result.stderr


def test_sql_reads_the_query_from_standard_input(filled: Store) -> None:
    assert run(store_commands.sql, filled, "--csv", input="SELECT 41 + 1 AS n").output == "n\n42\n"
    assert run(store_commands.sql, filled, "-", "--csv", input="SELECT 1 AS n").output == "n\n1\n"


def test_a_wrong_query_ends_with_its_message_and_code_2(filled: Store) -> None:
    result = run(store_commands.sql, filled, "SELECT * FROM resluts")
    assert result.exit_code == 2
    assert "did you mean 'results'" in result.stderr
    assert result.stdout == ""


@pytest.mark.slow
def test_a_damaged_store_ends_with_code_3_and_the_remedy(filled: Store) -> None:
    filled.index.write_bytes(b"damaged" * 1000)
    result = run(store_commands.sql, filled, "SELECT 1")
    assert result.exit_code == 3
    assert "effdsl store rebuild" in result.stderr
    assert run(store_commands.store, filled, "verify").exit_code == 3
    assert run(store_commands.store, filled, "rebuild").output.endswith("6 attempts\n")
    assert run(store_commands.store, filled, "verify").output == "6 records, no problems\n"


def test_an_empty_store_says_so_and_what_to_do(store: Store) -> None:
    result = run(store_commands.sql, store, "SELECT count(*) AS n FROM results", "--csv")
    assert (result.stdout, result.exit_code) == ("n\n0\n", 0)
    assert "holds nothing measured yet; `effdsl execute" in result.stderr
    for command in (["rebuild"], ["gc"], ["backup", str(store.root.parent / "copy")]):
        result = run(store_commands.store, store, *command)
        assert result.exit_code == 3
        assert "effdsl execute" in result.stderr
    assert not store.root.exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["r.csv", "r.json", "r.parquet", "r.md", "r.tex"])
def test_export_takes_the_format_from_the_name(name: str, filled: Store, tmp_path: Path) -> None:
    result = run(store_commands.export, filled, "cells", "-o", str(tmp_path / name))
    assert result.exit_code == 0, result.output
    assert "2 rows" in result.stderr
    content = (tmp_path / name).read_bytes()
    assert content.startswith({"r.csv": b"cell,", "r.json": b"[{", "r.parquet": b"PAR1", "r.md": b"| cell",
                               "r.tex": rb"\begin{tabular}"}[name])  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", ["r.csv", "r.parquet"])
def test_export_says_which_file_it_wrote(name: str, filled: Store, tmp_path: Path) -> None:
    result = run(store_commands.export, filled, "cells", "-o", str(tmp_path / name))
    assert result.stderr == f"{tmp_path / name}: 2 rows\n"


def test_exported_parquet_has_the_values_of_the_view(filled: Store, tmp_path: Path) -> None:
    run(store_commands.export, filled, "results", "-o", str(tmp_path / "r.parquet"))
    rows = duckdb.sql(f"FROM '{tmp_path}/r.parquet' SELECT key, ppl, aec_w ORDER BY key").fetchall()
    with filled.reading() as connection:
        assert rows == connection.execute("SELECT key, ppl, aec_w FROM results ORDER BY key").fetchall()


def test_iterations_and_samples_are_exported_with_the_key_of_their_result(
    filled: Store, make_record: Any
) -> None:
    key = make_record(0).key
    result = run(store_commands.export, filled, "iterations")
    assert result.output == f"key,step,seconds\n{key},1,0.5\n{key},2,0.25\n"
    result = run(store_commands.export, filled, "samples", "--key", key[:6])
    assert result.output == f"key,t_ns,power_w\n{key},10,\n{key},20,3.5\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["reslts"], "did you mean 'results'"),
        (["results", "-f", "parquet"], "--output"),
        (["results", "-o", "results.xlsx"], "--format"),
        (["results", "--key", "ab"], "WHERE"),
        (["--sql", "DROP VIEW results"], "only SELECT"),
        (["iterations", "--key", "zz"], "no result"),
    ],
)
def test_a_wrong_export_says_what_is_allowed(arguments: list[str], says: str, filled: Store) -> None:
    result = run(store_commands.export, filled, *arguments)
    assert result.exit_code == 2
    assert says in result.stderr


@pytest.mark.slow
def test_gc_of_checkpoints_says_the_command_that_removes_them(filled: Store) -> None:
    folder = filled.checkpoints.of("0" * 64)
    folder.mkdir(parents=True)
    assert (
        "`effdsl store gc --artifacts --delete` removes them"
        in run(store_commands.store, filled, "gc", "--artifacts").output
    )
    run(store_commands.store, filled, "gc", "--artifacts", "--delete")
    assert not folder.exists()


def test_gc_lists_and_only_removes_when_asked(filled: Store, make_record: Any) -> None:
    filled.ingest([filled.write(make_record(0, minute=30), None, None)])
    listed = run(store_commands.store, filled, "gc")
    assert "superseded" in listed.output
    assert len(filled.attempts(make_record(0).key)) == 2
    assert len(json.loads(run(store_commands.store, filled, "gc", "--json").output)) == 3
    run(store_commands.store, filled, "gc", "--delete")
    assert len(filled.attempts(make_record(0).key)) == 1
    assert run(store_commands.store, filled, "gc").output == "nothing to remove\n"


def test_every_command_says_the_same_of_its_store() -> None:
    asked = click.Context(group)
    loaded = [found for name in COMMANDS if (found := group.get_command(asked, name)) is not None]
    options = [option for command in loaded for option in command.params if option.name == "store_path"]
    assert len(options) > 15
    said = {option.help for option in options if isinstance(option, click.Option)}
    assert [("$EFFDSL_STORE" in text, ".effdsl/" in text) for text in said if text] == [(True, True)]


def test_path_prints_the_folder(store: Store) -> None:
    assert run(store_commands.store, store, "path").output == f"{store.root}\n"


@pytest.mark.slow
def test_a_reader_that_stops_early_sees_no_traceback(filled: Store) -> None:
    script = "import sys; from effdsl_registry.store_commands import sql; sql(sys.argv[1:])"
    command = [sys.executable, "-c", script, "--store", str(filled.root), "--csv", "FROM range(300000)"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == b"range\n"
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait()


@pytest.mark.slow
def test_importing_the_commands_does_not_import_duckdb() -> None:
    script = (
        "import sys, effdsl_registry.store_commands, effdsl_registry.store; sys.exit('duckdb' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
