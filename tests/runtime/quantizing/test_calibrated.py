"""GPTQ is its paper's algorithm; AWQ changes nothing but what is rounded; both see what models multiply."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from effdsl_runtime.quantizing.awq import DividedLinear, divisor, output_error
from effdsl_runtime.quantizing.gptq import compensated
from effdsl_runtime.quantizing.in_place import quantize, weight_bytes
from effdsl_runtime.quantizing.linear_map import LinearMap, places_by_layer
from effdsl_runtime.quantizing.rounding import rounded
from effdsl_runtime.quantizing.seen import inputs_seen
from effdsl_runtime.quantizing.stored import Inputs, StoredLinear, stored
from torch import Tensor, nn

from effdsl.techniques.precision import AWQ, GPTQ
from effdsl.techniques.precision.weight_format import WeightFormat

from .conftest import TOKENS_BT, VOCABULARY, built, closed_form, linear, logits, rms_ratio
from .test_integers import naive_group

BATCHES = [torch.randint(0, VOCABULARY, (2, 48), generator=torch.Generator().manual_seed(s)) for s in (3, 4)]
SEEDS = range(5)


def correlated(rows: int, inputs: int, seed: int) -> Tensor:
    """``(n, i)``: inputs of unlike sizes that go together, as activations do."""
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.logspace(-1, 1, inputs)[torch.randperm(inputs, generator=generator)]
    mixing = torch.eye(inputs) + torch.randn(inputs, inputs, generator=generator) / inputs**0.5
    return torch.randn(rows, inputs, generator=generator) @ mixing * sizes


def inputs_of(x_ni: Tensor) -> Inputs:
    return Inputs(2 * x_ni.T @ x_ni / len(x_ni), x_ni.abs().mean(0))


def naive_gptq(weight_oi: Any, hessian_ii: Any, size: int, bits: int, symmetric: bool, damping: float) -> Any:
    """Optimal brain surgery, column by column, with the inverse of the Hessian of what is left (section 3.1
    of the paper, its equations 2 and 3); a group's grid is that of its weights when its turn comes."""
    count = len(hessian_ii)
    inverse = np.linalg.inv(hessian_ii + damping * np.mean(np.diag(hessian_ii)) * np.eye(count))
    rest, found = weight_oi.copy(), np.zeros_like(weight_oi)
    for column in range(count):
        if column % size == 0:
            of_group = rest[:, column : column + size].copy()
        for row in range(len(rest)):
            group = [*of_group[row].astype(np.float32).tolist()]
            found[row, column] = on_grid(rest[row, column], group, bits, symmetric)
            error = (rest[row, column] - found[row, column]) / inverse[column, column]
            rest[row] -= error * inverse[column]
        inverse -= np.outer(inverse[:, column], inverse[column]) / inverse[column, column]
        inverse[column], inverse[:, column] = 0, 0
    return found


def on_grid(weight: float, group: list[float], bits: int, symmetric: bool) -> float:
    """The nearest number of the grid that is fitted to ``group``: that of the group and ``weight`` in it
    would be another where ``weight`` lies outside."""
    low, high = (min(*group, 0.0), max(*group, 0.0)) if not symmetric else (0.0, max(map(abs, group)))
    bounded = min(max(weight, -high if symmetric else low), high)
    return naive_group([*group, bounded], bits, symmetric, torch.float32)[-1]


@pytest.mark.parametrize(("size", "bits", "symmetric"), [(32, 4, False), (16, 3, False), (64, 4, True)])
def test_gptq_is_the_paper_s_algorithm(size: int, bits: int, symmetric: bool) -> None:
    """Every weight, over several blocks of columns."""
    weight_oi = linear(4, 192, seed=1).weight.detach()
    hessian_ii = inputs_of(correlated(400, 192, seed=2)).hessian_ii
    wanted = naive_gptq(weight_oi.double().numpy(), hessian_ii.double().numpy(), size, bits, symmetric, 0.01)
    found = compensated(GPTQ(bits, size, symmetric), weight_oi, hessian_ii, torch.float32).values()
    assert rms_ratio(found, torch.from_numpy(wanted)) < 1e-3


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("bits", [3, 4])
def test_gptq_s_outputs_are_nearer_than_those_of_rounding(bits: int, seed: int) -> None:
    """For the inputs that it was fitted to; of two bits, where errors are as large as weights, not always."""
    weight_oi, x_ni = linear(24, 96, seed=seed).weight.detach(), correlated(300, 96, seed)
    plain_oi = rounded(weight_oi, bits, 32, False, torch.float32).values()
    found_oi = compensated(GPTQ(bits), weight_oi, inputs_of(x_ni).hessian_ii, torch.float32).values()
    wanted = x_ni @ weight_oi.T
    assert rms_ratio(x_ni @ found_oi.T, wanted) < 0.9 * rms_ratio(x_ni @ plain_oi.T, wanted)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("bias", [False, True])
@torch.no_grad()
def test_awq_changes_nothing_before_it_rounds(exponent: float, bias: bool) -> None:
    """Weights times, inputs over the same; also where an input was always zero."""
    layer, x_ni = linear(24, 96, bias=bias), correlated(50, 96, seed=0)
    x_ni[:, 5] = 0
    divisor_i = divisor(x_ni.abs().mean(0), exponent, torch.float32)
    scaled = nn.Linear(96, 24, bias=False)
    scaled.weight.copy_(layer.weight * divisor_i)
    assert divisor_i.isfinite().all()
    assert divisor_i.min() > 0
    assert rms_ratio(DividedLinear(scaled, divisor_i, layer.bias, torch.float32)(x_ni), layer(x_ni)) < 1e-6


@pytest.mark.parametrize("seed", SEEDS)
@torch.no_grad()
def test_awq_s_outputs_are_nearer_than_those_of_rounding(seed: int) -> None:
    """Where a few inputs are far larger than the others, as its paper says of activations."""
    layer, x_ni = linear(24, 96, seed=seed), correlated(300, 96, seed)
    x_ni[:, ::24] *= 30
    made = stored(AWQ(), LinearMap(layer.weight.detach(), None), torch.float32, inputs_of(x_ni))
    assert made is not None
    plain_oi = rounded(layer.weight, 4, 32, False, torch.float32).values()
    wanted = layer(x_ni) - layer.bias if layer.bias is not None else layer(x_ni)
    assert rms_ratio(made.module(x_ni), wanted) < 0.9 * rms_ratio(x_ni @ plain_oi.T, wanted)


def test_awq_takes_the_best_of_all_exponents() -> None:
    """Measured by multiplying the inputs themselves, for each of ten exponents."""
    layer, x_ni = linear(24, 96), correlated(300, 96, seed=0)
    inputs, tried = inputs_of(x_ni), {}
    for step in range(10):
        divisor_i = divisor(inputs.size_i, step / 10, torch.float32)
        values_oi = rounded(layer.weight.detach() * divisor_i, 4, 32, False, torch.float32).values()
        off_no = x_ni @ (values_oi / divisor_i - layer.weight.detach()).T
        tried[step] = float(2 * off_no.pow(2).sum() / len(x_ni))
        said = output_error(AWQ(grid=10), layer.weight.detach(), divisor_i, inputs, torch.float32)
        assert said == pytest.approx(tried[step], rel=1e-3)
    made = stored(AWQ(grid=10), LinearMap(layer.weight.detach(), None), torch.float32, inputs)
    assert made is not None
    assert isinstance(made.module, DividedLinear)
    best = divisor(inputs.size_i, min(tried, key=tried.__getitem__) / 10, torch.float32)
    assert torch.equal(made.module.divisor_i, best)


def test_what_a_layer_multiplies_is_seen_as_the_layers_before_it_are_then() -> None:
    """Recorded at once by a hook of the test, in a model whose first layer is stored already."""
    model = built("llama")
    first, second = places_by_layer(model)
    for place in first.places:
        made = stored(AWQ(), LinearMap(place.module.weight.detach(), None), torch.float32, None)
        assert made is not None
        place.put(made.module)
    rows: list[Tensor] = []
    hook = second.places[6].module.register_forward_pre_hook(lambda module, args: rows.append(args[0]))
    for batch in BATCHES:
        logits(model, batch)
    hook.remove()
    with torch.no_grad():
        seen = inputs_seen(model, second, BATCHES)
    wanted = inputs_of(torch.cat(rows).flatten(0, 1))
    assert len(seen) == 7
    assert rms_ratio(seen[second.places[6].name].hessian_ii, wanted.hessian_ii) < 1e-5
    assert rms_ratio(seen[second.places[6].name].size_i, wanted.size_i) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("weight_format", [GPTQ(group_size=16), AWQ(group_size=16)], ids=repr)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_architecture_is_fitted(kind: str, weight_format: WeightFormat, dtype: torch.dtype) -> None:
    """Logits of text that was not seen stay near; the same text gives the same weights."""
    found = []
    for _ in range(2):
        model = built(kind)
        quantize(model, weight_format, dtype, BATCHES)
        found.append(logits(model))
    assert rms_ratio(found[0], logits(built(kind))) < 0.5
    assert torch.equal(found[0], found[1])


@pytest.mark.parametrize("weight_format", [GPTQ(), GPTQ(3, 16, True), AWQ(), AWQ(2, 16)], ids=repr)
@pytest.mark.parametrize("kind", ["llama", "deepseek_v3"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_they_take_the_bytes_that_are_foreseen(
    kind: str, weight_format: WeightFormat, dtype: torch.dtype
) -> None:
    """As integers of round to nearest do, and a divisor for each input of AWQ's matrices."""
    model = built(kind)
    done = quantize(model, weight_format, dtype, BATCHES)
    wanted = weight_format.weight_bytes(closed_form(kind), str(dtype).removeprefix("torch."))
    assert (done.bytes, weight_bytes(model), done.left) == (wanted, wanted, ())


def test_what_was_never_multiplied_is_rounded_to_the_nearest() -> None:
    """No Hessian is made up, and no weight lost."""
    layer = linear(32, 64)
    for weight_format in (GPTQ(), AWQ()):
        made = stored(weight_format, LinearMap(layer.weight.detach(), None), torch.float32, None)
        assert made is not None
        assert isinstance(made.module, StoredLinear)
        plain_oi = rounded(layer.weight.detach(), 4, 32, False, torch.float32).values()
        assert rms_ratio(made.module.weight, plain_oi) < 1e-6


def test_text_of_the_study_is_what_it_is_fitted_to() -> None:
    """Other text, other weights."""
    found = []
    for batches in (BATCHES, [TOKENS_BT]):
        model = built("llama")
        quantize(model, GPTQ(), torch.float32, batches)
        found.append(logits(model))
    assert not torch.equal(found[0], found[1])
