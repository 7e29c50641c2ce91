"""Recommendations on what the paper printed against a search by hand through its CSV files."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import effdsl_registry.published as published
import pytest
from effdsl_analysis.queries import session
from effdsl_analysis.questions.recommend.conditions import Condition
from effdsl_analysis.questions.recommend.decisions import Decision, Question
from effdsl_analysis.questions.recommend.recommendation import recommend
from effdsl_analysis.vocabulary import Evidence
from effdsl_registry.store import Store

from .recommend_by_hand import Candidates, by_hand

NOTHING: tuple[str, ...] = ()

TABLES = {
    3: "table03_attention.csv",
    4: "table04_positional.csv",
    6: "table06_attention_free.csv",
    7: "table07_peft_o1sft.csv",
    8: "table08_peft_medical.csv",
    9: "table09_quantization.csv",
    10: "table10_lvm_attention.csv",
    11: "table11_lvm_moe.csv",
    12: "table12_vlm_peft.csv",
    13: "table13_lvm_peft.csv",
}


def printed(metrics: Sequence[str]) -> dict[tuple[str, str], Candidates]:
    """The tables that have all of these metrics, by table and by scale or model."""
    found: dict[tuple[str, str], Candidates] = {}
    for number, file in TABLES.items():
        with (Path(published.__file__).parent / file).open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                if all(row.get(metric) for metric in metrics):
                    size = row.get("model") or row["parameters_printed"]
                    values = {metric: [float(row[metric])] for metric in metrics}
                    found.setdefault((f"Table {number}", size), {})[row["method"]] = values
    return found


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with session(Store(tmp_path_factory.mktemp("store"))) as connection:
        yield connection


QUESTIONS = [
    ("ppl", ["amu_gb <= 45"], None, None),
    ("ppl", ["amu_gb < 44.82"], None, None),
    ("ppl", ["amu_gb <= 50", "al_s_per_iter < 0.3"], "2%", None),
    ("ppl", ["aec_w <= 640"], "10%", "al_s_per_iter"),
    ("loss", ["amu_gb <= 50"], "3%", None),
    ("loss", ["pcu >= 0.94", "amu_gb < 60"], None, None),
    ("loss", [], "5%", "al_s_per_iter"),
    ("al", [], "0%", "loss"),
    ("avg_perf", ["amu_gb <= 35"], None, None),
    ("avg_perf", ["it_tokens_per_s >= 30"], "8%", None),
    ("fid", ["amu_gb <= 24"], "20%", None),
]


@pytest.mark.slow
@pytest.mark.parametrize(("best", "where", "within", "then"), QUESTIONS)
def test_what_is_recommended_of_the_paper_is_what_a_search_through_its_files_finds(
    paper: Any, best: str, where: list[str], within: str | None, then: str | None
) -> None:
    found = recommend(paper, evidence=Evidence.PUBLISHED, best=best, where=where, within=within, then=then)
    question = found.question
    metrics = {question.best.metric.name, *(c.metric.name for c in question.conditions)}
    metrics |= {question.then.metric.name} if question.then else set()
    tables = printed(sorted(metrics))
    decided = {
        (d.source, d.size or ""): d for d in found.decisions if d.verdict.value != "no evidence" and d.size
    }
    assert decided.keys() == tables.keys()
    assert len(tables) >= 3
    for key, decision in decided.items():
        assert set(decision.chosen) == set(by_hand(tables[key], question, is_exact=True)), key
        for segment in decision.path:
            assert_segment(tables[key], question, decision, segment.condition, segment.edge, segment.chosen)


def assert_segment(
    found: Candidates,
    question: Question,
    decision: Decision,
    condition: Condition | None,
    edge: float | None,
    chosen: tuple[str, ...],
) -> None:
    """The search by hand, asked at the edge of a segment, finds what the segment says."""
    if edge is None:
        return
    if condition is None:
        moved = attrs.evolve(question, within=edge)
    else:
        others = tuple(c for c in question.conditions if c is not condition)
        moved = attrs.evolve(question, conditions=(*others, condition.allowing(edge)))
    assert set(by_hand(found, moved, is_exact=True)) == set(chosen), (decision.source, decision.size, edge)


@pytest.mark.slow
def test_attention_under_45_gb_is_nsa_at_every_scale_and_mla_with_more(paper: Any) -> None:
    found = recommend(
        paper,
        evidence=Evidence.PUBLISHED,
        best="ppl",
        where=["amu_gb <= 45"],
        stage="pretraining",
        axes=["attention"],
    )
    first, second, third = (d for d in found.decisions if d.source == "Table 3")
    assert [d.chosen for d in (first, second, third)] == [("nsa",)] * 3
    assert [d.runner_up for d in (first, second, third)] == ["mqa", "gqa", "gqa"]
    assert [(str(b.condition), b.otherwise) for b in second.binding] == [("amu_gb <= 45", ("mla",))]
    assert [(flip.at, flip.chosen) for flip in second.flips] == [
        ("amu_gb < 43.57", ("mqa",)),
        ("amu_gb <= 52.93", ("mla",)),
    ]
    gap = second.candidate("gqa").gaps["ppl"]
    assert gap.difference == pytest.approx(8.09 - 7.82)
    assert (gap.share, gap.verdict.value) == (pytest.approx(0.27 / 7.82), "higher")


@pytest.mark.slow
def test_where_a_technique_carries_its_size_all_sizes_are_one_choice(paper: Any) -> None:
    found = recommend(paper, evidence=Evidence.PUBLISHED, best="ppl", axes=["feed_forward"])
    (table5,) = [d for d in found.decisions if d.source == "Table 5"]
    assert (table5.size, table5.chosen) == (None, ("moe 1.5B×8",))
    assert len(table5.candidates) == 4


@pytest.mark.slow
def test_nothing_satisfies_says_what_comes_nearest_and_by_how_much(paper: Any) -> None:
    found = recommend(
        paper, evidence=Evidence.PUBLISHED, best="ppl", where=["amu_gb <= 40"], axes=["attention"]
    )
    (decision,) = [d for d in found.decisions if d.size == "0.5B"]
    assert (decision.verdict.value, decision.chosen) == ("nothing satisfies", NOTHING)
    assert decision.nearest == ("mqa", pytest.approx(3.75 / 40))
    assert [(flip.at, flip.chosen) for flip in decision.flips] == [("amu_gb <= 43.75", ("mqa",))]


@pytest.mark.slow
def test_conditions_that_bind_only_together_are_named_together(paper: Any) -> None:
    found = recommend(
        paper,
        evidence=Evidence.PUBLISHED,
        best="ppl",
        where=["amu_gb < 44 AND al < 0.5"],
        axes=["attention"],
        scale="0.5B",
    )
    (decision,) = found.decisions
    assert decision.chosen == ("mqa",)
    assert [(b.condition, b.otherwise) for b in decision.binding] == [
        (decision.binding[0].condition, ("mla",))
    ]


@pytest.mark.slow
def test_without_values_there_is_no_choice_and_the_missing_metric_is_named(paper: Any) -> None:
    found = recommend(paper, evidence=Evidence.PUBLISHED, best="ppl", axes=["attention"], scale="dit-b-4")
    (decision,) = found.decisions
    assert decision.verdict.value == "no evidence"
    assert {candidate.lacking for candidate in decision.candidates} == {("ppl",)}
