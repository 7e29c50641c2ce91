"""The commands rank, pareto and diff, as they are typed."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from click.testing import CliRunner, Result

from effdsl.cli import group


def call(shelf: Any, *words: str) -> Result:
    return CliRunner().invoke(group, [*words, "--store", str(shelf.store.root)])


@pytest.fixture
def full(shelf: Any) -> Any:
    """Two tied techniques and a worse one, three repeats each."""
    for technique, ppl, seconds in (
        ("MHA", [50.0, 52.0, 51.0], [0.5, 0.51, 0.52]),
        ("GQA", [51.0, 51.0, 51.5], [0.4, 0.41, 0.42]),
        ("MQA", [60.0, 62.0, 61.0], [0.6, 0.61, 0.62]),
    ):
        shelf.repeats(technique, ppl=ppl, al_s_per_iter=seconds, study="small/attention")
    return shelf


@pytest.mark.slow
def test_rank_prints_a_table_per_metric_with_ties_and_what_is_resolved(full: Any) -> None:
    lines = call(full, "rank", "small/attention", "--metric", "ppl").output.splitlines()
    assert [" ".join(line.split()) for line in lines[:5]] == [
        "PPL, lower is better · 3M · AMD EPYC x2 · 3 repeats",
        "rank may be technique mean 95% interval tied with",
        "1 1–2 GQA 51.17 [50.45, 51.88] MHA",
        "1 1–2 MHA 51.0 [48.5, 53.5] GQA",
        "3 3 MQA 61.0 [58.5, 63.5]",
    ]
    assert "Pairs told apart at 95%: PPL 2 of 3; all other pairs are not resolved." in lines


@pytest.mark.slow
def test_pareto_says_who_dominates_whom_and_what_is_certain(full: Any) -> None:
    result = call(full, "pareto", "attention", "--on", "ppl, al_s_per_iter")
    text = " ".join(result.output.split())
    assert "MQA 61 0.61000 dominated yes dominated by GQA, MHA (on the front)" in text
    assert "2 of 3 are on the front. Certainly on it: GQA. Certainly off it: MQA." in text


@pytest.mark.slow
def test_techniques_without_a_value_for_one_reason_share_a_line(full: Any) -> None:
    for technique in ("MLA", "NSA"):
        full.add(technique, missing={"ppl": "no held-out text"}, al_s_per_iter=1.0)
    ranked = call(full, "rank", "--metric", "ppl").output
    assert "MLA, NSA – no held-out text" in " ".join(ranked.split())
    front = call(full, "pareto", "--on", "ppl,al_s_per_iter").output
    assert "MLA, NSA – – not comparable no PPL: no held-out text" in " ".join(front.split())


def test_diff_names_what_differs(full: Any) -> None:
    keys = full.repeats("MHA", ppl=[50.0, 52.0], dtype="float32")
    text = " ".join(call(full, "diff", keys[0][:10], keys[1][:10]).output.split())
    assert "seed 0 1" in text
    assert "PPL 50 52 +4.00% (worse)" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "schema"),
    [
        (("rank",), "effdsl/ranking"),
        (("pareto", "--on", "ppl"), "effdsl/pareto"),
    ],
)
def test_json_is_one_document_with_schema_and_version(full: Any, words: tuple[str, ...], schema: str) -> None:
    document = json.loads(call(full, *words, "--json").output)
    assert (document["schema"], document["version"]) == (schema, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("rank", "small/atention"), "did you mean 'small/attention'?"),
        (("rank", "--metric", "pp1"), "did you mean 'ppl'?"),
        (("rank", "--scale", "4M"), "known: 3M"),
        (("pareto", "--on", "al_s_per_itr"), "did you mean 'al_s_per_iter'?"),
        (("diff", "zzz", "zzz"), "no result"),
    ],
)
def test_a_wrong_word_ends_with_code_2_and_the_nearest_right_one(
    full: Any, words: tuple[str, ...], message: str
) -> None:
    result = call(full, *words)
    assert result.exit_code == 2
    assert message in result.output


def test_an_empty_store_says_what_to_do_next_and_stays_empty(shelf: Any) -> None:
    result = call(shelf, "rank")
    assert result.exit_code == 0
    assert "`effdsl execute STUDY`" in result.output
    assert not shelf.root.exists()


@pytest.mark.slow
def test_no_line_is_longer_than_100_columns_and_none_ends_in_spaces(full: Any) -> None:
    for place in range(8):
        full.add(
            f"NSA(compress_block={place}, window=512)",
            ppl=50.0 + place,
            missing={"al_s_per_iter": "why " * 40},
        )
    for words in (("rank",), ("pareto", "--on", "ppl,al_s_per_iter")):
        lines = call(full, *words).output.splitlines()
        assert max(map(len, lines)) <= 100
        assert not [line for line in lines if line != line.rstrip()]


@pytest.mark.slow
def test_the_command_that_runs_what_is_missing_can_be_typed(shelf: Any, monkeypatch: Any) -> None:
    """By name only where the study is found by its name; else by its file."""
    shelf.add("MQA", study="mine", ppl=3.0)
    shelf.task("mine", "GQA")
    monkeypatch.chdir(shelf.root.parent)
    assert "`effdsl execute studies/mine.py` runs" in call(shelf, "rank", "mine").output.replace("\n", " ")
    (shelf.root.parent / "studies").mkdir()
    (shelf.root.parent / "studies" / "mine.py").touch()
    assert "`effdsl execute mine` runs" in call(shelf, "rank", "mine").output.replace("\n", " ")


@pytest.mark.slow
def test_a_file_with_a_space_in_its_path_is_quoted(shelf: Any, monkeypatch: Any) -> None:
    shelf.add("MQA", study="my study", ppl=3.0)
    shelf.task("my study", "GQA")
    monkeypatch.chdir(shelf.root.parent)
    assert "`effdsl execute 'studies/my study.py'` runs" in " ".join(
        call(shelf, "rank", "my study").output.split()
    )


def test_help_loads_neither_duckdb_nor_rich_tables() -> None:
    code = (
        "import sys, effdsl_analysis.commands.rank;"
        " print([name for name in ('duckdb', 'rich.table', 'torch') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"
