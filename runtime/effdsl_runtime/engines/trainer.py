"""One optimizer step of pretraining: AdamW, clipping, gradient accumulation, autocast."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from effdsl.training import TrainingRecipe, learning_rate_at
from effdsl_runtime.data.batches import Windows
from effdsl_runtime.device import autocast
from effdsl_runtime.engines.replicas import Replica
from effdsl_runtime.model.decoder import DecoderLM
from effdsl_runtime.model.feed_forward import Routings
from effdsl_runtime.model.mixer import Mixer


class Trains(Protocol):
    """What trains a model, step by step; several processes of a task each have one, and call it together."""

    def step(self, step: int, windows_bs: Windows) -> float:
        """Train on one batch; returns its mean cross-entropy in nats per token."""

    def evaluate(self, windows_ns: Windows, routings: Routings | None = None) -> float:
        """Mean cross-entropy over all targets of ``windows_ns``, in nats per token. ``routings`` collects how
        layers with experts sent the tokens, where the whole model is in this process."""


class Trainer:
    """A model and its optimizer.

    ``step`` takes windows ``x_bs`` (s = context length + 1) in micro-batches; their gradients add up to
    that of the mean loss of the whole batch. Where the model has experts, each micro-batch adds how
    unevenly it was routed to what is minimised, and nothing to what is reported.
    """

    def __init__(
        self,
        model: DecoderLM,
        recipe: TrainingRecipe,
        steps: int,
        micro_batch_size: int,
        device: torch.device,
        replica: Replica | None = None,
    ) -> None:
        """``replica`` is what trains ``model`` where this process does not do it alone."""
        self.model = model
        self._replica = replica or Replica(model)
        self._recipe = recipe
        self._steps = steps
        self._micro_batch_size = micro_batch_size
        self._device = device
        self._optimizer = adamw(model, recipe)

    def step(self, step: int, windows_bs: Windows) -> float:
        """Train on one batch; returns its mean cross-entropy in nats per token, read from the device."""
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate_at(step, self._steps, self._recipe)
        loss = self._accumulate(windows_bs)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self._recipe.gradient_clip, foreach=True)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return float(loss.item())

    def evaluate(self, windows_ns: Windows, routings: Routings | None = None) -> float:
        """Mean cross-entropy over all targets of ``windows_ns``: see :func:`evaluate`."""
        size, dtype = self._micro_batch_size, self._recipe.dtype
        return evaluate(self.model, windows_ns, size, self._device, dtype, routings)

    def _accumulate(self, windows_bs: Windows) -> Tensor:
        total = torch.zeros((), device=self._device)
        mine_bs = self._replica.part(windows_bs)
        parts = micro_batches(mine_bs, self._micro_batch_size, self._device)
        for number, (inputs_bt, targets_bt) in enumerate(parts, 1):
            share = len(inputs_bt) / len(mine_bs)
            with self._replica.meeting(is_last=number == len(parts)):
                with autocast(self._device, self._recipe.dtype):
                    loss, penalty = self._replica.losses(inputs_bt, targets_bt)
                minimised = loss * share + penalty * share
                minimised.backward()
            total += loss.detach() * share
        return self._replica.mean(total)


def adamw(model: torch.nn.Module, recipe: TrainingRecipe) -> torch.optim.AdamW:
    """AdamW that decays matrices and leaves alone vectors (norms, biases) and what a mixer says."""
    mixers = [module for module in model.modules() if isinstance(module, Mixer)]
    exempt = {id(parameter) for mixer in mixers for parameter in mixer.no_weight_decay()}
    decayed: list[Tensor] = []
    left_alone: list[Tensor] = []
    for parameter in model.parameters():
        if parameter.requires_grad:
            is_matrix = parameter.ndim >= 2 and id(parameter) not in exempt
            (decayed if is_matrix else left_alone).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": left_alone, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.0, betas=(recipe.beta1, recipe.beta2), fused=True)


def micro_batches(windows_bs: Windows, size: int, device: torch.device) -> list[tuple[Tensor, Tensor]]:
    """Inputs and targets ``x_bt`` of at most ``size`` windows at a time."""
    whole_bs = torch.from_numpy(windows_bs).to(device)
    return [(part[:, :-1], part[:, 1:].contiguous()) for part in torch.split(whole_bs, size)]


@torch.no_grad()
def evaluate(
    model: DecoderLM,
    windows_ns: Windows,
    size: int,
    device: torch.device,
    dtype: str,
    routings: Routings | None = None,
) -> float:
    """Mean cross-entropy over all targets of ``windows_ns``, in nats per token.

    ``routings`` collects how layers with experts sent the tokens of each batch, layer by layer.
    """
    total = 0.0
    for inputs_bt, targets_bt in micro_batches(windows_ns, size, device):
        with autocast(device, dtype):
            total += float(model.loss(inputs_bt, targets_bt, routings).item()) * len(inputs_bt)
    return total / len(windows_ns)
