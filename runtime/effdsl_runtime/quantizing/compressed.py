"""Stored weights as a directory that other engines read: a Hugging Face one in the form of
compressed-tensors (github.com/vllm-project/compressed-tensors)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import singledispatch
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from effdsl.techniques.precision import FP8, GPTQ, INT4, INT8, W8A8
from effdsl.techniques.precision.floating import Unquantized
from effdsl.techniques.precision.integers import Grouped
from effdsl.techniques.precision.weight_format import WeightFormat
from effdsl.techniques.technique import Unsupported
from effdsl_runtime.quantizing.eight_bits import RowsLinear
from effdsl_runtime.quantizing.few_bits import GroupedLinear, TorchInt4Linear
from effdsl_runtime.quantizing.floats import UpcastFloat8Linear
from effdsl_runtime.quantizing.linear_map import places_by_layer
from effdsl_runtime.quantizing.packing import pack
from effdsl_runtime.quantizing.stored import StoredLinear

Scheme = Mapping[str, Any]
INT32 = 4
"""Bytes of the words that integers are packed into."""
EACH_OUTPUT = {"strategy": "channel", "symmetric": True, "dynamic": False}
EACH_TOKEN = {"strategy": "token", "symmetric": True, "dynamic": True}


def write_compressed(model: Any, weight_format: WeightFormat, folder: Path) -> None:
    """Write ``model``, which :func:`~effdsl_runtime.quantizing.quantize` has stored in ``weight_format``,
    into the new folder ``folder``: configuration and weights, without a tokenizer.

    Integers, scales and zero points are those that the model multiplies. transformers unpacks them as it
    reads them; vLLM multiplies them as they are.

    Raises:
        Unsupported: when that form knows no such weights, or a matrix is none of ``nn.Linear``.
    """
    scheme = compressed_scheme(weight_format)
    if scheme is None:
        model.save_pretrained(folder)
        return
    tensors = _tensors(model, weight_format)
    folder.mkdir(parents=True)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    model.config.save_pretrained(folder)
    if model.can_generate():
        model.generation_config.save_pretrained(folder)
    path = folder / "config.json"
    config = json.loads(path.read_text("utf-8"))
    config["quantization_config"] = _configuration(model, scheme)
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


@singledispatch
def compressed_scheme(weight_format: WeightFormat) -> Scheme | None:
    """What compressed-tensors calls ``weight_format``: how the tensors are written, and what their numbers
    are; ``None`` where the weights are written as they are.

    Raises:
        Unsupported: when it has nothing like it, or no engine that reads it.
    """
    raise weight_format.unwritten()


@compressed_scheme.register
def _(weight_format: Unquantized) -> Scheme | None:
    return None


@compressed_scheme.register
def _(weight_format: INT8) -> Scheme:
    return {"format": "pack-quantized", "weights": {"num_bits": 8, "type": "int", **EACH_OUTPUT}}


@compressed_scheme.register
def _(weight_format: W8A8) -> Scheme:
    numbers = {"num_bits": 8, "type": "int"}
    activations = {**numbers, **EACH_TOKEN}
    return {
        "format": "int-quantized",
        "weights": {**numbers, **EACH_OUTPUT},
        "input_activations": activations,
    }


@compressed_scheme.register
def _(weight_format: FP8) -> Scheme:
    numbers = {"num_bits": 8, "type": "float"}
    activations = {**numbers, **EACH_TOKEN}
    return {
        "format": "float-quantized",
        "weights": {**numbers, **EACH_OUTPUT},
        "input_activations": activations,
    }


@compressed_scheme.register(INT4)
@compressed_scheme.register(GPTQ)
def _(weight_format: Grouped | GPTQ) -> Scheme:
    if weight_format.bits != INT4.bits:
        raise weight_format.unwritten()
    weights = {
        "num_bits": weight_format.bits,
        "type": "int",
        "strategy": "group",
        "group_size": weight_format.group_size,
        "symmetric": weight_format.symmetric,
        "dynamic": False,
    }
    return {"format": "pack-quantized", "weights": weights}


def _configuration(model: nn.Module, scheme: Scheme) -> dict[str, Any]:
    """Every linear layer is written so but those that still are ``nn.Linear``."""
    left = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    return {
        "quant_method": "compressed-tensors",
        "format": scheme["format"],
        "quantization_status": "compressed",
        "ignore": left,
        "config_groups": {"group_0": {"targets": ["Linear"], **scheme}},
    }


def _tensors(model: Any, weight_format: WeightFormat) -> dict[str, Tensor]:
    """By their names in the file, one that is shared once."""
    with torch.device("meta"):
        plain = type(model)(model.config)
    linears = {name for name, module in plain.named_modules() if isinstance(module, nn.Linear)}
    stored = {name: one for name, one in model.named_modules() if isinstance(one, StoredLinear)}
    strange = [name for name in stored if name not in linears]
    strange += [name for layer in places_by_layer(model) for name in layer.stacks]
    if strange:
        raise Unsupported(
            f"{strange[0]} is no nn.Linear, and compressed-tensors writes no others",
            f"as it is, e.g. BF16, {type(model).__name__} can be written",
        )
    tensors: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in model.state_dict().items():
        if name.rpartition(".")[0] in stored and not name.endswith(".bias"):
            continue
        if tensor.data_ptr() not in seen:
            seen.add(tensor.data_ptr())
            tensors[name] = tensor.contiguous()
    for name, module in stored.items():
        tensors |= {f"{name}.{part}": tensor for part, tensor in written(module, weight_format).items()}
    return tensors


@singledispatch
def written(module: StoredLinear, weight_format: WeightFormat) -> dict[str, Tensor]:
    """The tensors of a linear layer, by what compressed-tensors calls them."""
    raise TypeError(f"nothing here writes a {type(module).__name__}")


@written.register(GroupedLinear)
@written.register(TorchInt4Linear)
def _(module: GroupedLinear | TorchInt4Linear, weight_format: INT4 | GPTQ) -> dict[str, Tensor]:
    integers = module.integers()
    zero_og = integers.lattice.zero_og.to(torch.uint8)
    zero = {} if weight_format.symmetric else {"weight_zero_point": _words(zero_og.T, 4).T.contiguous()}
    return {
        "weight_packed": _words(integers.codes_oi, 4),
        "weight_scale": integers.lattice.scale_og.contiguous(),
        "weight_shape": torch.tensor(integers.codes_oi.shape),
        **zero,
    }


def _words(codes_oi: Tensor, bits: int) -> Tensor:
    """Rows of integers of 4 or 8 bits in words of int32, the first lowest."""
    bytes_ob = codes_oi if bits == 8 else pack(codes_oi, bits)
    filled_ob = nn.functional.pad(bytes_ob, (0, -bytes_ob.shape[1] % INT32)).contiguous()
    return filled_ob.view(torch.int32)


@written.register
def _(module: RowsLinear, weight_format: INT8 | W8A8) -> dict[str, Tensor]:
    scale = {"weight_scale": module.scale_o.unsqueeze(1)}
    if isinstance(weight_format, W8A8):
        return {"weight": module.values_oi, **scale}
    codes_oi = (module.values_oi.short() + 128).to(torch.uint8)
    shape = torch.tensor(codes_oi.shape)
    return {"weight_packed": _words(codes_oi, 8), "weight_shape": shape, **scale}


@written.register
def _(module: UpcastFloat8Linear, weight_format: FP8) -> dict[str, Tensor]:
    return {"weight": module.values_oi, "weight_scale": module.scale_o.unsqueeze(1)}
