"""Weights become the integers that a naive loop finds, and what they stand for is what is multiplied."""

from __future__ import annotations

import pytest
import torch
from effdsl_runtime.quantizing.few_bits import GroupedLinear, TorchInt4Linear
from effdsl_runtime.quantizing.linear_map import LinearMap
from effdsl_runtime.quantizing.rounding import rounded
from effdsl_runtime.quantizing.stored import StoredLinear, stored
from torch import Tensor, nn

from effdsl.techniques.precision import INT2, INT3, INT4, INT8, W8A8
from effdsl.techniques.precision.integers import Grouped
from effdsl.techniques.precision.weight_format import WeightFormat

from .conftest import linear, rms_ratio

DTYPES = [torch.float32, torch.bfloat16]
ROUNDING = {torch.float32: 1e-6, torch.bfloat16: 4e-3}
"""What a product may be off, as a share of its size."""
GROUPED = [
    kind(size, symmetric) for kind in (INT4, INT3, INT2) for size in (32, 48) for symmetric in (False, True)
]
ROWS = [INT8(), W8A8()]


def store(layer: nn.Linear, weight_format: WeightFormat, dtype: torch.dtype) -> StoredLinear:
    made = stored(weight_format, LinearMap(layer.weight.detach(), layer.bias), dtype, None)
    assert made is not None
    assert isinstance(made.module, StoredLinear)
    return made.module


def as_held(value: float, dtype: torch.dtype) -> float:
    return float(torch.tensor(value, dtype=dtype))


def naive_group(group: list[float], bits: int, symmetric: bool, dtype: torch.dtype) -> list[float]:
    """One weight after the other: the nearest number of the group's grid."""
    if symmetric:
        lowest, highest = 1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1
        step, zero = as_held(max(map(abs, group)) / highest, dtype), 0
    else:
        low, high = min(*group, 0.0), max(*group, 0.0)
        lowest, highest = 0, 2**bits - 1
        step = as_held((high - low) / highest, dtype)
        zero = min(max(round(-low / step), lowest), highest)
    return [(min(max(round(weight / step) + zero, lowest), highest) - zero) * step for weight in group]


def naive(weight_oi: Tensor, bits: int, size: int, symmetric: bool, dtype: torch.dtype) -> Tensor:
    rows = []
    for row in weight_oi.tolist():
        groups = [row[start : start + size] for start in range(0, len(row), size)]
        rows.append([value for group in groups for value in naive_group(group, bits, symmetric, dtype)])
    return torch.tensor(rows)


@pytest.mark.parametrize("weight_format", GROUPED, ids=repr)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("outputs", [32, 7])
def test_groups_are_rounded_to_the_nearest(outputs: int, weight_format: Grouped, dtype: torch.dtype) -> None:
    """By packed products of torch where the shape allows them, and by the reference."""
    layer = linear(outputs, 96)
    wanted = naive(layer.weight, weight_format.bits, weight_format.group_size, weight_format.symmetric, dtype)
    module = store(layer, weight_format, dtype)
    assert isinstance(module, (GroupedLinear, TorchInt4Linear))
    assert rms_ratio(module.integers().values(), wanted) < 1e-6
    assert rms_ratio(module.weight, wanted) < ROUNDING[dtype]


@pytest.mark.parametrize("weight_format", ROWS, ids=repr)
@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_are_rounded_to_the_nearest(weight_format: WeightFormat, dtype: torch.dtype) -> None:
    """A group of 8 bits, symmetric, for each output; W8A8 scales in float32 whatever the dtype."""
    layer = linear(24, 48)
    scales = torch.float32 if weight_format == W8A8() else dtype
    wanted = naive(layer.weight, 8, 48, True, scales)
    assert rms_ratio(store(layer, weight_format, dtype).weight, wanted) < ROUNDING[dtype]


@pytest.mark.parametrize("kernel", ["reference", "torch-int4pack"])
def test_a_kernel_is_taken_where_it_takes_the_shape(kernel: str) -> None:
    """Groups of 32 of whole sixteens of outputs; 48 and 7 are the reference's, and the result says so."""
    fits = kernel == "torch-int4pack"
    for outputs, size in [(32, 32)] if fits else [(7, 32), (32, 48)]:
        made = stored(INT4(size), LinearMap(linear(outputs, 96).weight, None), torch.bfloat16, None)
        assert made is not None
        assert made.kernel == kernel


@pytest.mark.parametrize("inputs", [40, 13])
def test_int8_is_right_where_torch_reads_past_the_end(inputs: int) -> None:
    """In bfloat16 torch's own product gives nonsense, or dies, where the inputs are no sixteens."""
    module = store(linear(24, inputs), INT8(), torch.bfloat16)
    x = torch.randn(5, inputs, generator=torch.Generator().manual_seed(1)).bfloat16()
    assert module.kernel == "reference"
    assert rms_ratio(module(x), x.double() @ module.weight.double().T) < 6e-3


@pytest.mark.parametrize("weight_format", [INT8(), *GROUPED], ids=repr)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("outputs", [32, 7])
@pytest.mark.parametrize("bias", [False, True])
@torch.no_grad()
def test_they_multiply_by_what_they_stand_for(
    weight_format: WeightFormat, dtype: torch.dtype, outputs: int, bias: bool
) -> None:
    """One token and many, of three dimensions as a model has them."""
    layer = linear(outputs, 96, bias=bias)
    module = store(layer, weight_format, dtype)
    for shape in [(1, 1, 96), (2, 9, 96)]:
        x = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(dtype)
        wanted = x.double() @ module.weight.double().T + (layer.bias.double() if bias else 0)
        assert module(x).dtype == dtype
        assert rms_ratio(module(x), wanted) < 1.5 * ROUNDING[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
@torch.no_grad()
def test_w8a8_multiplies_integers(dtype: torch.dtype) -> None:
    """Token by token and output by output, in Python's integers; a token of zeros gives zeros."""
    layer = linear(5, 24)
    module = store(layer, W8A8(), dtype)
    x_nd = torch.randn(3, 24, generator=torch.Generator().manual_seed(1)).to(dtype)
    x_nd[1] = 0
    rows = [[round(127 * v / max(map(abs, row))) for v in row] for row in layer.weight.tolist()]
    steps = [max(map(abs, row)) / 127 for row in layer.weight.tolist()]
    wanted = []
    for token in x_nd.tolist():
        step = max(map(abs, token)) / 127 or 1.0
        integers = [round(value / step) for value in token]
        sums = [sum(a * b for a, b in zip(integers, row, strict=True)) for row in rows]
        wanted.append([total * step * of_row for total, of_row in zip(sums, steps, strict=True)])
    assert rms_ratio(module(x_nd), torch.tensor(wanted)) < ROUNDING[dtype]
    assert not module(x_nd)[1].any()


def test_a_group_of_zeros_stays_zero() -> None:
    """No division by its scale."""
    weight_oi = torch.zeros(2, 64)
    weight_oi[0, :32] = torch.linspace(-1, 1, 32)
    for symmetric in (True, False):
        values_oi = rounded(weight_oi, 4, 32, symmetric, torch.float32).values()
        assert not values_oi[1].any()
        assert not values_oi[0, 32:].any()
        assert values_oi[0, :32].isfinite().all()
