"""LoRA and its kin against their formulas, written out on merged weights of plain torch."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call
from torch.testing import assert_close

from effdsl.techniques.fine_tuning import OFT, DoRA, LoRA, LoRAPlus, PiSSA, RSLoRA
from effdsl.techniques.fine_tuning.method import Method
from effdsl.training import TrainingRecipe, learning_rate_at

from .conftest import (
    KINDS,
    METHODS,
    RECIPE,
    AdamWByHand,
    assert_moved_alike,
    batches,
    built,
    by_hand,
    copied,
    logits_of,
    put,
    stirred,
    tokens_bt,
    trained,
    tuner,
)

Pairs = dict[str, tuple[Tensor, Tensor]]
"""``A`` and ``B`` by the name of the weight that they belong to."""
EACH = [
    pytest.param(kind, method, id=f"{kind}-{method}")
    for kind in KINDS
    for method in METHODS
    if not (kind == "deepseek_v3" and isinstance(method, OFT))  # refused for latent attention
]


def pairs_of(model: Any) -> Pairs:
    """Of peft's model."""
    found = copied(trained(model))
    firsts = [name for name in found if ".lora_A." in name]
    return {
        name.removeprefix("base_model.model.").replace("lora_A.default.", ""): (
            found[name],
            found[name.replace("lora_A", "lora_B")],
        )
        for name in firsts
    }


def flattened(pairs: Pairs) -> dict[str, Tensor]:
    return {f"{name} {i}": t.detach() for name, pair in pairs.items() for i, t in enumerate(pair)}


def logits_with(model: Any, weights: dict[str, Tensor], tokens: Tensor) -> Tensor:
    """Of the base with some of its weights replaced."""
    logits: Tensor = functional_call(model, weights, kwargs={"input_ids": tokens, "use_cache": False}).logits
    return logits


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_steps_of_lora_are_those_of_a_and_b_beside_a_frozen_weight(kind: str) -> None:
    """Of W + (alpha/r) B A, put into the plain model; AdamW, clip and schedule written out."""
    plain = built(kind).requires_grad_(False)
    method, model = put(LoRA(rank=3, alpha=5), built(kind))
    stirred(model)
    pairs, start = pairs_of(model), pairs_of(model)
    assert len(pairs) == plain.config.num_hidden_layers * len(method.names())
    flat = [tensor.requires_grad_() for pair in pairs.values() for tensor in pair]
    optimizer, training = AdamWByHand(flat), tuner(method, model, steps=3)
    for step, batch in enumerate(batches(3)):
        merged = {name: plain.get_parameter(name) + 5 / 3 * b @ a for name, (a, b) in pairs.items()}
        logits = [logits_with(plain, merged, torch.tensor([example.tokens]))[0] for example in batch]
        loss = by_hand(logits, batch)
        gradients = torch.autograd.grad(loss, flat)
        optimizer.step(gradients, learning_rate_at(step, 3, RECIPE))
        assert training.step(step, batch) == pytest.approx(loss.item(), rel=2e-6)
    assert_moved_alike(flattened(pairs_of(model)), flattened(pairs), flattened(start))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["qwen2", "gpt_neox"])
@pytest.mark.parametrize(
    ("method", "scale"),
    [
        (LoRA(rank=4, alpha=6), 6 / 4),
        (LoRAPlus(rank=4, alpha=6), 6 / 4),
        (RSLoRA(rank=4, alpha=6), 6 / math.sqrt(4)),
        (RSLoRA(rank=7, alpha=6), 6 / math.sqrt(7)),
    ],
    ids=str,
)
def test_the_product_is_scaled_as_its_paper_says(method: Method, scale: float, kind: str) -> None:
    """By alpha over the rank, and of RSLoRA by alpha over its root."""
    plain = built(kind)
    model = stirred(put(method, built(kind))[1])
    weights = {n: plain.get_parameter(n) + scale * b @ a for n, (a, b) in pairs_of(model).items()}
    assert_close(logits_of(model), logits_with(plain, weights, tokens_bt()), atol=2e-5, rtol=1e-4)


def test_dora_is_a_magnitude_times_a_direction() -> None:
    """Each row of W + s B A over its norm, times what is trained."""
    plain = built()
    model = stirred(put(DoRA(rank=4, alpha=6), built())[1])
    said = copied(trained(model))
    weights = {}
    for name, (a, b) in pairs_of(model).items():
        place = f"base_model.model.{name.removesuffix('.weight')}.lora_magnitude_vector.default.weight"
        direction = plain.get_parameter(name).detach() + 1.5 * b @ a
        weights[name] = said[place][:, None] * direction / direction.norm(dim=1, keepdim=True)
    assert_close(logits_of(model), logits_with(plain, weights, tokens_bt()), atol=2e-5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "method"), EACH)
def test_every_method_starts_as_the_base(kind: str, method: Method) -> None:
    """Its logits are those of the model as it was loaded."""
    model = built(kind)
    before = logits_of(model)
    assert_close(logits_of(put(method, model)[1]), before, atol=1e-5, rtol=0)


def test_pissa_starts_with_the_largest_singular_values() -> None:
    """s B A is the best approximation of W of its rank, and what is frozen is the rest; A is its right
    singular vectors, each with the root of its value over s."""
    plain = built()
    _, model = put(PiSSA(rank=5, alpha=15, iterations=None), built())
    for name, (a, b) in pairs_of(model).items():
        w = plain.get_parameter(name).detach()
        u, s, vh = torch.linalg.svd(w.double(), full_matrices=False)
        top = (u[:, :5] * s[:5] @ vh[:5]).float()
        assert_close(3 * b @ a, top, atol=1e-5, rtol=0)
        frozen = model.get_parameter(f"base_model.model.{name.removesuffix('weight')}base_layer.weight")
        assert_close(frozen.detach(), w - top, atol=1e-5, rtol=0)
        for gram in (a @ a.T, b.T @ b):
            assert_close(gram, torch.diag(s[:5].float() / 3), atol=1e-5, rtol=0)


def test_pissa_by_iterations_takes_out_nearly_as_much() -> None:
    """What the default leaves of a weight is at most two hundredths more than the least that can be left."""
    plain = built()
    for name, (a, b) in pairs_of(put(PiSSA(rank=4, alpha=4), built())[1]).items():
        w = plain.get_parameter(name).detach()
        least = torch.linalg.svdvals(w)[4:].norm()
        assert least <= (w - b @ a).norm() * 1.00001
        assert (w - b @ a).norm() < 1.02 * least


def test_b_of_lora_plus_moves_as_often_faster_as_its_ratio_says() -> None:
    """From the same start the first step of AdamW moves every element by about the learning rate."""
    rate = 1e-3
    recipe = TrainingRecipe(learning_rate=rate, weight_decay=0.0, warmup=0.0, gradient_clip=1e6)
    moved = []
    for method in (LoRA(), LoRAPlus(ratio=5.0)):
        resolved, model = put(method, built())
        before = pairs_of(stirred(model))
        tuner(resolved, model, recipe=recipe).step(0, batches(1)[0])
        after = pairs_of(model)
        moved.append({n: (after[n][0] - a, after[n][1] - b) for n, (a, b) in before.items()})
    plain, plus = moved
    for name, (a, b) in plain.items():
        assert_close(plus[name], (a, 5 * b), atol=1e-6, rtol=1e-4)
        assert_close(b.abs().median(), torch.tensor(rate), atol=1e-6, rtol=1e-3)
