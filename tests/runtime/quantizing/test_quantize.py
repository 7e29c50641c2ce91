"""A model whose matrices are stored in a format computes nearly as before, whatever its architecture, and
takes the bytes that were foreseen."""

from __future__ import annotations

import weakref
from typing import Any

import pytest
import torch
from effdsl_runtime.quantizing import in_place
from effdsl_runtime.quantizing.in_place import quantize, weight_bytes
from effdsl_runtime.quantizing.linear_map import layers_of, places_by_layer
from effdsl_runtime.quantizing.stored import stored
from torch import nn

from effdsl.techniques.precision import BF16, FP8, INT2, INT3, INT4, INT8, W8A8
from effdsl.techniques.precision.weight_format import WeightFormat

from .conftest import TOKENS_BT, VOCABULARY, built, closed_form, logits, rms_ratio

NAMES = {torch.float32: "float32", torch.bfloat16: "bfloat16"}
DTYPES = pytest.mark.parametrize("dtype", NAMES)
FORMATS: list[WeightFormat] = [BF16(), FP8(), INT8(), W8A8(), INT4(), INT4(16, True), INT3(), INT2()]
PLACES = {"llama": 7, "qwen2": 7, "deepseek_v3": 8, "gpt_neox": 4, "gpt2": 4, "mixtral": 4, "mamba": 4}
PLACES |= {"mamba2": 2, "rwkv": 7, "NSA": 11, "MoBA": 5, "MoE": 3}
"""Linear maps of a layer, counted by hand."""


def test_the_linear_maps_of_every_layer_are_found(kind: str) -> None:
    """Whatever modules compute them; embedding and output layer are none."""
    model = built(kind)
    found = places_by_layer(model)
    assert [len(layer.places) for layer in found] == [PLACES[kind]] * 2
    assert len(layers_of(model)) == 2
    assert not any("head" in place.name or "embed" in place.name for one in found for place in one.places)


@DTYPES
def test_eight_bits_change_little(kind: str, dtype: torch.dtype) -> None:
    """Logits of every architecture; beside them those of the dtype alone."""
    wanted, model = logits(built(kind)), built(kind)
    done = quantize(model, INT8(), dtype)
    assert sum(done.kernels.values()) == 2 * PLACES[kind]
    assert 1e-5 < rms_ratio(logits(model), wanted) < 0.04


@DTYPES
def test_embedding_and_output_layer_are_left(kind: str, dtype: torch.dtype) -> None:
    """Exactly, but for the dtype; and whatever the output layer's name."""
    plain, model = built(kind), built(kind)
    quantize(model, INT4(16), dtype)
    outside = [(n, p) for n, p in plain.named_parameters() if VOCABULARY in p.shape]
    assert outside
    for name, parameter in outside:
        assert torch.equal(model.get_parameter(name), parameter.to(dtype))


def test_a_greedy_continuation_needs_no_more_than_the_model() -> None:
    """transformers generates with a cache from a model whose weights are packed."""
    model = built("llama")
    quantize(model, INT4(), torch.bfloat16)
    made = model.generate(TOKENS_BT[:, :8], max_new_tokens=6, min_new_tokens=6, do_sample=False)
    whole = logits(model, made[:, :-1])[:, 7:].argmax(-1)
    assert made.shape == (2, 14)
    assert (whole == made[:, 8:]).float().mean() > 0.8


@pytest.mark.parametrize("weight_format", FORMATS, ids=repr)
@pytest.mark.parametrize("kind", ["llama", "qwen2", "deepseek_v3", "gpt_neox"])
@DTYPES
def test_it_takes_the_bytes_that_are_foreseen(
    kind: str, weight_format: WeightFormat, dtype: torch.dtype
) -> None:
    """Integers, scales and zero points, a tied embedding once, whatever kernel multiplies; after use too."""
    model = built(kind)
    done = quantize(model, weight_format, dtype)
    logits(model)
    wanted = weight_format.weight_bytes(closed_form(kind), NAMES[dtype])
    assert (done.bytes, weight_bytes(model), done.left) == (wanted, wanted, ())


def test_what_a_group_does_not_divide_is_left_and_named() -> None:
    """A Mamba's step projection has four inputs."""
    done = quantize(built("mamba"), INT4(), torch.float32)
    assert done.left == tuple(f"backbone.layers.{i}.mixer.dt_proj" for i in range(2))


def test_what_a_reader_must_know_is_flagged() -> None:
    """The kernel of most matrices, the others by name, what was left, and what is emulated."""
    done = quantize(built("mamba"), INT4(), torch.float32)
    assert done.kernel == "torch-int4pack"
    assert done.flags == (
        "2 of 8 matrices multiplied by reference",
        "2 of 8 matrices left as they were, e.g. backbone.layers.0.mixer.dt_proj",
    )
    done = quantize(built("llama"), FP8(), torch.float32)
    assert (done.kernel, done.flags) == ("reference", ("products of the format are emulated",))
    done = quantize(built("llama"), BF16(), torch.bfloat16)
    assert (done.kernel, done.flags) == ("torch", ())


@pytest.mark.parametrize("kind", ["mixtral", "MoE"])
def test_matrices_of_experts_are_left_and_named(kind: str) -> None:
    """They are no linear maps of one input."""
    done = quantize(built(kind), INT8(), torch.float32)
    assert len(done.left) == {"mixtral": 4, "MoE": 6}[kind]


class Shared(nn.Module):
    """Two layers that are one, and a map that two modules share."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.ModuleDict({"first": nn.Linear(32, 32), "second": nn.Linear(32, 32)})
        layer["second"].weight, layer["second"].bias = layer["first"].weight, layer["first"].bias
        self.layers = nn.ModuleList([layer, layer])


def test_shared_maps_are_stored_once() -> None:
    """By modules and by parameters; everything that used them uses the same module then."""
    model: Any = Shared()
    done = quantize(model, INT8(), torch.float32)
    assert done.kernels == {"torch-int8pack": 1}
    assert done.bytes == 32 * 32 + 32 * 4 + 32 * 4
    assert model.layers[0]["first"] is model.layers[1]["second"]


def test_rwkv_is_right_where_it_would_rescale_its_weights() -> None:
    """transformers halves them in place at the first evaluation, every so many layers."""
    wanted, model = logits(built("rwkv")), built("rwkv")
    model.config.rescale_every = 1
    quantize(model, INT8(), torch.float32)
    assert rms_ratio(logits(model), wanted) < 0.02


def test_each_matrix_is_given_up_before_the_next_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no second copy of a model is ever there."""
    model = built("llama")
    before = [weakref.ref(place.module.weight) for one in places_by_layer(model) for place in one.places]
    alive: list[int] = []

    def watched(*args: Any) -> Any:
        alive.append(sum(weight() is not None for weight in before))
        return stored(*args)

    monkeypatch.setattr(in_place, "stored", watched)
    quantize(model, INT8(), torch.float32)
    assert alive == list(range(14, 0, -1))
    assert not any(weight() is not None for weight in before)
