"""A checkpoint in the form of compressed-tensors is read by transformers as the weights that were stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from effdsl_runtime.quantizing import quantize
from effdsl_runtime.quantizing.compressed import write_compressed
from effdsl_runtime.quantizing.few_bits import GroupedLinear, TorchInt4Linear
from effdsl_runtime.quantizing.stored import StoredLinear
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from effdsl.techniques.precision import AWQ, BF16, FP8, FP16, FP32, GPTQ, INT2, INT3, INT4, INT8, NF4, W8A8
from effdsl.techniques.precision.weight_format import WeightFormat
from effdsl.techniques.technique import Unsupported

from .conftest import TOKENS_BT, built, closed_form, logits, rms_ratio

# compressed-tensors' own, when it is imported
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated:DeprecationWarning")
KINDS = ["llama", "qwen2", "deepseek_v3", "gpt_neox"]
NAMES = {torch.float32: "float32", torch.bfloat16: "bfloat16"}
PACKED: list[WeightFormat] = [INT8(), INT4(), INT4(16, True), GPTQ(), GPTQ(symmetric=True)]
WITH_ACTIVATIONS: list[WeightFormat] = [W8A8(), FP8()]
PLAIN = {FP32(): "float32", BF16(): "bfloat16", FP16(): "float16"}
DTYPES = pytest.mark.parametrize("dtype", NAMES)


def write(kind: str, weight_format: WeightFormat, dtype: torch.dtype, folder: Path) -> Any:
    """The model, once its weights are stored and written."""
    model = built(kind)
    quantize(model, weight_format, dtype, [TOKENS_BT])
    write_compressed(model, weight_format, folder / "written")
    return model


def read(folder: Path, dtype: torch.dtype) -> Any:
    """As transformers has it once it has computed something, for which it unpacks the weights."""
    model = AutoModelForCausalLM.from_pretrained(folder / "written", dtype=dtype).eval()
    return model, logits(model)


def meant(module: StoredLinear, dtype: torch.dtype) -> torch.Tensor:
    """What weights stand for before a kernel's own rounding."""
    if isinstance(module, (GroupedLinear, TorchInt4Linear)):
        return module.integers().values().to(dtype)
    return module.weight


def stored_linears(model: Any) -> dict[str, StoredLinear]:
    return {name: module for name, module in model.named_modules() if isinstance(module, StoredLinear)}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weight_format", PACKED, ids=repr)
@DTYPES
def test_transformers_reads_the_weights_that_were_stored(
    kind: str, weight_format: WeightFormat, dtype: torch.dtype, tmp_path: Path
) -> None:
    """Bit by bit; logits differ by what kernels round, and what was not stored is the same too."""
    model = write(kind, weight_format, dtype, tmp_path)
    theirs, found = read(tmp_path, dtype)
    for name, module in stored_linears(model).items():
        assert torch.equal(theirs.get_submodule(name).weight, meant(module, dtype)), name
    for name, parameter in theirs.named_parameters():
        if name in dict(model.named_parameters()):
            assert torch.equal(parameter, model.get_parameter(name)), name
    assert rms_ratio(found, logits(model)) < (1e-5 if dtype == torch.float32 else 0.03)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weight_format", WITH_ACTIVATIONS, ids=repr)
def test_weights_of_eight_bits_with_activations_are_read_too(
    kind: str, weight_format: WeightFormat, tmp_path: Path
) -> None:
    """Bit by bit in float32; activations are rounded otherwise there."""
    model = write(kind, weight_format, torch.float32, tmp_path)
    theirs, found = read(tmp_path, torch.float32)
    for name, module in stored_linears(model).items():
        assert torch.equal(theirs.get_submodule(name).weight, module.weight), name
    assert rms_ratio(found, logits(model)) < 0.15


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weight_format", [*PACKED, *WITH_ACTIVATIONS], ids=repr)
@DTYPES
def test_the_file_has_the_bytes_that_are_foreseen(
    kind: str, weight_format: WeightFormat, dtype: torch.dtype, tmp_path: Path
) -> None:
    """Of all tensors; a tied embedding stands there once."""
    write(kind, weight_format, dtype, tmp_path)
    found = sum(tensor.nbytes for tensor in load_file(tmp_path / "written" / "model.safetensors").values())
    assert found == weight_format.file_bytes(closed_form(kind), NAMES[dtype])


@pytest.mark.parametrize("weight_format", PLAIN, ids=repr)
@pytest.mark.parametrize("kind", ["qwen2", "MoBA"])
def test_weights_that_are_not_quantized_are_written_as_they_are(
    kind: str, weight_format: WeightFormat, tmp_path: Path
) -> None:
    """In the format's dtype; a model of ours is one too."""
    dtype = getattr(torch, PLAIN[weight_format])
    model = write(kind, weight_format, dtype, tmp_path)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "written", dtype="auto")
    for name, parameter in model.named_parameters():
        assert torch.equal(theirs.get_parameter(name), parameter)
        assert parameter.dtype == dtype
    if kind == "qwen2":
        found = sum(one.nbytes for one in load_file(tmp_path / "written" / "model.safetensors").values())
        expected = weight_format.file_bytes(closed_form(kind), PLAIN[weight_format])
        assert found == expected == weight_format.weight_bytes(closed_form(kind), PLAIN[weight_format])


@pytest.mark.parametrize("weight_format", [INT3(), INT2(), NF4(), AWQ(), GPTQ(3)], ids=repr)
def test_what_no_engine_reads_is_not_written(weight_format: WeightFormat, tmp_path: Path) -> None:
    """Refused by name, with what can be, before a file is there; its price says so too."""
    model = built("llama")
    with pytest.raises(Unsupported, match=type(weight_format).__name__) as refused:
        write_compressed(model, weight_format, tmp_path / "written")
    assert "INT4" in refused.value.hint
    with pytest.raises(Unsupported):
        weight_format.file_bytes(closed_form("llama"), "bfloat16")
    assert not (tmp_path / "written").exists()


@pytest.mark.parametrize("kind", ["gpt2", "MoBA", "mixtral"])
def test_models_of_other_parts_than_linear_layers_are_not_written(kind: str, tmp_path: Path) -> None:
    """transposed convolutions, fused maps, experts in one tensor: nothing is written that is read wrongly."""
    model = built(kind)
    quantize(model, INT8(), torch.float32)
    with pytest.raises(Unsupported, match="is no nn"):
        write_compressed(model, INT8(), tmp_path / "written")
    assert not (tmp_path / "written").exists()
