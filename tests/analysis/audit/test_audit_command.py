"""The command audit, as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from effdsl_analysis.questions.audit.auditing import AuditRule, audit, rules
from effdsl_analysis.vocabulary import Evidence
from effdsl_registry.store import Store

from effdsl.cli import group

NOWHERE = "/nowhere"


def call(*words: str, store: str = NOWHERE) -> Result:
    return CliRunner().invoke(group, ["audit", *words, "--store", store])


@pytest.mark.slow
def test_json_lists_findings_with_their_cells() -> None:
    found = json.loads(call("--evidence", "published", "--json").output)
    assert {tuple(finding) for finding in found} == {("rule", "severity", "table", "cells", "explanation")}
    (copied,) = [
        f for f in found if f["rule"] == "rows_repeated" and "full / llama-3.2-3b" in f["explanation"]
    ]
    assert (copied["severity"], copied["table"]) == ("warning", "Table 7")
    assert copied["cells"][0] == {
        "table": "Table 7",
        "line": 8,
        "technique": "lora",
        "size": "llama-3.2-3b",
        "metric": "aec_w",
        "printed": "589.91",
    }


@pytest.mark.slow
def test_text_counts_then_groups_by_rule_within_100_columns() -> None:
    result = call("--evidence", "published")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0].startswith(f"{len(rules(Evidence.PUBLISHED))} rules over ")
    assert max(map(len, lines)) <= 100
    assert "size_printed_twice · 1 error" in lines
    assert "Which models have two sizes?" in lines
    assert "Nothing found by: " in result.output


def test_one_rule_and_one_severity_can_be_asked() -> None:
    words = ("--evidence", "published", "--json", "--rule", "printed_twice", "--severity", "warning")
    found = json.loads(call(*words).output)
    assert {(finding["rule"], finding["severity"]) for finding in found} == {("printed_twice", "warning")}


@pytest.mark.slow
def test_the_most_severe_rules_come_first_and_a_rules_findings_together() -> None:
    found = json.loads(call("--evidence", "published", "--json").output)
    names = [finding["rule"] for finding in found]
    assert len(list(dict.fromkeys(names))) == sum(a != b for a, b in zip(names, ["", *names], strict=False))
    worst = [{f["severity"] for f in found if f["rule"] == name} for name in dict.fromkeys(names)]
    order = [min(("error", "warning", "note").index(each) for each in severities) for severities in worst]
    assert order == sorted(order)


@pytest.mark.slow
def test_an_empty_store_says_that_there_is_nothing_to_examine() -> None:
    assert "there is nothing to examine" in call().output
    assert call("--json").output == "[]\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--rule", "rate_above_pek"), "did you mean 'rate_above_peak'?"),
        (("nothing",), "no study 'nothing'"),
        (("small/attention", "--evidence", "published"), "the paper has no studies"),
    ],
)
def test_mistakes_in_the_call_name_what_is_there(words: tuple[str, ...], message: str) -> None:
    result = call(*words)
    assert result.exit_code == 2
    assert message in result.output


def test_the_answer_shows_itself_in_a_notebook_escaped() -> None:
    shown = audit(Store.find(Path(NOWHERE)), evidence=Evidence.PUBLISHED, names=["same_work"])._repr_html_()
    assert "seconds per sample" in shown
    assert "<script" not in shown


@pytest.mark.parametrize("evidence", Evidence)
def test_every_rule_asks_a_question(evidence: Evidence) -> None:
    for rule in rules(evidence):
        assert isinstance(rule, AuditRule)
        assert rule.question[0].isupper()
        assert rule.question.endswith("?")
        assert len(rule.question) < 100
