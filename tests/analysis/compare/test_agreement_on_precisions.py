"""Measured precisions beside Table 9."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner
from effdsl_analysis.questions.compare.agreement import compare

from effdsl.cli import group

from ..inference_results import store

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def measured(shared_shelf: Any) -> Any:
    for precision, rate, ppl in (("BF16", 100.0, 90.0), ("FP16", 120.0, 90.1), ("INT4", 150.0, 95.0)):
        store(
            shared_shelf,
            precision,
            study="mine",
            it_tokens_per_s=[rate, rate + 1, rate + 2],
            amu_gb=[rate / 50, rate / 50 + 0.1, rate / 50 + 0.2],
            ppl=[ppl, ppl + 1, ppl + 3],
        )
    return shared_shelf.store


def test_rates_and_memory_are_compared_by_the_papers_names(measured: Any) -> None:
    """int4 is faster than bfloat16 there and here; float16 is slower there and faster here."""
    found = compare(measured, "mine", table=9)
    assert {metric.metric.name for metric in found.metrics} == {"it_tokens_per_s", "amu_gb"}
    (rates,) = [metric for metric in found.metrics if metric.metric.name == "it_tokens_per_s"]
    pairs = {(pair.a, pair.b): pair.agrees for pair in rates.pairs if pair.printed_size == "phi-4"}
    assert pairs == {("BF16", "INT4"): True, ("BF16", "FP16"): False, ("FP16", "INT4"): True}


def test_what_differs_is_said_first(measured: Any) -> None:
    asked = ["compare", "mine", "--published", "table9", "--store", str(measured.root)]
    shown = CliRunner().invoke(group, asked)
    assert shown.exit_code == 0, shown.output
    assert "AMD EPYC x2" in shown.output.partition("IT")[0]
