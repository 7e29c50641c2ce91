"""Fine-tunings compared across models, against the same comparisons in plain Python."""

from __future__ import annotations

import random
from io import StringIO
from itertools import product
from statistics import mean
from typing import Any

import pytest
from click.testing import CliRunner
from effdsl_analysis import Across, UnknownName, pareto, rank, recommend
from rich.console import Console
from scipy import stats

from effdsl.cli import group

from .fine_tuning_results import counted, tune
from .recommend.recommend_by_hand import asked, by_hand

MODELS = {"GQA 1M": 1_001_600, "MLA 1M": 1_173_120}
METHODS = ("LoRA", "Full")
METRICS = ("new_domain_loss", "forgetting")
Values = dict[str, dict[str, list[float]]]


def said(answer: Any) -> str:
    """What is printed, as one line of single spaces."""
    console = Console(file=StringIO(), width=100)
    with console.capture() as captured:
        console.print(answer)
    return " ".join(captured.get().split())


def fill(shelf: Any, seed: int) -> Values:
    """Three repeats of both methods on both models, some of them near each other; what is in the store."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    values: Values = {}
    for model, method in product(MODELS, METHODS):
        found = {
            metric: [draw.choice([2.0, 2.5, 3.0]) + draw.random() / 5 for _ in range(3)] for metric in METRICS
        }
        identity = {"model": model, "base": model[:3], "parameters": MODELS[model]}
        tune(shelf, method, study="ft", identity=identity, examples=counted(), **found)
        values[f"{model} · {method}"] = found
    return values


def certainly_better(a: list[float], b: list[float]) -> bool:
    """Whether the 95% interval of the mean difference of repeats of one seed lies below zero."""
    test = stats.ttest_rel(a, b)
    return bool(test.pvalue < 0.05) and mean(a) < mean(b)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_model_and_method_are_ranked_together(shelf: Any, seed: int) -> None:
    """A rank is one more than the pairs of model and method that a paired test finds better."""
    values = fill(shelf, seed)
    found = rank(shelf.store, "ft", metrics=METRICS, across=Across.MODELS)
    assert [block.metric.name for block in found.blocks] == list(METRICS)
    for block in found.blocks:
        of_metric = {name: each[block.metric.name] for name, each in values.items()}
        expected = {
            name: 1 + sum(certainly_better(other, mine) for other in of_metric.values())
            for name, mine in of_metric.items()
        }
        assert {cell.technique: cell.rank for cell in block.cells} == expected


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_front_is_of_all_models(shelf: Any, seed: int) -> None:
    """On it is what no other pair of model and method is at most as large as in both means."""
    values = fill(shelf, seed)
    points = {name: tuple(mean(each[metric]) for metric in METRICS) for name, each in values.items()}
    expected = {
        name
        for name, x in points.items()
        if not any(all(b <= a for a, b in zip(x, y, strict=True)) for n, y in points.items() if n != name)
    }
    (found,) = pareto(shelf.store, "ft", on=METRICS, across=Across.MODELS).groups
    assert {cell.technique for cell in found.front} == expected


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_model_and_method_are_chosen_together(shelf: Any, seed: int) -> None:
    """One decision among all of them, as a search by hand makes it."""
    values = fill(shelf, seed)
    found = recommend(
        shelf.store, "ft", best="new_domain_loss", within="5%", then="forgetting", across=Across.MODELS
    )
    (decision,) = found.decisions
    question = asked("new_domain_loss", within=0.05, then="forgetting")
    assert set(decision.chosen) == set(by_hand(values, question))
    assert "1,001,600 to 1,173,120 parameters" in said(found)


def test_models_compared_are_said_to_differ_in_parameters(shelf: Any) -> None:
    """Above the table, and only where they are compared."""
    fill(shelf, 0)
    across = said(rank(shelf.store, "ft", across=Across.MODELS))
    assert across.startswith("Compared across models of 1,001,600 to 1,173,120 parameters. Compared across")
    assert "tokenizers" not in across
    assert "across models" not in said(rank(shelf.store, "ft"))


def test_losses_of_other_tokens_are_said_not_to_compare(shelf: Any) -> None:
    """A tokenizer that cuts the same held-out text into more tokens has less to predict of each."""
    for model, tokens in (("a-1b", 9_000), ("b-1b", 7_500)):
        found, identity = counted(tokens=tokens), {"model": model, "base": model}
        tune(
            shelf,
            "LoRA",
            identity=identity,
            examples=found,
            new_domain_loss=[2.0, 2.1],
            forgetting=[0.1, 0.2],
        )
    line = "tokenizers differ (7,500 tokens and 9,000 tokens held out), so losses per token do not compare."
    assert line in said(rank(shelf.store, across=Across.MODELS))
    assert line in said(pareto(shelf.store, on=METRICS, across=Across.MODELS))
    assert line in said(recommend(shelf.store, best="new_domain_loss", across=Across.MODELS))


def test_the_same_number_of_tokens_for_less_text_is_another_tokenizer(shelf: Any) -> None:
    """As where every example is longer than the context."""
    for model, size in (("a-1b", 30_000), ("b-1b", 25_000)):
        found, identity = counted(bytes_=size), {"model": model, "base": model}
        tune(shelf, "LoRA", identity=identity, examples=found, new_domain_loss=[2.0, 2.1])
    assert "Their tokenizers differ" in said(rank(shelf.store, across=Across.MODELS))


def test_results_that_say_nothing_of_tokens_are_compared_with_a_warning(shelf: Any) -> None:
    """Those of an older version."""
    for model in ("a-1b", "b-1b"):
        tune(shelf, "LoRA", identity={"model": model, "base": model}, new_domain_loss=[2.0, 2.1])
    assert "whether they do is not recorded" in said(rank(shelf.store, across=Across.MODELS))


def test_what_ended_badly_leaves_nothing_unrecorded(shelf: Any) -> None:
    """A fine-tuning that diverged has no value either that could be compared."""
    fill(shelf, 0)
    diverged = {"model": "MLA 1M", "base": "MLA", "parameters": MODELS["MLA 1M"]}
    tune(shelf, "DoRA", study="ft", identity=diverged, outcome="diverged")
    assert "recorded" not in said(rank(shelf.store, "ft", across=Across.MODELS))


def test_examples_that_one_model_cuts_shorter_are_said_of_it(shelf: Any) -> None:
    """Models that are compared did not train on the same text then."""
    for model, truncated in (("a-1b", 24), ("b-1b", 7)):
        found, identity = counted(truncated=truncated), {"model": model, "base": model}
        tune(shelf, "LoRA", identity=identity, examples=found, new_domain_loss=[2.0, 2.1])
    text = said(rank(shelf.store, across=Across.MODELS))
    assert "of a-1b · LoRA 24 of 800, of b-1b · LoRA 7 of 800 training examples." in text


def test_models_of_one_name_are_told_apart_by_what_they_are(shelf: Any) -> None:
    """Two trainings of one architecture are two models; where the name tells, the hash is not said."""
    for base in ("aaaa", "bbbb"):
        tune(shelf, "LoRA", identity={"model": "GQA 1M", "base": base}, new_domain_loss=[2.0, 2.1])
    (block,) = rank(shelf.store, across=Across.MODELS).blocks
    names = [cell.technique for cell in block.cells]
    assert names == ["GQA 1M · LoRA (base aaaa)", "GQA 1M · LoRA (base bbbb)"]
    apart = rank(shelf.store)
    assert [found.group.title.rpartition(" · ")[2] for found in apart.blocks] == ["base aaaa", "base bbbb"]


def test_a_base_that_its_scale_names_is_not_said_twice(shelf: Any) -> None:
    """Titles have room for what else differs."""
    fill(shelf, 0)
    titles = {block.group.title for block in rank(shelf.store, "ft").blocks}
    assert titles == {"GQA 1M · AMD EPYC x2", "MLA 1M · AMD EPYC x2"}


def test_results_without_a_model_are_ranked_as_ever(shelf: Any) -> None:
    """Pretraining starts from nothing, so that its scales stay apart."""
    fill(shelf, 0)
    shelf.repeats("MHA", ppl=[50.0, 51.0])
    found = rank(shelf.store, metrics=["ppl"], across=Across.MODELS)
    assert [block.group.comparison["scale"] for block in found.blocks] == ["3M"]


def test_nothing_to_compare_across_is_said(shelf: Any) -> None:
    """By every question that can be asked so."""
    shelf.repeats("MHA", ppl=[50.0, 51.0])
    store = shelf.store
    for ask in (
        lambda: rank(store, across=Across.MODELS),
        lambda: pareto(store, on=["ppl"], across=Across.MODELS),
        lambda: recommend(store, best="ppl", across=Across.MODELS),
    ):
        with pytest.raises(UnknownName, match="no result starts from a model that exists"):
            ask()


@pytest.mark.parametrize(
    "question",
    [
        ["rank", "--evidence", "published"],
        ["rank", "--rules"],
        ["pareto", "--on", "ppl", "--evidence", "published"],
        ["recommend", "--best", "ppl", "--evidence", "published"],
    ],
    ids=" ".join,
)
def test_what_does_not_know_models_refuses_them(question: list[str]) -> None:
    """Printed tables have their models as sizes already."""
    refused = CliRunner().invoke(group, [*question, "--across", "models"])
    assert refused.exit_code == 2
    assert "leave out --" in refused.output
