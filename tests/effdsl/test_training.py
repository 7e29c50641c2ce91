"""Recipes: what an optimizer would refuse is refused where it is declared."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from effdsl import Recipe, StudyError, Sweep
from effdsl.key import canonical_json
from effdsl.training import TrainingRecipe, learning_rate_at


@pytest.mark.parametrize("name", ["beta1", "beta2"])
@pytest.mark.parametrize("value", [-0.1, 0.0, 0.5, 0.999, 1.0, 1.1])
def test_a_recipe_takes_the_betas_that_adamw_takes(name: str, value: float) -> None:
    betas = {"beta1": 0.9, "beta2": 0.95, name: value}
    try:
        torch.optim.AdamW([torch.zeros(1)], betas=tuple(betas.values()))  # type: ignore[arg-type]
    except ValueError:
        with pytest.raises(StudyError, match="must be at least 0 and below 1"):
            Recipe(**{name: value})
    else:
        assert getattr(Recipe(**{name: value}), name) == value


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"learning_rate": 0}, "must be a number above 0"),
        ({"warmup": 1.5}, "must be between 0 and 1"),
        ({"weight_decay": -0.1}, "must be between 0 and 1"),
        ({"gradient_clip": 0}, "must be a number above 0"),
        ({"dtype": "fp8"}, "allowed: 'auto', 'float32', 'bfloat16'"),
    ],
    ids=str,
)
def test_a_wrong_choice_says_what_is_allowed(choices: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        Recipe(**choices)


@pytest.mark.parametrize("steps", [2, 5, 20, 300])
@pytest.mark.parametrize("warmup", [0.0, 0.05, 0.5])
def test_the_rate_reaches_its_peak_with_the_warmup_and_its_end_with_the_last_step(
    steps: int, warmup: float
) -> None:
    recipe = TrainingRecipe(learning_rate=1.0, warmup=warmup, final_learning_rate=0.1)
    rates = [learning_rate_at(step, steps, recipe) for step in range(steps)]
    assert rates[-1] == pytest.approx(0.1)
    assert max(rates) == rates[max(1, round(warmup * steps)) - 1] == 1.0


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ([1e-3], "at least two different"),
        ([1e-3, 1e-3], "at least two different"),
        (1e-3, "expected a list"),
        ([1e-3, -1.0], "must be a number above 0"),
        ([1e-3, "fast"], "must be a number above 0"),
    ],
    ids=str,
)
def test_a_sweep_that_has_no_choice_to_offer_is_refused(rates: Any, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        Sweep(rates)


def test_the_order_in_which_rates_are_written_is_no_part_of_a_sweep() -> None:
    assert canonical_json(Sweep([1e-2, 1e-3])) == canonical_json(Sweep((1e-3, 0.01)))
