"""FP8 is the nearest of E4M3's numbers under each row's scale."""

from __future__ import annotations

import pytest
import torch
from effdsl_runtime.quantizing.linear_map import LinearMap
from effdsl_runtime.quantizing.stored import stored

from effdsl.techniques.precision import FP8

from .conftest import linear, rms_ratio

E4M3 = sorted(
    {
        sign * value
        for value in (
            *(m * 2.0**-9 for m in range(8)),
            *((1 + m / 8) * 2.0**e for e in range(-6, 9) for m in range(8) if (e, m) != (8, 7)),
        )
        for sign in (1, -1)
    }
)
"""Every number of the format (arXiv 2209.05433, table 1): bias 7, no infinities, 448 the largest."""


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.no_grad()
def test_each_weight_is_the_nearest_of_its_row(dtype: torch.dtype) -> None:
    """One after the other; what is multiplied is what the weights stand for, and time says nothing here."""
    layer = linear(6, 40, bias=True)
    wanted = []
    for row in layer.weight.tolist():
        step = max(map(abs, row)) / 448
        wanted.append([step * min(E4M3, key=lambda value, w=w: abs(value - w / step)) for w in row])
    made = stored(FP8(), LinearMap(layer.weight.detach(), layer.bias), dtype, None)
    assert made is not None
    assert made.emulated
    rounding = 1e-6 if dtype == torch.float32 else 4e-3
    assert rms_ratio(made.module.weight, torch.tensor(wanted)) < rounding
    x = torch.randn(2, 3, 40, generator=torch.Generator().manual_seed(1)).to(dtype)
    assert (
        rms_ratio(made.module(x), x.double() @ torch.tensor(wanted).double().T + layer.bias) < 1.5 * rounding
    )
