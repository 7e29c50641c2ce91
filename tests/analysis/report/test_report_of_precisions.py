"""The report of a study of precisions: what the paper's Figure 5 draws, a panel per model."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from effdsl_analysis import Evidence, pareto, scores
from effdsl_analysis.report import report

from ..inference_results import store

pytestmark = pytest.mark.slow

SIZES = {"BF16": 16.0, "INT8": 9.0, "INT4": 5.0}


@pytest.fixture(scope="module")
def filled(shared_shelf: Any) -> Any:
    for model in ("phi-4", "yi-34b"):
        for precision, size in SIZES.items():
            values = [size, size * 1.01, size * 1.03]
            store(
                shared_shelf,
                precision,
                study="mine",
                identity={"model": model},
                avg_perf=[value / 40 for value in values],
                it_tokens_per_s=[1000 / value for value in values],
                amu_gb=values,
                weight_bytes=[size * 1e9] * 3,
            )
    return shared_shelf.store


def test_the_panels_are_those_of_figure_5(filled: Any) -> None:
    """Quality first, then speed, memory and bytes, for each model."""
    page = report(filled, ["mine"], kinds=[Evidence.MEASURED])
    (block,) = re.findall(r'<script[^>]*>(\{"panels".*?)</script>', page, re.DOTALL)
    panels = json.loads(block)["panels"]
    drawn = panels if isinstance(panels, list) else list(panels.values())
    assert [panel["metrics"][0]["name"] for panel in drawn] == ["avg_perf", "avg_perf"]
    assert all(
        {"it_tokens_per_s", "amu_gb", "weight_bytes"} <= {m["name"] for m in p["metrics"]} for p in drawn
    )
    assert "Figure 5" in page


def test_scores_are_of_each_model(filled: Any) -> None:
    """0.1 for the worst and 1.0 for the best of each metric."""
    found = {(score.scale, score.technique): score.normalised for score in scores(filled, "mine").scores}
    assert found["phi-4", "INT4"]["it"] == pytest.approx(1.0)
    assert found["phi-4", "BF16"]["avg_perf"] == pytest.approx(1.0)
    assert found["yi-34b", "INT4"]["weights"] == pytest.approx(1.0)


def test_quality_against_bytes_and_speed_has_a_front_for_each_model(filled: Any) -> None:
    """Better scores cost bytes, so that each precision is worth choosing from."""
    front = pareto(filled, "mine", on=["avg_perf", "weight_bytes", "it_tokens_per_s"])
    places = [{cell.technique: cell.place.value for cell in group.cells} for group in front.groups]
    assert places == [dict.fromkeys(SIZES, "front")] * 2
