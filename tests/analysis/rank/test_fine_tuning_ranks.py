"""Fine-tuning methods ranked: by quality first, and with what makes the comparison less than fair said."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from effdsl_analysis import pareto, rank
from rich.console import Console

from ..fine_tuning_results import counted, tune


def said(answer: Any) -> str:
    """What is printed, as one line of single spaces."""
    console = Console(file=StringIO(), width=100)
    with console.capture() as captured:
        console.print(answer)
    return " ".join(captured.get().split())


def two(shelf: Any, **identity: Any) -> Any:
    """LoRA and full fine-tuning, three repeats each."""
    tune(
        shelf, "LoRA", study="ft", identity=identity, new_domain_loss=[2.0, 2.1, 2.2], amu_gb=[1.0, 1.1, 1.2]
    )
    tune(
        shelf, "Full", study="ft", identity=identity, new_domain_loss=[1.5, 1.6, 1.8], amu_gb=[3.0, 3.1, 3.2]
    )
    return shelf.store


def test_the_loss_on_the_new_domain_is_first(shelf: Any) -> None:
    """Quality leads, then efficiency, also what the paper ranks beside the default table."""
    tune(shelf, "LoRA", loss=[1.0], new_domain_loss=[2.0], al_s_per_iter=[0.5], st_samples_per_param_s=[1e-6])
    found = rank(shelf.store)
    names = [block.metric.name for block in found.blocks]
    assert names == ["new_domain_loss", "al_s_per_iter", "st_samples_per_param_s"]


def test_rates_that_were_not_tuned_are_ranked_and_named_as_defaults(shelf: Any) -> None:
    """Methods with rates of their own have their defaults, and the ranking says so."""
    text = said(rank(two(shelf), "ft"))
    assert (
        "Learning rates were not tuned: each is its technique's default, from 1e-05 to 0.0001, "
        "so the ranking ranks those as well."
    ) in text
    assert "best of" not in text


def test_one_rate_for_all_is_not_called_a_default(shelf: Any) -> None:
    """A rate that a study gives to all methods may suit one and not another."""
    text = said(rank(two(shelf, rate=1e-3), "ft"))
    assert (
        "Learning rates were not tuned: all have 0.001, so the ranking ranks how well they suit as well."
        in text
    )


def test_a_sweep_is_named_with_what_it_took(shelf: Any) -> None:
    """Trials and their steps are the budget of tuning."""
    text = said(rank(two(shelf, tried="0.001, 0.003, 0.01", rate=0.003), "ft"))
    assert (
        "Learning rates are each technique's best of 0.001, 0.003, 0.01: 3 trials, 30 steps in all, "
        "before the 10 of a run."
    ) in text
    assert "not tuned" not in text
    assert "wider sweep" not in text


def test_a_rate_at_the_end_of_its_sweep_is_named(shelf: Any) -> None:
    """A best rate at an end may have a better one beyond it."""
    swept = {"tried": "0.001, 0.01"}
    tune(shelf, "LoRAPlus", identity=swept | {"edge": "highest"}, new_domain_loss=[2.0, 2.1])
    tune(shelf, "Freeze", identity=swept, new_domain_loss=[2.0, 2.1])
    text = said(rank(shelf.store))
    assert (
        "The best learning rate of LoRAPlus is the highest of 0.001, 0.01: a wider sweep may do better."
        in text
    )


def test_a_rate_at_the_end_for_one_model_only_says_for_which(shelf: Any) -> None:
    """The chosen rate is each model's own."""
    for model, edge in (("llama-3.2-1b", "lowest"), ("llama-3.2-3b", "")):
        swept = {"tried": "0.001, 0.01", "model": model, "edge": edge}
        tune(shelf, "DoRA", identity=swept, new_domain_loss=[2.0, 2.1])
    text = said(rank(shelf.store))
    assert "of DoRA at llama-3.2-1b is the lowest of 0.001, 0.01" in text


def test_trainable_shares_that_differ_are_said_above_the_table(shelf: Any) -> None:
    """From the least to the greatest share of the parameters."""
    text = said(rank(two(shelf), "ft"))
    assert text.startswith(
        "Compared across trainable shares: from 2% to 100% of the parameters. new-domain loss"
    )


def test_equal_trainable_shares_are_not_worth_a_line(shelf: Any) -> None:
    """Methods that train as much are compared at one share, whatever the models' sizes."""
    for model, parameters in (("a-1b", 1_000_000), ("b-3b", 3_000_000)):
        for method in ("LoRA", "PiSSA"):
            identity = {"model": model, "parameters": parameters, "trained": 5_000}
            tune(shelf, method, identity=identity, new_domain_loss=[2.0, 2.1])
    assert "trainable shares" not in said(rank(shelf.store))


def test_examples_that_lost_their_end_are_counted_above_the_table(shelf: Any) -> None:
    """Once where all that are compared lost as many."""
    for method in ("LoRA", "Full"):
        found = counted(training=1_300, truncated=24)
        tune(shelf, method, identity={"trained": 5_000}, examples=found, new_domain_loss=[2.0, 2.1])
    text = said(rank(shelf.store))
    assert text.startswith(
        "Longer than the context of 128 tokens, so without their end: 24 of 1,300 training examples. "
    )


def test_models_that_lost_other_examples_are_told_apart(shelf: Any) -> None:
    """Their tokenizers cut the same text into more tokens or fewer."""
    for model, truncated in (("a-1b", 24), ("b-3b", 7), ("c-3b", 0)):
        found = counted(truncated=truncated)
        tune(shelf, "LoRA", identity={"model": model}, examples=found, new_domain_loss=[2.0], amu_gb=[1.0])
    text = said(pareto(shelf.store, on=["new_domain_loss", "amu_gb"]))
    assert "without their end: 24 of 800 training examples, at a-1b." in text
    assert "without their end: 7 of 800 training examples, at b-3b." in text
    assert text.count("without their end") == 2


def test_whole_examples_are_not_worth_a_line(shelf: Any) -> None:
    """Nor is what an older result does not say."""
    tune(shelf, "LoRA", examples=counted(), new_domain_loss=[2.0, 2.1])
    tune(shelf, "Full", new_domain_loss=[2.0, 2.1])
    assert "without their end" not in said(rank(shelf.store))


def test_other_stages_say_nothing_of_learning_rates(shelf: Any) -> None:
    """Pretraining declares no sweep, so there is nothing to say of it."""
    shelf.repeats("MHA", ppl=[50.0, 51.0])
    shelf.repeats("GQA", ppl=[52.0, 53.0])
    text = said(rank(shelf.store))
    assert "Learning rates" not in text
    assert "trainable" not in text


def test_a_pareto_set_says_the_same(shelf: Any) -> None:
    """It compares the same methods under the same conditions."""
    text = said(pareto(two(shelf), "ft", on=["new_domain_loss", "amu_gb"]))
    assert text.startswith("Compared across trainable shares: from 2% to 100% of the parameters.")
    assert "Learning rates were not tuned" in text


def test_what_is_computed_needs_one_repeat_only(shelf: Any) -> None:
    """The parameters that a method trains are counted, so one repeat decides their order."""
    tune(shelf, "LoRA", trainable_parameters=[20_000.0])
    tune(shelf, "Full", trainable_parameters=[1_000_000.0])
    (block,) = rank(shelf.store).blocks
    assert [(cell.technique, cell.rank) for cell in block.cells] == [("LoRA", 1), ("Full", 2)]


@pytest.fixture
def with_trials(shelf: Any) -> Any:
    """A fine-tuning with its trials, and a pretraining, in one store."""
    swept = {"tried": "0.001, 0.01"}
    tune(
        shelf,
        "LoRA",
        study="ft",
        identity=swept | {"edge": "highest"},
        new_domain_loss=[2.0, 2.1],
        amu_gb=1.0,
    )
    for rate in (0.001, 0.01):
        trial = swept | {"stage": "tuning", "technique": "LoRA, trial", "rate": rate, "edge": "lowest"}
        tune(shelf, "LoRA", identity=trial, tuning_loss=[2.5], amu_gb=1.0)
    shelf.repeats("MHA", ppl=[50.0, 51.0], amu_gb=[1.0, 1.1])
    return shelf


def test_trials_are_ranked_by_what_they_are_for_only(with_trials: Any) -> None:
    """Of trials only the tuning loss is ranked; other stages by their own metrics and by those of all."""
    found = rank(with_trials.store)
    shown = {(block.metric.name, block.group.comparison["stage"]) for block in found.blocks}
    assert shown == {
        ("ppl", "pretraining"),
        ("new_domain_loss", "fine-tuning"),
        ("tuning_loss", "tuning"),
        ("amu_gb", "pretraining"),
        ("amu_gb", "fine-tuning"),
    }


def test_trials_are_told_apart_by_their_rates_and_said_nothing_of(with_trials: Any) -> None:
    """The end of a sweep at which a trial is says nothing of what was chosen."""
    found = rank(with_trials.store, metrics=["tuning_loss"])
    (block,) = found.blocks
    names = [cell.technique for cell in block.cells]
    assert names == ["LoRA, trial (learning rate 0.001)", "LoRA, trial (learning rate 0.01)"]
    assert "wider sweep" not in said(found)


def test_a_pareto_set_leaves_out_stages_that_have_other_metrics(with_trials: Any) -> None:
    """Neither trials nor pretraining have a loss on a new domain."""
    found = pareto(with_trials.store, on=["new_domain_loss", "amu_gb"])
    assert [found.group.comparison["stage"] for found in found.groups] == ["fine-tuning"]


def test_a_metric_that_nothing_can_have_is_shown_without_values(shelf: Any) -> None:
    """Asked for by name, it is answered: no technique has it."""
    shelf.repeats("MHA", ppl=[50.0, 51.0])
    (block,) = rank(shelf.store, metrics=["new_domain_loss"]).blocks
    assert [(cell.technique, cell.rank) for cell in block.cells] == [("MHA", None)]


def test_one_base_under_two_names_is_one_table_by_the_first_of_them(shelf: Any) -> None:
    """Two folders with the same files are one model: what was done to either is compared."""
    tune(shelf, "LoRA", identity={"model": "b", "base": "f00d"}, new_domain_loss=[2.0, 2.1])
    tune(shelf, "Full", identity={"model": "a", "base": "f00d"}, new_domain_loss=[1.5, 1.6])
    tune(shelf, "Full", identity={"model": "c", "base": "beef"}, new_domain_loss=[1.5, 1.6])
    (of_a, of_c) = rank(shelf.store, metrics=["new_domain_loss"]).blocks
    assert {cell.technique for cell in of_a.cells} == {"LoRA", "Full"}
    assert [block.group.comparison["scale"] for block in (of_a, of_c)] == ["a", "c"]


def test_two_bases_of_one_name_are_two_tables(shelf: Any) -> None:
    """What is compared is the content of the weights."""
    tune(shelf, "LoRA", identity={"model": "a", "base": "f00d"}, new_domain_loss=[2.0, 2.1])
    tune(shelf, "Full", identity={"model": "a", "base": "beef"}, new_domain_loss=[1.5, 1.6])
    assert len(rank(shelf.store, metrics=["new_domain_loss"]).blocks) == 2
