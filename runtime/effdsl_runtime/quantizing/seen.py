"""What the linear maps of a layer multiply while a model reads calibration text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from effdsl_runtime.quantizing.linear_map import Layer
from effdsl_runtime.quantizing.stored import Inputs


class _Read(Exception):
    """The layer has been computed; what comes after it would be for nothing."""


class _Sums:
    """Over all rows that a linear map was given."""

    def __init__(self) -> None:
        self.rows = 0
        self.products_ii: Tensor | float = 0.0
        self.sizes_i: Tensor | float = 0.0

    def add(self, module: nn.Module, args: tuple[Tensor, ...]) -> None:
        x_ni = args[0].reshape(-1, args[0].shape[-1]).float()
        self.rows += len(x_ni)
        self.products_ii += x_ni.T @ x_ni
        self.sizes_i += x_ni.abs().sum(0)


def inputs_seen(model: Any, layer: Layer, batches: Sequence[Tensor]) -> Mapping[str, Inputs]:
    """By name, what each linear map of ``layer`` that was used at all multiplied while ``model`` read
    ``batches``, up to that layer."""
    sums = {place.name: _Sums() for place in layer.places}
    hooks = [place.module.register_forward_pre_hook(sums[place.name].add) for place in layer.places]
    hooks.append(layer.module.register_forward_hook(_stop))
    try:
        for tokens_bt in batches:
            try:
                model(tokens_bt, use_cache=False)
            except _Read:
                continue
    finally:
        for hook in hooks:
            hook.remove()
    return {
        name: Inputs(torch.as_tensor(2 * one.products_ii / one.rows), torch.as_tensor(one.sizes_i / one.rows))
        for name, one in sums.items()
        if one.rows
    }


def _stop(module: nn.Module, args: Any, output: Any) -> None:
    raise _Read
