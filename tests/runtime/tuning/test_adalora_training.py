"""AdaLoRA in training: its penalty is the one that peft adds to a loss, and its ranks fall."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from effdsl_runtime.tuning.methods import penalty
from effdsl_runtime.tuning.saved import Origin, save
from safetensors.torch import load_file

from effdsl.techniques.fine_tuning import AdaLoRA, LoRA
from effdsl.training import learning_rate_at

from .conftest import (
    RECIPE,
    AdamWByHand,
    assert_moved_alike,
    batches,
    built,
    copied,
    filled_up,
    put,
    stirred,
    tokens_bt,
    trained,
    tuner,
)

TARGETS = 7 * 3


def ranks(model: Any) -> list[int]:
    """Of each target, how many of its singular values are not zero."""
    return [int(p.count_nonzero()) for name, p in model.named_parameters() if "lora_E" in name]


def test_the_penalty_is_what_peft_adds_to_the_loss() -> None:
    """peft adds it where a model is called with labels; nothing is added of another method."""
    method, model = put(AdaLoRA(), built())
    stirred(model)
    ids = tokens_bt()
    with torch.no_grad():
        both = model(input_ids=ids, labels=ids).loss
        alone = model.get_base_model()(input_ids=ids, labels=ids).loss
    added = penalty(method, model)
    assert added is not None
    assert (both - alone).item() == pytest.approx(added.item(), abs=2e-6)
    assert added.item() > 1e-2
    assert penalty(*put(LoRA(), built())) is None


@pytest.mark.slow
def test_what_is_minimised_is_the_loss_of_peft() -> None:
    """The steps are those on peft's loss, which has the penalty in it once, in however many micro-batches;
    what a step returns is the loss without it."""
    (method, model), (_, theirs) = (put(AdaLoRA(), built(), steps=40) for _ in range(2))
    start = copied(trained(stirred(model)))
    flat = list(trained(stirred(theirs)).values())
    optimizer, training = AdamWByHand(flat), tuner(method, model, 40, micro=2)
    for step, batch in enumerate(batches(3)):  # before any rank falls
        minimised = theirs(**filled_up(batch)).loss
        added = penalty(method, theirs)
        assert added is not None
        expected = (minimised - added).item()
        optimizer.step(torch.autograd.grad(minimised, flat), learning_rate_at(step, 40, RECIPE))
        assert training.step(step, batch) == pytest.approx(expected, rel=1e-5)
    assert_moved_alike(copied(trained(model)), copied(trained(theirs)), start)


@pytest.mark.slow
def test_ranks_fall_to_what_was_asked_on_average(tmp_path: Path) -> None:
    """By a cube (eq. 12 of its paper) from the initial rank, which all have for a tenth of the steps, until a
    quarter of them is left; then they stay, and only what they keep is saved."""
    method, model = put(AdaLoRA(rank=3, initial_rank=6), built(), steps=20)
    training = tuner(method, model, 20)
    seen = []
    for step, batch in enumerate(batches(20, 4)):
        training.step(step, batch)
        seen.append(ranks(model))
    left = [max(0.0, 1 - max(0, step - 2) / (20 - 2 - 5)) for step in range(20)]
    assert [sum(each) for each in seen] == [3 * TARGETS + int(3 * TARGETS * part**3) for part in left]
    assert all(each == seen[-1] for each in seen[15:])
    assert len(set(seen[-1])) > 1
    save(method, model, None, Origin("mine", "main"), tmp_path)
    saved = load_file(tmp_path / "adapter_model.safetensors")
    assert sum(tensor.numel() for name, tensor in saved.items() if "lora_E" in name) == 3 * TARGETS


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 2, 3, 5])
def test_few_steps_are_enough(steps: int, tmp_path: Path) -> None:
    """A training that ends before ranks could fall is trained and saved all the same."""
    method, model = put(AdaLoRA(), built(), steps)
    training = tuner(method, model, steps)
    for step, batch in enumerate(batches(steps, 2)):
        training.step(step, batch)
    save(method, model, None, Origin("mine", "main"), tmp_path)
    assert (tmp_path / "adapter_model.safetensors").is_file()
