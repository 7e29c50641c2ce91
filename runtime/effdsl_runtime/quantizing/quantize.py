"""Stores the weights of a model in a format, in place, one matrix after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
import torch
from torch import Tensor, nn

from effdsl.techniques.precision.weight_format import WeightFormat
from effdsl_runtime.quantizing import eight_bits, grouped  # noqa: F401  how formats are stored
from effdsl_runtime.quantizing.linear_map import Parted, linear_map, places_by_layer
from effdsl_runtime.quantizing.normal_float import scales_beside
from effdsl_runtime.quantizing.stored import stored


@attrs.frozen
class Quantized:
    """What became of a model.

    Attributes:
        kernels: what multiplies the matrices of the layers, and how many each.
        left: matrices of the layers that stayed as they were: those whose shape does not allow the format,
            and those of experts in one tensor.
        weight_bytes: of all weights with scales and zero points, shared ones once.
        emulated: whether the device lacks the products of the format, so that time says nothing of it.
    """

    kernels: Mapping[str, int]
    left: tuple[str, ...]
    weight_bytes: int
    emulated: bool


@torch.no_grad()
def quantize(
    model: nn.Module, weight_format: WeightFormat, dtype: torch.dtype, calibration: Sequence[Tensor] = ()
) -> Quantized:
    """Store the matrices of the layers of ``model`` in ``weight_format`` and all else in ``dtype``.

    Embedding and output layer are not touched; buffers keep their dtype. Beside the model never lies more
    than one matrix, and what a calibrated format has seen of one layer. The model stays on its device, whose
    kernels the packed weights are laid out for.

    Args:
        model: of transformers, or one of ours in its clothes; in evaluation mode.
        dtype: of what is multiplied.
        calibration: batches of tokens ``(b, t)``, of a format that is fitted to what the matrices multiply.
    """
    _leave_unscaled(model)
    kernels: Counter[str] = Counter()
    left: list[str] = []
    emulated = False
    for layer in places_by_layer(model):
        left += layer.stacks
        for place in layer.places:
            linear = linear_map(place.module)
            made = None if linear is None else stored(weight_format, linear, dtype, None)
            if linear is None or made is None:
                left.append(place.name)
                continue
            place.put(Parted(made.module, linear.parts) if linear.parts else made.module)
            kernels[made.kernel] += 1
            emulated |= made.emulated
    for parameter in model.parameters():
        if parameter.is_floating_point():
            parameter.data = parameter.data.to(dtype)
    model.requires_grad_(False)
    return Quantized(dict(kernels), tuple(left), weight_bytes(model), emulated)


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
