"""NF4 is what its paper says, and costs the bytes that it says; gradients flow through it."""

from __future__ import annotations

import pytest
import torch
from effdsl_runtime.quantizing.in_place import quantize, weight_bytes
from effdsl_runtime.quantizing.linear4bit import NormalFloatLinear, unpacked
from effdsl_runtime.quantizing.linear_map import LinearMap
from effdsl_runtime.quantizing.normal_floats import put_normal_floats
from effdsl_runtime.quantizing.stored import StoredLinear, stored
from torch import Tensor, nn

from effdsl.techniques.precision import NF4

from .conftest import built, closed_form, linear, logits, rms_ratio

QUANTILES = (
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
    *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
    *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
    *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
)
"""Appendix E of the paper."""
DTYPES = {torch.float32: "float32", torch.bfloat16: "bfloat16"}


def store(layer: nn.Linear, weight_format: NF4, dtype: torch.dtype) -> StoredLinear:
    made = stored(weight_format, LinearMap(layer.weight.detach(), layer.bias), dtype, None)
    assert made is not None
    assert isinstance(made.module, StoredLinear)
    return made.module


def nearest(weight_oi: Tensor, block_size: int) -> list[float]:
    """One weight after the other: the quantile that is nearest to its share of the block's largest."""
    flat: list[float] = weight_oi.flatten().tolist()
    found = []
    for start in range(0, len(flat), block_size):
        block = flat[start : start + block_size]
        largest = max(map(abs, block))
        for weight in block:
            found.append(largest * min(QUANTILES, key=lambda value: abs(value - weight / largest)))
    return found


@pytest.mark.parametrize("block_size", [32, 64, 128])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("outputs", "inputs"), [(32, 128), (24, 128), (5, 12), (64, 96)])
def test_each_weight_is_the_nearest_of_sixteen_quantiles(
    outputs: int, inputs: int, dtype: torch.dtype, block_size: int
) -> None:
    """Blocks of 64 may cross rows, and the last may be short; by whatever kernel the shape is given to."""
    layer = linear(outputs, inputs)
    wanted = torch.tensor(nearest(layer.weight, block_size)).view(outputs, inputs)
    found = store(layer, NF4(block_size=block_size), dtype).weight
    assert rms_ratio(found, wanted) < (1e-6 if dtype == torch.float32 else 4e-3)


@pytest.mark.parametrize("weight_format", [NF4(), NF4(double_quantization=True)], ids=repr)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bias", [False, True])
@torch.no_grad()
def test_it_multiplies_by_its_weights(weight_format: NF4, dtype: torch.dtype, bias: bool) -> None:
    """Output for one token and for many, of three dimensions as a model has them."""
    layer = linear(64, 128, bias=bias)
    module = store(layer, weight_format, dtype)
    for shape in [(1, 1, 128), (2, 9, 128)]:
        x = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(dtype)
        wanted = x.double() @ module.weight.double().T + (layer.bias.double() if bias else 0)
        assert module(x).dtype == dtype
        assert rms_ratio(module(x), wanted) < (1e-6 if dtype == torch.float32 else 6e-3)


@pytest.mark.parametrize("weight_format", [NF4(), NF4(128), NF4(double_quantization=True)], ids=repr)
@pytest.mark.parametrize("kind", ["llama", "qwen2", "deepseek_v3", "gpt_neox"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_it_takes_the_bytes_that_are_foreseen(kind: str, weight_format: NF4, dtype: torch.dtype) -> None:
    """Packed weights and scales, a tied embedding once, whatever kernel multiplies; after use as before."""
    model = built(kind)
    done = quantize(model, weight_format, dtype)
    logits(model)
    wanted = weight_format.weight_bytes(closed_form(kind), DTYPES[dtype])
    assert (done.bytes, weight_bytes(model), done.left) == (wanted, wanted, ())


def test_gradients_flow_through_it_before_and_after_it_is_evaluated() -> None:
    """Those of the embedding, as a naive product with the unpacked weights gives them."""
    model, naive = built("llama"), built("llama")
    put_normal_floats(model, NF4(), torch.float32)
    for name, module in model.named_modules():
        if isinstance(module, NormalFloatLinear):
            naive.get_submodule(name).weight.data = unpacked(module.weight)
    for _ in range(2):
        slopes = []
        for one in (model.train(), naive.train()):
            one.zero_grad()
            one(logits_of := torch.arange(32).view(2, 16), labels=logits_of).loss.backward()
            slopes.append(one.get_input_embeddings().weight.grad.clone())
        assert rms_ratio(*slopes) < 1e-4
        logits(model.eval())
