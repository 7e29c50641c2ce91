"""Answers in a narrow terminal: names and numbers stay whole."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from effdsl_analysis.answer import Answer
from effdsl_analysis.questions.pareto.paretoset import pareto
from effdsl_analysis.questions.pareto.published_paretoset import pareto_published
from effdsl_analysis.questions.rank.published_ranking import rank_published
from effdsl_analysis.questions.rank.ranking import rank
from effdsl_analysis.questions.rank.rule_comparison import compare_rules
from effdsl_analysis.questions.scaling.laws import scaling
from effdsl_analysis.questions.scores.scoring import scores
from effdsl_analysis.vocabulary import Evidence
from effdsl_registry.store import Store
from rich.console import Console

OBJECTIVES = ["ppl", "amu_gb", "al_s_per_iter", "tt_tokens_per_param_s", "pcu"]
PUBLISHED: dict[str, Callable[[Any], Answer]] = {
    "rank": rank_published,
    "rules": lambda store: compare_rules(store, evidence=Evidence.PUBLISHED),
    "pareto": lambda store: pareto_published(store, on=["performance", "amu", "al", "aec"]),
    "scores": lambda store: scores(store, evidence=Evidence.PUBLISHED),
    "scaling": lambda store: scaling(store, evidence=Evidence.PUBLISHED),
}


def lines(answer: Answer, width: int) -> list[str]:
    console = Console(width=width, highlight=False)
    with console.capture() as captured:
        console.print(answer)
    return captured.get().splitlines()


def words_with_digits(found: list[str]) -> set[str]:
    return {word for line in found for word in line.split() if re.search(r"\d", word)}


def assert_whole(answer: Answer, width: int) -> None:
    narrow = lines(answer, width)
    assert max(map(len, narrow)) <= width
    assert words_with_digits(narrow) == words_with_digits(lines(answer, 1000))


@pytest.mark.slow
@pytest.mark.parametrize("width", [60, 80, 88])
@pytest.mark.parametrize("question", PUBLISHED)
def test_no_number_of_the_paper_is_broken(tmp_path: Any, question: str, width: int) -> None:
    assert_whole(PUBLISHED[question](Store(tmp_path)), width)


def test_every_technique_is_named_whole_beside_its_values(tmp_path: Any) -> None:
    answer = rank_published(Store(tmp_path), groups=["positional_encoding"])
    named = [line for line in lines(answer, 60) if line.startswith("learnable_absolute ")]
    assert len(named) > 1, "the table goes on below, with its names"
    assert " ".join(named).count("(3)") == 4


@pytest.mark.slow
@pytest.mark.parametrize("width", [60, 80])
def test_no_measured_number_is_broken(shelf: Any, width: int) -> None:
    for place, technique in enumerate(("MHA", "GQA(kv_heads=2)", "NSA(block_size=32, window=128)")):
        values = {name: [(place + 2) / 7 + seed / 900 for seed in range(3)] for name in OBJECTIVES}
        shelf.repeats(technique, **values)
    assert_whole(pareto(shelf.store, on=OBJECTIVES), width)
    assert_whole(rank(shelf.store, metrics=OBJECTIVES), width)
