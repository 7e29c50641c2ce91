"""The linear maps that a format stores, whatever module computes them, and where they are in a model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import singledispatch

import attrs
import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from effdsl_runtime.model.layers import FusedLinear

STACKED = 3
"""Dimensions of the matrices of several experts in one tensor."""


@attrs.frozen
class LinearMap:
    """``x @ weight.T + bias``.

    Attributes:
        weight_oi: ``(out, in)``.
        parts: widths into which the output is split; empty where it is one tensor.
    """

    weight_oi: Tensor
    bias_o: Tensor | None
    parts: tuple[int, ...] = ()


@singledispatch
def linear_map(module: nn.Module) -> LinearMap | None:
    """What ``module`` computes; ``None`` where that is no linear map, or not one alone."""
    return None


@linear_map.register
def _(module: nn.Linear) -> LinearMap | None:
    return LinearMap(module.weight.detach(), module.bias)


@linear_map.register
def _(module: Conv1D) -> LinearMap | None:
    return LinearMap(module.weight.detach().T.contiguous(), module.bias)


@linear_map.register
def _(module: FusedLinear) -> LinearMap | None:
    return LinearMap(module.weight.detach(), module.bias, tuple(module.parts.values()))


class Parted(nn.Module):
    """A linear map whose output is split along its last dimension."""

    def __init__(self, whole: nn.Module, parts: Sequence[int]) -> None:
        super().__init__()
        self.whole, self.parts = whole, list(parts)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return torch.split(self.whole(x), self.parts, dim=-1)


@attrs.frozen
class Place:
    """A linear map of a decoder layer, by everything that uses it; holds no weights.

    Attributes:
        name: of its module in the model; of the first where several share it.
        users: the modules that have it as a child, and under which name.
    """

    name: str
    users: tuple[tuple[nn.Module, str], ...]

    @property
    def module(self) -> nn.Module:
        parent, child = self.users[0]
        return parent.get_submodule(child)

    def put(self, module: nn.Module) -> None:
        """Replace it; what it was is then held by nobody here."""
        for parent, child in self.users:
            setattr(parent, child, module)


@attrs.frozen
class Layer:
    """A decoder layer.

    Attributes:
        places: its linear maps, in the order of its modules.
        stacks: names of its parameters that are matrices of several experts, ``(experts, out, in)``.
    """

    module: nn.Module
    places: tuple[Place, ...]
    stacks: tuple[str, ...]


def layers_of(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """The decoder layers with their names: what the outermost lists of modules hold."""
    found: list[tuple[str, nn.Module]] = []
    for name, child in model.named_children():
        lists = isinstance(child, nn.ModuleList)
        inner = list(child.named_children()) if lists else layers_of(child)
        found += [(f"{name}.{rest}", layer) for rest, layer in inner]
    return found


def places_by_layer(model: nn.Module) -> list[Layer]:
    """The linear maps of each decoder layer, in the order of the model; one that layers share is the first's.

    Embedding and output layer are in no layer.
    """
    users: dict[_Identity, list[tuple[nn.Module, str]]] = defaultdict(list)
    for parent in model.modules():
        for child, module in parent._modules.items():
            if module is not None and (identity := _identity(module)) is not None:
                users[identity].append((parent, child))
    return [
        Layer(layer, tuple(_places(name, layer, users)), tuple(_stacks(name, layer)))
        for name, layer in layers_of(model)
    ]


_Identity = tuple[int, int]
"""Of a linear map: its weight and its bias; modules that share both are one."""


def _identity(module: nn.Module) -> _Identity | None:
    return None if linear_map(module) is None else (id(module.weight), id(module.bias))


def _places(
    layer: str, module: nn.Module, users: dict[_Identity, list[tuple[nn.Module, str]]]
) -> Iterator[Place]:
    """Takes what it finds from ``users``."""
    for name, inner in module.named_modules(prefix=layer):
        identity = _identity(inner)
        if identity in users:
            yield Place(name, tuple(users.pop(identity)))


def _stacks(layer: str, module: nn.Module) -> Iterator[str]:
    """A convolution of each channel by itself has a dimension of one."""
    for name, parameter in module.named_parameters(prefix=layer):
        if parameter.dim() == STACKED and min(parameter.shape) > 1:
            yield name
