"""Stores the weights of a model in a format, in place, one matrix after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import singledispatch
from typing import Any

import attrs
import torch
from torch import Tensor, nn

from effdsl.techniques.precision.floating import Unquantized
from effdsl.techniques.precision.weight_format import WeightFormat
from effdsl_runtime.quantizing import awq, eight_bits, few_bits, floats, gptq  # noqa: F401  how formats are stored
from effdsl_runtime.quantizing.linear_map import Parted, Place, linear_map, places_by_layer
from effdsl_runtime.quantizing.normal_floats import scales_beside
from effdsl_runtime.quantizing.seen import inputs_seen
from effdsl_runtime.quantizing.stored import Inputs, Stored, stored

PLAIN = "torch"
"""The kernel of weights that are stored as they are multiplied."""


@attrs.frozen
class Quantized:
    """What became of a model.

    Attributes:
        kernels: what multiplies the matrices of the layers, and how many each.
        left: matrices of the layers that stayed as they were: those whose shape does not allow the format,
            and those of experts in one tensor.
        bytes: of all weights with scales and zero points, shared ones once.
        emulated: whether the device lacks the products of the format, so that time says nothing of it.
    """

    kernels: Mapping[str, int]
    left: tuple[str, ...]
    bytes: int
    emulated: bool = False

    @property
    def kernel(self) -> str:
        """What multiplies most of them."""
        return max(self.kernels, key=self.kernels.__getitem__, default=PLAIN)

    @property
    def flags(self) -> tuple[str, ...]:
        """What a reader of results must know."""
        every = sum(self.kernels.values()) + len(self.left)
        said = ["products of the format are emulated"] * self.emulated
        others = [kernel for kernel in self.kernels if kernel != self.kernel]
        said += [f"{self.kernels[kernel]} of {every} matrices multiplied by {kernel}" for kernel in others]
        if self.left:
            said.append(f"{len(self.left)} of {every} matrices left as they were, e.g. {self.left[0]}")
        return tuple(said)


@torch.no_grad()
def quantize(
    model: nn.Module, weight_format: WeightFormat, dtype: torch.dtype, calibration: Sequence[Tensor] = ()
) -> Quantized:
    """Store the matrices of the layers of ``model`` in ``weight_format`` and all else in ``dtype``.

    Embedding and output layer are not touched; buffers keep their dtype. Beside the model never lies more
    than one matrix, and what a format that is fitted has seen of one layer. The model stays on its device,
    whose kernels the packed weights are laid out for.

    Args:
        model: of transformers, or one of ours in its clothes; in evaluation mode.
        dtype: of what is multiplied.
        calibration: batches of tokens ``(b, t)`` on its device, of a format that is fitted to what the
            matrices multiply.
    """
    _leave_unscaled(model)
    made = _stored_layers(weight_format, model, dtype, calibration)
    for parameter in model.parameters():
        if parameter.is_floating_point():
            # a copy lets go of the file that it lies in, whose pages would count as memory of the process
            parameter.data = parameter.data.to(dtype, copy=True)
    model.requires_grad_(False)
    kernels = Counter(one.kernel for one in made.values() if one is not None)
    left = tuple(name for name, one in made.items() if one is None)
    emulated = any(one is not None and one.emulated for one in made.values())
    return Quantized(dict(kernels), left, weight_bytes(model), emulated)


Made = dict[str, Stored | None]
"""What the matrices of the layers were stored as; ``None`` of one that was left as it was."""


@singledispatch
def _stored_layers(
    weight_format: WeightFormat, model: nn.Module, dtype: torch.dtype, calibration: Sequence[Tensor]
) -> Made:
    """Store layer by layer, so that text meets those before a layer as they will be."""
    made: Made = {}
    for layer in places_by_layer(model):
        seen: Mapping[str, Inputs] = {}
        if weight_format.fitted_to is not None:
            seen = inputs_seen(model, layer, calibration)
        for place in layer.places:
            made[place.name] = _stored_at(place, weight_format, dtype, seen.get(place.name))
        made |= dict.fromkeys(layer.stacks)
    return made


@_stored_layers.register
def _(
    weight_format: Unquantized, model: nn.Module, dtype: torch.dtype, calibration: Sequence[Tensor]
) -> Made:
    return {}


def _stored_at(
    place: Place, weight_format: WeightFormat, dtype: torch.dtype, inputs: Inputs | None
) -> Stored | None:
    linear = linear_map(place.module)
    assert linear is not None  # noqa: S101  as it is a place
    made = stored(weight_format, linear, dtype, inputs)
    if made is not None:
        place.put(Parted(made.module, linear.parts) if linear.parts else made.module)
    return made


def _leave_unscaled(model: nn.Module) -> None:
    """Keep RWKV of transformers from halving weights in place when it is first evaluated, against overflow in
    float16: it cannot where they are packed."""
    if any(getattr(module, "layers_are_rescaled", None) is False for module in model.modules()):
        config: Any = model.config
        config.rescale_every = 0


def weight_bytes(model: nn.Module) -> int:
    """Bytes of parameters and of the buffers that belong to a checkpoint, those that are shared once."""
    return sum({tensor.data_ptr(): tensor.nbytes for tensor in _weights(model)}.values())


def _weights(model: nn.Module) -> Iterator[Tensor]:
    for module in model.modules():
        yield from module.parameters(recurse=False)
        for name, buffer in module.named_buffers(recurse=False):
            if name not in module._non_persistent_buffers_set:
                yield buffer
        yield from scales_beside(module)
