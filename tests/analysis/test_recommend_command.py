"""What is typed to ask for a recommendation, and what is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from effdsl_analysis.ask import UnknownName
from effdsl_analysis.evidence import Evidence
from effdsl_analysis.recommendations.conditions import parse_conditions, parse_tolerance
from effdsl_analysis.recommendations.recommendation import recommend
from effdsl_registry.store import Store

from effdsl.cli import group


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("amu_gb <= 45", ["amu_gb <= 45"]),
        ("AMU<45.5 and al>1e-3", ["amu_gb < 45.5", "al_s_per_iter > 0.001"]),
        ("ppl >= -2 AND ppl >= -2", ["ppl >= -2"]),
    ],
)
def test_conditions_are_read(text: str, expected: list[str]) -> None:
    assert list(map(str, parse_conditions([text]))) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("amu_gb = 45", "is no condition; write METRIC <= NUMBER"),
        ("amu_gb <= x", "is no condition"),
        ("", "is no condition"),
        ("amu_gb <= 45 GB", "write the number alone; amu_gb is in GB"),
        ("ppl <= 8 points", "ppl has no unit"),
        ("amu_bg <= 45", "did you mean 'amu_gb'"),
        ("ppl <= 1e999", "too large"),
        ("ppl <= 1; DROP TABLE figures", "write the number alone"),
        ("ppl <= 1 OR 1 = 1", "write the number alone"),
    ],
)
def test_what_is_no_condition_is_refused_with_advice(text: str, message: str) -> None:
    with pytest.raises(UnknownName, match=message):
        parse_conditions([text])


def test_a_tolerance_is_a_share() -> None:
    assert parse_tolerance("2.5 %") == pytest.approx(0.025)
    for text in ("2", "-2%", "two%"):
        with pytest.raises(UnknownName, match="write a share of the best value as 2%"):
            parse_tolerance(text)


def call(root: Path, *words: str) -> Result:
    return CliRunner().invoke(group, ["recommend", *words, "--store", str(root)])


def test_the_command_says_choice_runner_up_binding_and_flips(tmp_path: Path) -> None:
    words = ("--evidence", "published", "--stage", "pretraining", "--where", "amu_gb <= 45", "--best", "ppl")
    shown = call(tmp_path, *words)
    assert shown.exit_code == 0, shown.output
    text = " ".join(shown.output.split())
    assert "choice nsa: PPL 7.82, AMU 43.57 GB" in text
    assert "runner-up gqa: PPL 8.09 (+3.45%), AMU 44.87 GB" in text
    assert "binding amu_gb <= 45; without it mla: PPL 7.79 (-0.384%), AMU 52.93 GB" in text
    assert "nothing below 42.24 · mqa from 42.24 · nsa from 43.57 · mla from 52.93" in text
    assert "with PPL, so no choice: attention (Table 10); feed_forward (Table 11)." in text
    assert max(map(len, shown.output.splitlines())) <= 100
    document = json.loads(call(tmp_path, *words, "--json").output)
    assert (document["schema"], document["evidence"]) == ("effdsl/recommendation", "published")
    choices = {(d["axis"], d["size"]): d["choice"] for d in document["decisions"]}
    assert choices["backbone", "0.5B"] == "mamba"
    assert choices["attention", "dit-b-4"] is None


def test_measured_choices_show_intervals_and_doubts(shelf: Any) -> None:
    for technique, ppl, gigabytes in (
        ("[red]MHA", [5.0, 5.1, 5.2], [44.0, 45.0, 45.7]),
        ("GQA", [6.0, 6.2, 6.1], [40.0, 40.1, 40.2]),
        ("MLA", [4.0, 4.2, 4.1], [44.5, 45.0, 46.2]),
    ):
        shelf.repeats(technique, backbone="Transformer", ppl=ppl, amu_gb=gigabytes)
    shown = call(shelf.store.root, "--where", "amu_gb <= 45", "--best", "ppl")
    text = " ".join(shown.output.split())
    assert "choice [red]MHA: PPL 5.10 ± 0.25, AMU 44.9 ± 2.1 GB" in text
    assert "runner-up GQA: PPL 6.10 ± 0.25 (+19.6%" in text
    assert "not certain the interval reaches out of amu_gb <= 45; certainly within: GQA" in text
    assert "the interval of MLA reaches into amu_gb <= 45; if within, the choice is MLA" in text
    assert max(map(len, shown.output.splitlines())) <= 100


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--evidence", "published", "--axis", "atention"), "did you mean 'attention'"),
        (("--evidence", "published", "--size", "1.5"), "no scale or model '1.5'"),
        (("--evidence", "published", "--within", "2%"), "--then METRIC"),
        (("--evidence", "published", "some/study"), "the paper has no studies"),
        (("--evidence", "published", "--stage", "inference", "--axis", "attention"), "no results for stage"),
        ((), "nothing here can be compared yet"),
    ],
)
def test_mistakes_say_what_to_do(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    refused = call(tmp_path, *words, "--best", "ppl")
    assert refused.exit_code == 2
    assert message in " ".join(refused.output.split())


def test_it_shows_itself_in_a_notebook_and_gives_rows(tmp_path: Path) -> None:
    found = recommend(
        Store(tmp_path), Evidence.PUBLISHED, best="ppl", where=["amu_gb <= 45"], axes=["backbone"]
    )
    assert "<b>mamba: PPL 10.31" in found._repr_html_()
    rows = found.to_rows().records
    assert {"axis": "backbone", "size": "0.5B", "technique": "mamba", "state": "choice"}.items() <= next(
        dict(row) for row in rows if row["state"] == "choice"
    ).items()
