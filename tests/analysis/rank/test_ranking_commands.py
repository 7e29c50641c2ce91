"""`effdsl rank --evidence published`, `rank --rules` and `scores`, as they are typed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result
from effdsl_analysis.vocabulary import Rule

from effdsl.cli import group

PUBLISHED = ("rank", "--evidence", "published")
AVERAGES = [rule.value for rule in Rule if rule is not Rule.ONE_SCALE]


def call(shelf: Any, *words: str) -> Result:
    return CliRunner().invoke(group, [*words, "--store", str(shelf.root)])


def said(shelf: Any, *words: str) -> str:
    """The output as one line of single spaces."""
    result = call(shelf, *words)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_published_ranks_are_one_list_of_rows_in_json(shelf: Any) -> None:
    found = json.loads(call(shelf, *PUBLISHED, "--json").output)
    assert len({row["group"] for row in found}) == 10
    row = next(row for row in found if row["technique"] == "moe 1.5B×8" and row["metric"] == "performance")
    assert {name: row[name] for name in ("group", "value", "rank", "rule", "n", "column")} == {
        "group": "moe",
        "value": 7.1,
        "rank": 1,
        "rule": "mean",
        "n": 1,
        "column": "ppl",
    }
    assert not shelf.root.exists()


def test_a_published_ranking_shows_value_rank_ties_and_the_rule(shelf: Any) -> None:
    text = said(shelf, *PUBLISHED, "--group", "attention")
    assert "mla 7.937 (1) 52.42 (4) 0.2539 (3) 0.0787 (3) 607.1 (2)" in text
    assert text.count("0.1291 (1)") == 2
    assert "Mean of the printed values: 0.5B, 1.5B, 3B (n = 3)." in text


def test_one_scale_needs_only_the_scale(shelf: Any) -> None:
    text = said(shelf, *PUBLISHED, "--scale", "phi-4")
    assert text.startswith("Quantization, 14B to 34B")
    assert "The printed value at phi-4." in text


def test_rules_list_the_techniques_whose_rank_differs_and_count_the_others(shelf: Any) -> None:
    text = said(shelf, *PUBLISHED, "--rules", "--group", "attention")
    assert "AL gqa 1 1 2 2 2 2 1 2" in text
    assert "16 of 20 ranks are the same by every average; 0 of these differ at a scale alone." in text
    assert "mla" not in text


def test_rules_say_where_there_is_nothing_to_average(shelf: Any) -> None:
    text = said(shelf, *PUBLISHED, "--rules", "--group", "moe", "--group", "positional_encoding")
    assert "only 1.5B" in text
    assert "each technique has a size of its own" in text


def test_rules_are_one_list_of_rows_in_json(shelf: Any) -> None:
    found = json.loads(call(shelf, *PUBLISHED, "--rules", "--metric", "aec", "--json").output)
    row = next(row for row in found if (row["group"], row["technique"]) == ("quantization_14b_34b", "int4"))
    assert list(row["ranks"]) == AVERAGES
    assert list(row["ranks_by_scale"]) == [
        "deepseek-r1-distill-qwen-14b",
        "qwen2.5-14b",
        "qwen2.5-32b",
        "phi-4",
        "yi-34b",
    ]


def test_a_metric_that_no_group_has_gives_a_sentence(shelf: Any) -> None:
    assert said(shelf, *PUBLISHED, "--group", "attention", "--metric", "pcu").startswith("No group")


@pytest.mark.slow
def test_scores_show_both_forms_of_equation_12_and_why_there_is_none(shelf: Any) -> None:
    tuned = said(shelf, "scores", "--evidence", "published", "--group", "fine_tuning_7b_8b")
    assert "dora 1.000 0.891 0.247 0.100 0.100 0.839 1.708 (1) 0.668 (7)" in tuned
    assert "order 11 of 21 pairs the other way round; best as printed dora, by arrows freeze." in tuned
    trained = said(shelf, "scores", "--evidence", "published", "--group", "moe")
    assert "without a value: PCU, ST." in trained
    assert "as printed" not in trained


def test_scores_are_one_list_of_rows_in_json(shelf: Any) -> None:
    found = json.loads(call(shelf, "scores", "--evidence", "published", "--json").output)
    assert len(found) == 108
    assert {"group", "scale", "technique", "normalised", "efficiency", "missing"} <= set(found[0])


@pytest.mark.slow
def test_an_empty_store_says_what_to_do_next(shelf: Any) -> None:
    assert "`effdsl execute STUDY`" in said(shelf, "rank", "--rules")
    assert "`effdsl execute STUDY`" in said(shelf, "scores")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((*PUBLISHED, "small/attention"), "the paper has no studies"),
        (("scores", "small/attention", "--evidence", "published"), "the paper has no studies"),
        ((*PUBLISHED, "--group", "atention"), "did you mean 'attention'?"),
        ((*PUBLISHED, "--rule", "one_scale"), "needs a scale"),
        ((*PUBLISHED, "--rule", "mean", "--scale", "3B"), "leave out"),
        ((*PUBLISHED, "--rules", "--rule", "mean"), "leave out"),
        (("rank", "--group", "attention"), "name a STUDY"),
        (("rank", "--rule", "median"), "--rules"),
    ],
)
def test_what_does_not_fit_the_evidence_is_refused(shelf: Any, words: tuple[str, ...], message: str) -> None:
    result = call(shelf, *words)
    assert result.exit_code == 2
    assert message in result.output


@pytest.mark.slow
def test_no_cell_is_cut_off_and_no_line_is_longer_than_100_columns(shelf: Any) -> None:
    asked = [(*PUBLISHED, "--rule", rule) for rule in AVERAGES]
    asked += [(*PUBLISHED, "--rules"), ("scores", "--evidence", "published")]
    asked += [(*PUBLISHED, "--scale", scale) for scale in ("3B", "llama-3.1-8b", "qwen2.5-14b", "yi-34b")]
    for words in asked:
        output = call(shelf, *words).output
        assert max(map(len, output.splitlines())) <= 100
        assert "…" not in output


@pytest.mark.slow
def test_a_technique_that_looks_like_markup_is_shown_as_it_is_spelled(shelf: Any) -> None:
    for technique in ("[red]MHA[/red]", "<script>"):
        shelf.repeats(technique, ppl=[9.0, 9.1], backbone="Transformer", feed_forward="SwiGLU")
    assert "[red]MHA[/red]" in said(shelf, "scores")
