"""Rankings as Markdown and LaTeX."""

from __future__ import annotations

import re
from typing import Any

import pytest
from click.testing import CliRunner, Result
from effdsl_analysis.questions.rank.published_ranking import rank_published
from effdsl_analysis.questions.rank.ranking import rank
from effdsl_analysis.questions.rank.typeset import latex, markdown

from effdsl.cli import group


@pytest.fixture
def full(shelf: Any) -> Any:
    """Two tied techniques and a worse one, three repeats each; one has a name full of special characters."""
    for technique, ppl, seconds in (
        ("MHA", [50.0, 52.0, 51.0], [0.5, 0.51, 0.52]),
        ("G|Q_A&<b>", [51.0, 51.0, 51.5], [0.4, 0.41, 0.42]),
        ("MQA", [60.0, 62.0, 61.0], [0.6, 0.61, 0.62]),
    ):
        shelf.repeats(technique, ppl=ppl, al_s_per_iter=seconds, kv_bytes_per_token=[512.0] * 3)
    shelf.add("NSA", outcome="oom", reason="out of memory")
    return shelf


def cells(table: str) -> dict[str, list[str]]:
    """The rows of a Markdown table by their first cell."""
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    rows = [re.split(r" \| ", line.removeprefix("| ").removesuffix(" |")) for line in lines]
    return {first: rest for first, *rest in rows}


@pytest.mark.slow
def test_markdown_marks_the_best_and_the_second_and_shows_the_interval(full: Any) -> None:
    rows = cells(markdown(rank(full.store, metrics=["ppl", "al_s_per_iter"])))
    assert rows["technique"] == ["PPL ↓", "AL (s/iter) ↓"]
    assert rows["MHA"] == ["**51.0 ± 2.5**", "<ins>0.510 ± 0.025</ins>"]
    assert rows["MQA"] == ["<ins>61.0 ± 2.5</ins>", "0.610 ± 0.025"]
    assert rows["NSA"] == ["", ""], "what has no value stays empty"


@pytest.mark.slow
def test_nothing_is_marked_where_all_share_a_rank(full: Any) -> None:
    rows = cells(markdown(rank(full.store, metrics=["kv_bytes_per_token"])))
    assert rows["MHA"] == rows["MQA"] == ["512"]


@pytest.mark.slow
def test_names_are_escaped(full: Any) -> None:
    ranking = rank(full.store, metrics=["ppl"])
    assert r"| G\|Q\_A&amp;&lt;b&gt; |" in markdown(ranking)
    assert r"G\textbar{}Q\_A\&\textless{}b\textgreater{} &" in latex(ranking)


@pytest.mark.slow
def test_latex_is_a_booktabs_table_with_as_many_cells_in_every_row(full: Any) -> None:
    text = latex(rank(full.store, metrics=["ppl", "al_s_per_iter"]))
    assert r"\begin{tabular}{lrr}" in text
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    rows = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 5
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {2}
    assert r"MHA & {\boldmath$51.0 \pm 2.5$} & \underline{$0.510 \pm 0.025$} \\" in rows
    assert text.count("{") == text.count("}")


def test_published_values_have_no_interval_and_powers_of_ten_are_written_out(shelf: Any) -> None:
    text = latex(rank_published(shelf.store, groups=["fine_tuning_7b_8b"]))
    assert r"\pm" not in text
    assert re.search(r"\$\d\.\d+ \\times 10\^\{-9\}\$", text)
    assert text.count(r"\begin{table}") == 1


def test_every_group_of_the_leaderboard_is_a_table(shelf: Any) -> None:
    ranking = rank_published(shelf.store)
    assert latex(ranking).count(r"\toprule") == markdown(ranking).count("### ") == 10


def call(shelf: Any, *words: str) -> Result:
    return CliRunner().invoke(group, [*words, "--store", str(shelf.store.root)])


@pytest.mark.slow
def test_the_command_prints_what_the_functions_give(full: Any) -> None:
    assert call(full, "rank", "-f", "latex").output == latex(rank(full.store))
    printed = call(full, "rank", "--evidence", "published", "-f", "markdown").output
    assert printed == markdown(rank_published(full.store))


@pytest.mark.parametrize("also", ["--json", "--rules"])
def test_a_format_and_another_form_exclude_each_other(full: Any, also: str) -> None:
    result = call(full, "rank", "-f", "latex", also)
    assert result.exit_code == 2
    assert "--format" in result.output


@pytest.mark.slow
def test_one_repeat_has_no_interval_and_nothing_is_marked(shelf: Any) -> None:
    for technique, ppl in (("MHA", 50.0), ("GQA", 51.0)):
        shelf.add(technique, ppl=ppl)
    for write in (latex, markdown):
        text = write(rank(shelf.store, metrics=["ppl"]))
        assert "Values of one repeat, so without intervals." in text
        assert "±" not in text
        assert "Bold" not in text


@pytest.mark.slow
def test_the_marks_are_explained_where_there_are_some(full: Any) -> None:
    assert "over 3 repeats. Bold: rank 1." in latex(rank(full.store, metrics=["ppl"]))
    assert "Bold" not in markdown(rank(full.store, metrics=["kv_bytes_per_token"]))
