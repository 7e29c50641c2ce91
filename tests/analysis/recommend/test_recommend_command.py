"""What is typed to ask for a recommendation, and what is shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from effdsl_analysis.ask import UnknownName
from effdsl_analysis.questions.recommend.bounds import bounds
from effdsl_analysis.questions.recommend.conditions import parse_conditions, parse_tolerance
from effdsl_analysis.questions.recommend.decisions import BoundSegment, Decision
from effdsl_analysis.questions.recommend.recommendation import recommend
from effdsl_analysis.vocabulary import Evidence
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--evidence", "published", "--axis", "atention"), "did you mean 'attention'"),
        (("--evidence", "published", "--size", "1.5"), "no scale or model '1.5'"),
        (("--evidence", "published", "--within", "2%"), "--then METRIC"),
        (("--evidence", "published", "some/study"), "the paper has no studies"),
        (("--evidence", "published", "--stage", "inference", "--axis", "attention"), "no results for stage"),
    ],
)
def test_mistakes_say_what_to_do(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    refused = call(tmp_path, *words, "--best", "ppl")
    assert refused.exit_code == 2
    assert message in " ".join(refused.output.split())


@pytest.mark.slow
def test_it_shows_itself_in_a_notebook_and_gives_rows(tmp_path: Path) -> None:
    found = recommend(
        Store(tmp_path), evidence=Evidence.PUBLISHED, best="ppl", where=["amu_gb <= 45"], axes=["backbone"]
    )
    assert "<b>mamba: PPL 10.31" in found._repr_html_()
    rows = found.to_rows().records
    assert {"axis": "backbone", "size": "0.5B", "technique": "mamba", "state": "choice"}.items() <= next(
        dict(row) for row in rows if row["state"] == "choice"
    ).items()


@pytest.mark.slow
def test_an_empty_store_has_an_empty_answer(tmp_path: Path) -> None:
    document = json.loads(call(tmp_path, "--best", "ppl", "--json").output)
    assert (document["schema"], document["decisions"]) == ("effdsl/recommendation", [])
    shown = call(tmp_path, "--best", "ppl")
    assert (shown.exit_code, shown.output[:34]) == (0, "Nothing here can be compared yet: ")


ATTENTION = (
    *("--evidence", "published", "--axis", "attention", "--size", "1.5B"),
    *("--best", "ppl", "--then", "al"),
)


@pytest.mark.slow
def test_asked_with_the_tolerance_that_is_shown_the_choice_is_the_one_that_is_said(tmp_path: Path) -> None:
    """8.09 is 3.85109% above 7.79: rounded down, gqa would not be chosen there."""
    assert "within: mla from 0% · gqa from 3.86%" in call(tmp_path, *ATTENTION, "--within", "3.85%").output
    for within, choice in (("3.85%", "mla"), ("3.86%", "gqa"), ("3.8511%", "gqa")):
        (decision,) = json.loads(call(tmp_path, *ATTENTION, "--within", within, "--json").output)["decisions"]
        assert decision["choice"] == choice
    shown = call(tmp_path, *ATTENTION, "--within", "3.8511%").output
    assert "gqa from 3.8511%" in shown, "not above what was asked"


@pytest.mark.slow
@pytest.mark.parametrize(("within", "relation", "bound"), [("5%", "<=", 50), ("0.1%", ">=", 44.5)])
def test_every_bound_that_is_shown_gives_the_choice_that_is_said_of_it(
    tmp_path: Path, within: str, relation: str, bound: float
) -> None:
    def asked(within: str, bound: object) -> Sequence[Decision]:
        found = recommend(
            Store(tmp_path),
            evidence=Evidence.PUBLISHED,
            best="ppl",
            where=[f"amu_gb {relation} {bound}"],
            within=within,
            then="al",
            axes=["attention"],
        )
        return found.decisions

    tested = 0
    for place, decision in enumerate(asked(within, bound)):
        for _, along in groupby(decision.path, key=lambda segment: segment.condition):
            segments = list(along)
            for segment, shown in zip(segments, bounds(segments, parse_tolerance(within)), strict=True):
                if shown.startswith("from"):
                    edge = shown.split()[1]
                    moved = (edge, bound) if segment.condition is None else (within, edge)
                    assert asked(*moved)[place].chosen == segment.chosen, (decision.size, shown)
                    tested += 1
    assert tested >= 8


def test_a_measured_bound_is_rounded_to_the_loose_side() -> None:
    """1.23456789 as an upper bound is met at 1.234568, as a lower one at 1.234567."""
    for relation, shown in (
        ("<=", ["below 1.234567", "from 1.234568"]),
        (">=", ["above 1.234568", "from 1.234567 down"]),
        ("<", ["up to 1.234567", "above 1.234568"]),
        (">", ["down to 1.234568", "below 1.234567"]),
    ):
        (condition,) = parse_conditions([f"amu_gb {relation} {'2' if '<' in relation else '1'}"])
        path = [BoundSegment(condition, None, (), -1), BoundSegment(condition, 1.23456789, ("A",), 0)]
        assert bounds(path, None) == shown
    (condition,) = parse_conditions(["amu_gb <= 1.2345679"])
    near = [BoundSegment(condition, 1.23456789, ("A",), 0), BoundSegment(condition, 1.2345682, ("B",), 1)]
    assert bounds(near, None) == ["from 1.2345679", "from 1.234569"], "not beyond what was asked"


@pytest.mark.slow
def test_what_comes_nearest_is_said_without_powers_of_ten(tmp_path: Path) -> None:
    words = ("--evidence", "published", "--best", "loss", "--size", "internvl-3-38b", "--where")
    assert "4,102% beyond amu_gb <= 1" in call(tmp_path, *words, "amu_gb <= 1").output
    assert "42.019 GB beyond amu_gb <= 0" in call(tmp_path, *words, "amu_gb <= 0").output
    assert "nothing below 42.0192 · pissa from 42.0192" in call(tmp_path, *words, "amu_gb <= 42.019").output
