"""A step of the tuner against plain torch: what moves, by how much, and what a batch's loss is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from effdsl_runtime.tuning.tuner import mean_loss
from torch import Tensor
from torch.nn import functional as F

from effdsl.techniques.fine_tuning import AdaLoRA, DoRA, Freeze, Full, LoRA, PiSSA
from effdsl.techniques.fine_tuning.adapter import Adapter
from effdsl.techniques.fine_tuning.method import Method
from effdsl.training import learning_rate_at

from .conftest import (
    CPU,
    KINDS,
    METHODS,
    RECIPE,
    AdamWByHand,
    assert_moved_alike,
    batches,
    built,
    by_hand,
    copied,
    filled_up,
    logits_of,
    put,
    stirred,
    train,
    trained,
    tuner,
)


def test_the_examples_are_ragged() -> None:
    """Or the tests below would say little: lengths and shares of what is predicted differ, once to one."""
    for batch in batches(3):
        assert len({len(example.tokens) for example in batch}) > 3
        assert len({sum(example.predicted) for example in batch}) > 3
        assert sum(batch[0].predicted) == 1
        assert not any(example.predicted[0] for example in batch)


def original(name: str) -> str:
    """What a tensor of the base was called before peft was put around it."""
    return name.removeprefix("base_model.model.").replace(".base_layer.", ".")


def without_key_biases(model: Any) -> dict[str, Tensor]:
    """Its parameters; what is added to all keys alike changes no softmax, so that the gradient of it is no
    more than a rounding."""
    named = dict(model.named_parameters())
    return copied({name: p for name, p in named.items() if not name.endswith("query_key_value.bias")})


def trains(method: Method, name: str) -> bool:
    """Whether a method is to change the tensor of the base that is called so."""
    if isinstance(method, Freeze):
        return name.startswith(("model.layers.1.", "model.layers.2."))
    return isinstance(method, Full)


@pytest.mark.slow
@pytest.mark.parametrize("method", [*METHODS, LoRA(dropout=0.2), LoRA(targets=["v_proj"])], ids=str)
def test_what_is_frozen_keeps_every_bit_and_the_rest_moves(method: Method) -> None:
    """By the names that tensors had before; PiSSA alone takes something out of the weights, at the start."""
    model = built()
    first = copied(dict(model.named_parameters()))
    method, model = put(method, model)
    start = copied(model.state_dict())
    learned = set(trained(model))
    train(method, model, 3)
    names = {original(name) for name in start}
    assert names >= set(first)
    for name, tensor in model.state_dict().items():
        was = original(name)
        if was in first and not trains(method, was):
            assert torch.equal(tensor, start[name]), name
            assert name not in learned
            if not (isinstance(method, PiSSA) and ".base_layer." in name):
                assert torch.equal(tensor, first[was]), name
        elif name in learned:
            assert not torch.equal(tensor, start[name]), name
        else:
            assert was not in first, name
    assert isinstance(method, Adapter) == any(name not in first for name in learned)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_full_fine_tuning_is_adamw_on_all_that_there_is(kind: str) -> None:
    """On one padded batch with its mask, by the cross-entropy of torch over all logits."""
    plain, (method, model) = built(kind), put(Full(), built(kind))
    parameters, start = list(plain.parameters()), copied(dict(plain.named_parameters()))
    optimizer, training = AdamWByHand(parameters), tuner(method, model)
    for step, batch in enumerate(batches(5)):
        inputs = filled_up(batch)
        labels = inputs.pop("labels")
        logits = plain(**inputs, use_cache=False).logits
        loss = F.cross_entropy(logits[:, :-1].transpose(1, 2), labels[:, 1:], ignore_index=-100)
        optimizer.step(torch.autograd.grad(loss, parameters), learning_rate_at(step, 5, RECIPE))
        assert training.step(step, batch) == pytest.approx(loss.item(), rel=3e-6)
    end, found = (without_key_biases(each) for each in (plain, model))
    assert_moved_alike(found, end, start)


@pytest.mark.slow
@pytest.mark.parametrize("micro", [1, 3])
@pytest.mark.parametrize("method", [Full(), Freeze(), LoRA(), DoRA(), AdaLoRA()], ids=str)
def test_micro_batches_add_up_to_the_batch(method: Method, micro: int) -> None:
    """One or three examples at a time, with unlike numbers of predicted tokens, train as eight do."""
    found: list[tuple[list[float], dict[str, Tensor], dict[str, Tensor]]] = []
    for size in (8, micro):
        resolved, model = put(method, built())
        start = copied(trained(stirred(model)))
        losses = train(resolved, model, 3, size)
        found.append((losses, copied(trained(model)), start))
    (whole, expected, start), (parts, added, _) = found
    assert parts == pytest.approx(whole, rel=5e-6)
    assert_moved_alike(added, expected, start)


@pytest.mark.parametrize("kind", KINDS)
def test_mean_loss_weighs_every_predicted_token_alike(kind: str) -> None:
    """As it is by hand, of each example's own logits, however many examples are computed at a time."""
    model = built(kind).eval()
    (examples,) = batches(1)
    with torch.no_grad():
        logits = [model(input_ids=torch.tensor([example.tokens])).logits[0] for example in examples]
    expected = by_hand(logits, examples).item()
    of_each = [by_hand([one], [example]).item() for one, example in zip(logits, examples, strict=True)]
    assert abs(sum(of_each) / len(of_each) - expected) > 1e-2  # the mean of means is something else
    for size in (1, 3, 8, 20):
        assert mean_loss(model, examples, size, CPU, "float32") == pytest.approx(expected, rel=2e-6)


def test_nothing_is_dropped_out_of_what_is_evaluated_and_training_goes_on_as_before() -> None:
    """With half of LoRA's input left out in training; a model that was not training is not after either."""
    (examples,) = batches(1)
    model = stirred(put(LoRA(dropout=0.5), built())[1])
    whole = stirred(put(LoRA(), built())[1])
    losses = {mean_loss(model, examples, 8, CPU, "float32") for _ in range(3)}
    assert losses == {mean_loss(whole, examples, 8, CPU, "float32")}
    assert model.training
    assert all(module.training for module in model.modules())
    mean_loss(model.eval(), examples, 8, CPU, "float32")
    assert not model.training


def test_training_drops_out() -> None:
    """The loss of a step with half of LoRA's input left out differs from the loss without."""
    (batch,) = batches(1)
    losses = []
    for method in (LoRA(dropout=0.5), LoRA()):
        resolved, model = put(method, built())
        losses.append(tuner(resolved, stirred(model)).step(0, batch))
    assert losses[0] != losses[1]


def test_gradients_are_gone_after_a_step() -> None:
    """None of a step comes into the next, of whatever was trained."""
    method, model = put(LoRA(), built())
    train(method, model, 1)
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS, ids=str)
def test_every_method_learns_a_batch_by_heart(method: Method) -> None:
    """Eight steps on the same examples lower their loss, at each method's usual rate for small models."""
    resolved, model = put(method, built(), steps=8)
    (batch,) = batches(1)
    before = logits_of(model)
    model.train()
    training = tuner(resolved, model, 8, 8)
    losses = [training.step(step, batch) for step in range(8)]
    assert losses[-1] < losses[0]
    assert not torch.equal(before, logits_of(model))
