"""Measured and printed orders of the same techniques, side by side."""

from __future__ import annotations

import csv
import json
import re
from importlib.resources import files
from io import StringIO
from itertools import combinations, product
from math import isclose, sqrt
from typing import Any

import pytest
from click.testing import CliRunner
from effdsl_analysis.ask import UnknownName
from effdsl_analysis.questions.compare.agreement import Agreement, MetricAgreement, compare
from effdsl_analysis.relations import relation
from rich.console import Console
from scipy.stats import kendalltau

from effdsl.cli import group

from ..fine_tuning_results import counted, tune

pytestmark = pytest.mark.slow

PPL = {
    "MQA": [9.0, 9.1, 9.2],
    "GQA": [8.0, 8.1, 8.2],
    "MLA": [7.0, 7.3, 7.1],
    "NSA": [7.9, 8.3, 8.1],  # not told apart from GQA
}


def printed(method: str, size: str, column: str) -> float:
    """What Table 3 prints, read from its file."""
    table = files("effdsl_registry.published").joinpath("table03_attention.csv")
    with table.open(encoding="utf-8", newline="") as file:
        (row,) = [
            row
            for row in csv.DictReader(file)
            if (row["method"], row["parameters_printed"]) == (method, size)
        ]
    return float(row[column])


def train(shelf: Any, **ppl: list[float]) -> Any:
    """A store with these perplexities of each attention, one per repeat."""
    for technique, values in ppl.items():
        shelf.repeats(technique, ppl=values, backbone="Transformer", feed_forward="SwiGLU")
    return shelf.store


@pytest.fixture(scope="module")
def trained(shared_shelf: Any) -> Any:
    return train(shared_shelf, **PPL)


def ppl(found: Agreement) -> MetricAgreement:
    (metric,) = [metric for metric in found.metrics if metric.metric.name == "ppl"]
    return metric


@pytest.mark.slow
@pytest.mark.parametrize("size", ["0.5B", "1.5B", "3B"])
def test_tau_is_kendalls_tau_b_of_the_means(trained: Any, size: str) -> None:
    (tau,) = [tau for tau in ppl(compare(trained, table=3)).taus if tau.printed_size == size]
    means = [sum(values) / 3 for values in PPL.values()]
    expected = kendalltau([printed(name.lower(), size, "ppl") for name in PPL], means).statistic
    assert tau.tau == pytest.approx(expected)


def test_the_range_of_tau_is_that_of_all_ways_in_which_unresolved_pairs_may_go(trained: Any) -> None:
    metric = ppl(compare(trained, table=3))
    for tau in metric.taus:
        pairs = [pair for pair in metric.pairs if pair.printed_size == tau.printed_size]
        sign = {"lower": (-1,), "higher": (1,), "tied": (-1, 1), "undecided": (-1, 1)}
        found = [
            sum(a * sign[pair.printed.value][0] for a, pair in zip(ways, pairs, strict=True)) / sqrt(6 * 6)
            for ways in product(*(sign[pair.measured.value] for pair in pairs))
        ]
        assert isclose(tau.tau_low or 0, min(found))
        assert isclose(tau.tau_high or 0, max(found))
        assert tau.tau_low != tau.tau_high, "NSA and GQA are not told apart"


def test_every_pair_says_how_each_side_orders_it(trained: Any) -> None:
    metric = ppl(compare(trained, table=3))
    assert len(metric.pairs) == 3 * len(list(combinations(PPL, 2)))
    for pair in metric.pairs:
        a, b = (printed(name.lower(), pair.printed_size, "ppl") for name in (pair.a, pair.b))
        assert pair.printed.value == ("lower" if b < a else "higher")
        if {pair.a, pair.b} == {"GQA", "NSA"}:
            assert (pair.measured.value, pair.agrees) == ("tied", None)
        else:
            assert pair.measured.value == ("lower" if PPL[pair.b][0] < PPL[pair.a][0] else "higher")
            assert pair.agrees == (pair.measured is pair.printed)


def test_what_differs_is_said_and_what_is_the_same_is_not(trained: Any) -> None:
    facts = {fact.name: (fact.printed, fact.measured) for fact in compare(trained, table=3).differs}
    assert facts == {
        "hardware": ("48 × GH200", "AMD EPYC x2"),
        "data": ("fineweb-edu", "Shakespeare"),
        "size": ("0.5B, 1.5B, 3B", "3M"),
        "context length": (None, "256"),
        "micro-batch size": ("4, 2, 1", "8"),
    }


def test_a_technique_that_the_table_does_not_print_is_left_out(shelf: Any) -> None:
    store = train(shelf, **PPL, MoBA=[1.0, 1.1, 1.2])
    assert {value.method for value in ppl(compare(store, table=3)).values} == {
        "mqa", "gqa", "mla", "nsa"
    }  # fmt: skip


def test_one_repeat_decides_nothing(shelf: Any) -> None:
    for place, technique in enumerate(PPL):
        shelf.add(technique, ppl=5.0 + place, backbone="Transformer", feed_forward="SwiGLU")
    metric = ppl(compare(shelf.store, table=3))
    assert {pair.measured.value for pair in metric.pairs} == {"undecided"}
    assert {(tau.tau_low, tau.tau_high, tau.resolved) for tau in metric.taus} == {(-1.0, 1.0, 0)}


@pytest.mark.slow
def test_nothing_in_common_is_a_mistake_in_the_call_and_says_what_each_has(trained: Any) -> None:
    with pytest.raises(UnknownName, match=r"share no two techniques: measured GQA, .* printed dora, freeze"):
        compare(trained, table=7)
    with pytest.raises(UnknownName, match="no table 70 of results; there are: table3, "):
        compare(trained, table=70)


def test_its_pairs_are_the_rows_of_a_relation(trained: Any) -> None:
    found = relation(compare(trained, table=3))
    told = found.filter("measured_size = '3M' AND agrees").project("a, b, printed_size").fetchall()
    assert ("GQA", "MQA", "0.5B") in told
    assert len(found.fetchall()) == 18


@pytest.mark.slow
def test_the_command_shows_and_gives_json(trained: Any) -> None:
    call = ["compare", "--published", "Table 3", "--store", str(trained.root)]
    shown = CliRunner().invoke(group, call)
    assert shown.exit_code == 0, shown.output
    assert "48 × GH200" in shown.output
    assert max(map(len, shown.output.splitlines())) <= 100
    document = json.loads(CliRunner().invoke(group, [*call, "--json"]).output)
    assert document["table"] == "Table 3"
    assert [metric["metric"] for metric in document["metrics"]] == ["ppl"]


def test_a_table_that_is_no_number_is_refused() -> None:
    refused = CliRunner().invoke(group, ["compare", "--published", "attention"])
    assert refused.exit_code == 2
    assert "write table3 for Table 3" in refused.output


@pytest.mark.usefixtures("trained")
def test_the_study_is_named_as_every_question_names_it(shared_shelf: Any) -> None:
    """The first word after the command is the study; without one it is all that the store has."""
    said_of = {}
    for study in ([], ["ft"]):
        run = ["compare", *study, "--published", "table3", "--store", str(shared_shelf.root)]
        said_of[bool(study)] = CliRunner().invoke(group, run)
    assert "everything in the store, measured here" in " ".join(said_of[False].output.split())
    assert said_of[True].exit_code == 2
    assert "no study 'ft'" in said_of[True].output


def test_the_table_that_is_missing_is_asked_for_with_the_command_to_type() -> None:
    """Which is right but for the table, and the tables are named."""
    refused = CliRunner().invoke(group, ["compare", "small/attention"])
    assert refused.exit_code == 2
    assert "effdsl compare small/attention --published table3" in " ".join(refused.output.split())
    assert "table7" in refused.output


def test_fine_tuning_stands_beside_the_tables_of_its_methods(shelf: Any) -> None:
    """Methods have the names that the paper prints, data as well, and the loss is the training loss."""
    for place, method in enumerate(("Freeze", "LoRA", "LoRAPlus", "RSLoRA", "DoRA", "PiSSA", "Full")):
        tune(shelf, method, study="ft", loss=[1 + place, 1.1 + place, 1.2 + place], new_domain_loss=2.0)
    found = compare(shelf.store, "ft", table=7)
    (metric,) = found.metrics
    assert metric.metric.name == "loss"
    measured = {value.method for value in metric.values if value.side == "measured"}
    assert measured == {"freeze", "lora", "lora-plus", "rslora", "dora", "pissa", "full"}
    assert {(tau.measured_size, tau.pairs) for tau in metric.taus} >= {("llama-3.2-1b", 21)}
    assert {fact.name for fact in found.differs} == {"hardware", "size", "context length", "micro-batch size"}


def test_examples_that_lost_their_end_are_said_to_differ(shelf: Any) -> None:
    """The paper does not say how many of its examples were longer than its context."""
    for place, method in enumerate(("Freeze", "LoRA", "Full")):
        losses = [1.0 + place, 1.1 + place, 1.2 + place]
        tune(shelf, method, study="ft", examples=counted(truncated=24), loss=losses)
    (fact,) = [fact for fact in compare(shelf.store, "ft", table=7).differs if "end" in fact.name]
    assert (fact.name, fact.printed, fact.measured) == (
        "training examples that lost their end",
        None,
        "24 of 800",
    )


def test_agreement_is_counted_among_the_pairs_that_repeats_tell_apart(shelf: Any) -> None:
    """Where one model's repeats overlap, its pair neither agrees nor disagrees."""
    for model, losses in (("a-1b", [1.0, 1.1, 1.2]), ("b-1b", [0.1, 9.0, 2.0])):
        tune(shelf, "Freeze", study="ft", identity={"model": model}, loss=losses)
        tune(shelf, "LoRA", study="ft", identity={"model": model}, loss=[2.0, 2.2, 2.4])
    text = said(compare(shelf.store, "ft", table=7))
    assert re.search(r"Freeze – LoRA .* of 7 told apart", text)


def said(found: Agreement) -> str:
    """What is printed on a wide terminal, as one line of single spaces."""
    console = Console(file=StringIO(), width=1000)
    with console.capture() as captured:
        console.print(found)
    return " ".join(captured.get().split())
