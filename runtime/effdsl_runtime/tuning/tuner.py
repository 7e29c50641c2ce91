"""One optimizer step of fine-tuning, and the loss of examples that are not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from effdsl.techniques.fine_tuning.method import Method
from effdsl.training import TrainingRecipe, learning_rate_at
from effdsl_runtime.data.example_batches import NOT_PREDICTED, padded, predicted_tokens
from effdsl_runtime.data.model_tokenizer import Example
from effdsl_runtime.device import autocast
from effdsl_runtime.model.loss import linear_cross_entropy
from effdsl_runtime.tuning.methods import after_step, groups, penalty


class Tuner:
    """A model with a method in it, and its optimizer.

    A batch is worked through in micro-batches; their gradients add up to that of the mean loss over all
    predicted tokens of the batch, however they are spread over its examples.
    """

    def __init__(
        self,
        method: Method,
        model: Any,
        recipe: TrainingRecipe,
        steps: int,
        micro_batch_size: int,
        device: torch.device,
    ) -> None:
        self.model = model
        self._method, self._recipe, self._steps = method, recipe, steps
        self._micro_batch_size, self._device = micro_batch_size, device
        self._rates = [group.rate for group in groups(method, model)]
        self._optimizer = torch.optim.AdamW(
            [{"params": group.parameters} for group in groups(method, model)],
            lr=0.0,
            betas=(recipe.beta1, recipe.beta2),
            weight_decay=recipe.weight_decay,
            fused=True,
        )
        self._trained = [p for group in self._optimizer.param_groups for p in group["params"]]

    def step(self, step: int, batch: Sequence[Example]) -> float:
        """Train on ``batch``; returns its mean cross-entropy in nats per predicted token."""
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * learning_rate_at(step, self._steps, self._recipe)
        loss = self._accumulate(batch)
        torch.nn.utils.clip_grad_norm_(self._trained, self._recipe.gradient_clip, foreach=True)
        self._optimizer.step()
        after_step(self._method, self.model, step)
        self._optimizer.zero_grad(set_to_none=True)
        return float(loss.item())

    def _accumulate(self, batch: Sequence[Example]) -> Tensor:
        predicted = sum(map(predicted_tokens, batch))
        total = torch.zeros((), device=self._device)
        for micro in micro_batches(batch, self._micro_batch_size):
            share = sum(map(predicted_tokens, micro)) / predicted
            with autocast(self._device, self._recipe.dtype):
                loss = loss_of(self.model, micro, self._device) * share
            more = penalty(self._method, self.model)
            minimised = loss if more is None else loss + more * (len(micro) / len(batch))
            minimised.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        return total


def loss_of(model: Any, batch: Sequence[Example], device: torch.device) -> Tensor:
    """Mean cross-entropy of the predicted tokens of ``batch``, in nats.

    The output layer is computed for what is predicted alone. Nothing is masked but by causality: what fills
    a batch up stands behind all that counts.
    """
    input_ids_bt, labels_bt = padded(batch)
    targets_n = labels_bt[:, 1:].flatten()
    kept_n = targets_n != NOT_PREDICTED
    inside = inner_model(model)
    x_btd = inside.base_model(input_ids=input_ids_bt.to(device), use_cache=False).last_hidden_state
    x_nd = x_btd[:, :-1].flatten(0, 1)[kept_n.to(device)]
    weight_vd = inside.get_output_embeddings().weight
    return linear_cross_entropy(x_nd, weight_vd, targets_n[kept_n].to(device))


@torch.no_grad()
def mean_loss(
    model: Any, examples: Sequence[Example], micro_batch_size: int, device: torch.device, dtype: str
) -> float:
    """Mean cross-entropy of all predicted tokens of ``examples``, in nats; nothing is dropped out."""
    training = model.training
    model.eval()
    total = 0.0
    for micro in micro_batches(examples, micro_batch_size):
        with autocast(device, dtype):
            total += float(loss_of(model, micro, device).item()) * sum(map(predicted_tokens, micro))
    model.train(training)
    return total / sum(map(predicted_tokens, examples))


def inner_model(model: Any) -> Any:
    """The model of transformers, without what peft puts around it."""
    return model.get_base_model() if hasattr(model, "peft_config") else model


def micro_batches(batch: Sequence[Example], size: int) -> list[Sequence[Example]]:
    """At most ``size`` examples at a time."""
    return [batch[start : start + size] for start in range(0, len(batch), size)]
