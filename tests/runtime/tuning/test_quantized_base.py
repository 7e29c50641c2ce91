"""QLoRA: LoRA beside a base in 4-bit normal floats, against LoRA beside weights that were rounded naively."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from effdsl_runtime.quantizing.linear4bit import NormalFloatLinear
from effdsl_runtime.quantizing.normal_floats import round_to_normal_floats, scales_beside
from effdsl_runtime.tuning.methods import applied, keep_frozen_in, stored_for
from effdsl_runtime.tuning.tuner import Tuner
from torch import Tensor

from effdsl import NF4, LoRA, StudyError
from effdsl.key import canonical_json
from effdsl.techniques.precision import INT4
from effdsl.techniques.technique import BYTES_PER_ELEMENT
from tests.runtime.quantizing.test_normal_float import nearest

from .conftest import CPU, RECIPE, batches, built, shape_of
from .conftest import trained as trainable

KINDS = ("llama", "qwen2", "gpt_neox")
STEPS, MICRO = 4, 4


def rounded(model: Any, method: LoRA) -> Any:
    """The model with every matrix of its layers rounded, one weight after the other."""
    names = shape_of(model).names
    for name, parameter in model.named_parameters():
        if parameter.dim() == 2 and any(f".{part}." in name for part in names):
            assert method.quantize is not None
            values = nearest(parameter.detach(), method.quantize.block_size)
            parameter.data = torch.tensor(values).view_as(parameter)
    return model


def trained(model: Any, method: LoRA, quantized: bool) -> tuple[Any, list[float]]:
    """The model after a few steps, and their losses."""
    shape = shape_of(model)
    if quantized:
        stored_for(method, model, torch.float32)
    torch.manual_seed(3)
    tuned = applied(method.resolve(shape), model, shape, STEPS)
    keep_frozen_in(torch.float32, tuned)
    tuner = Tuner(method.resolve(shape), tuned.train(), RECIPE, STEPS, MICRO, CPU)
    return tuned, [tuner.step(step, batch) for step, batch in enumerate(batches(STEPS, MICRO))]


def packed_of(model: Any) -> list[Tensor]:
    """The packed weights of the layers."""
    return [module.weight.data for module in model.modules() if isinstance(module, NormalFloatLinear)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_it_trains_as_lora_beside_rounded_weights(kind: str) -> None:
    """The same losses, and the same factors at the end."""
    base, quantized = built(kind), LoRA(rank=4, quantize=NF4)
    found, losses = trained(copy.deepcopy(base), quantized, quantized=True)
    wanted, expected = trained(rounded(base, quantized), LoRA(rank=4), quantized=False)
    torch.testing.assert_close(losses, expected, rtol=1e-5, atol=1e-6)
    factors = trainable(wanted)
    assert trainable(found).keys() == factors.keys() != set()
    for name, values in trainable(found).items():
        torch.testing.assert_close(values, factors[name], rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_what_is_packed_is_not_touched() -> None:
    """Bit by bit the same after training, and of the bytes that the plan says."""
    model, method = built("llama"), LoRA(quantize=NF4(double_quantization=True))
    shape = shape_of(model)
    stored_for(method, model, torch.float32)
    before = [packed.clone() for packed in packed_of(model)]
    frozen = list(model.parameters())
    scales = [s for module in model.modules() for s in scales_beside(module)]
    held = sum(tensor.nbytes for tensor in (*frozen, *scales))
    unpacked = max(linear.weights for linear in shape.linears) * BYTES_PER_ELEMENT["float32"]
    assert method.frozen_bytes(shape, "float32") == held + unpacked
    tuned, _ = trained(model, method, quantized=False)
    after = packed_of(tuned)
    assert len(before) == len(after) == shape.layers * len(shape.linears)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_merged_into_the_rounded_base_it_says_the_same(kind: str) -> None:
    """What an adapter adds is added to the weights that it was trained beside."""
    base, method = built(kind), LoRA(rank=4, quantize=NF4)
    tuned, _ = trained(copy.deepcopy(base), method, quantized=True)
    ids_bt = torch.arange(24).view(2, 12)
    with torch.no_grad():
        wanted = tuned.eval()(input_ids=ids_bt).logits
        assert method.quantize is not None
        round_to_normal_floats(base, method.quantize)
        shape = shape_of(base)
        plain = applied(LoRA(rank=4).resolve(shape), base, shape, STEPS)
        plain.load_state_dict(trainable(tuned), strict=False)
        merged = plain.merge_and_unload().eval()
        torch.testing.assert_close(merged(input_ids=ids_bt).logits, wanted, rtol=1e-4, atol=1e-4)


def test_it_is_another_task_than_lora_and_needs_what_stores_it() -> None:
    """The format is in the key only where there is one."""

    def key(**more: Any) -> str:
        return canonical_json(LoRA(targets=["q_proj"], **more))

    assert "quantize" not in key()
    assert key(quantize=NF4) == key(quantize=NF4())
    assert key(quantize=NF4(128)) != key(quantize=NF4())
    assert (LoRA().packages, LoRA(quantize=NF4).packages) == ((), ("bitsandbytes",))


def test_formats_that_no_gradient_flows_through_are_refused() -> None:
    """With the one that is meant."""
    with pytest.raises(StudyError, match="quantize"):
        LoRA(quantize=INT4)
