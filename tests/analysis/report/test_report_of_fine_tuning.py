"""The report of a fine-tuning study: efficiency and loss as in the paper's Figure 4."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from effdsl_analysis.report import report
from effdsl_analysis.vocabulary import Evidence

from ..conftest import Shelf
from ..fine_tuning_results import METHODS, tune
from . import chromium

pytestmark = pytest.mark.slow  # a page takes seconds to write


def study(shelf: Shelf, **without: None) -> str:
    """The page of a study of seven methods on two models."""
    for model in ("llama-3.2-1b", "llama-3.2-3b"):
        for place, method in enumerate(METHODS, start=1):
            values = [place, place * 1.01]
            metrics: dict[str, Any] = {
                "new_domain_loss": values,
                "amu_gb": values,
                "pcu": [value / 10 for value in values],
                "al_s_per_iter": values,
                "st_samples_per_param_s": values,
                "aec_w": values,
            }
            tune(
                shelf,
                method,
                study="ft",
                identity={"model": model},
                held_out=[[(0, 9.0), (10, value)] for value in values],
                **{name: value for name, value in metrics.items() if name not in without},
            )
    return report(shelf.store, ["ft"], kinds=[Evidence.MEASURED])


@pytest.fixture(scope="module")
def page(shared_shelf: Shelf) -> str:
    return study(shared_shelf)


def panels(page: str) -> list[dict[str, Any]]:
    (block,) = re.findall(r'<script[^>]*>(\{"panels".*?)</script>', page, re.DOTALL)
    return list(json.loads(block)["panels"].values())


def test_it_is_drawn_as_figure_4_a_panel_per_model(page: str) -> None:
    """Bars of eq. 12 upwards and of the quality, the first metric, downwards."""
    (kind,) = re.findall(r'data-chart="profile" data-kind="([\w-]+)"', page)
    assert kind == "efficiency-printed"
    assert "as in the paper's Figure 4" in unescape(page)
    found = panels(page)
    assert [panel["title"].partition(" · ")[0] for panel in found] == ["llama-3.2-1b", "llama-3.2-3b"]
    for panel in found:
        assert panel["metrics"][0]["name"] == "new_domain_loss"
        assert len(panel["techniques"]) == len(panel["efficiency"]) == len(METHODS)
        assert all(panel["efficiency"])


def test_without_power_it_is_a_profile(shelf: Shelf) -> None:
    """Eq. 12 needs all five metrics, so no score is drawn, nor offered."""
    page = study(shelf, aec_w=None)
    assert 'data-chart="profile" data-kind="radar"' in page
    assert "as in the paper's Figure 4" not in unescape(page)
    assert '<option value="efficiency-printed">' not in page


def test_rankings_say_what_was_not_the_same(page: str) -> None:
    """As the command does, under each table."""
    notes = [unescape(note) for note in re.findall(r'<p class="note">(Mean .*?)</p>', page)]
    assert len(notes) == 2
    for note in notes:
        assert "Compared across trainable shares: from 2% to 100% of the parameters." in note
        assert "Learning rates were not tuned" in note


WIDE = {
    "new_domain_loss": 6.98,
    "forgetting": 0.12,
    "trainable_parameters": 1_001_600.0,
    "amu_gb": 0.4476,
    "peak_memory_gb": 0.4594,
    "pcu": 0.42,
    "al_s_per_iter": 0.133,
    "tokens_per_s": 4025.0,
    "mfu": 0.0123,
    "st_samples_per_param_s": 3.2e-5,
}
"""What a small fine-tuning has, with as many digits."""


@pytest.mark.skipif(chromium.found() is None, reason="no Chromium is installed")
def test_every_metric_of_a_ranking_is_in_sight_on_a_laptop(shelf: Shelf, tmp_path: Path) -> None:
    """Ten columns with their spreads, in a window of 1,280 pixels."""
    for method in METHODS:
        repeats = {name: [value, value * 1.013, value * 1.027] for name, value in WIDE.items()}
        tune(shelf, method, study="ft", **repeats)
    file = tmp_path / "report.html"
    file.write_text(report(shelf.store, ["ft"], kinds=[Evidence.MEASURED]), encoding="utf-8")
    with chromium.page() as tab:
        tab.call(
            "Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False
        )
        tab.open(file)
        assert (
            len(tab.ask("[...document.querySelector('.heat').rows[1].cells].map((c) => c.textContent)")) == 11
        )
        widths = "(({scrollWidth, clientWidth}) => [scrollWidth, clientWidth])"
        needed, seen = tab.ask(f"{widths}(document.querySelector('.heat').parentElement)")
    assert needed <= seen
