"""Laws over models: fine-tuning has models where pretraining has scales."""

from __future__ import annotations

from io import StringIO
from typing import Any

from effdsl_analysis.questions.scaling.laws import Scaling, scaling
from rich.console import Console

from ..fine_tuning_results import tune


def said(found: Scaling) -> str:
    """What is printed, as one line of single spaces."""
    console = Console(file=StringIO(), width=100)
    with console.capture() as captured:
        console.print(found)
    return " ".join(captured.get().split())


def fitted(shelf: Any, models: int) -> Scaling:
    """Losses that fall with the parameters of models, the smallest first."""
    for place in range(models):
        for method in ("LoRA", "Full"):
            identity = {"model": f"llama-{place}-{10**place}m", "parameters": 1_000_000 * 10**place}
            tune(shelf, method, identity=identity, new_domain_loss=[4.0 / (1 + place), 4.1 / (1 + place)])
    return scaling(shelf.store, metrics=["new_domain_loss"])


def test_three_models_have_a_law_and_are_called_models(shelf: Any) -> None:
    """They differ in more than size."""
    text = said(fitted(shelf, 3))
    assert "over 3 different models" in text
    assert "falls" in text or "unclear" in text


def test_too_few_models_are_not_told_to_take_scales(shelf: Any) -> None:
    """A study of models takes no `scales=`."""
    text = said(fitted(shelf, 2))
    assert "2 sizes, and a law needs three" in text
    assert "A study of three models of different sizes shows" in text
    assert "scales=" not in text
