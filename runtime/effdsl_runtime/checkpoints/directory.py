"""A trained model as a Hugging Face directory: configuration, safetensors, tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from effdsl.key import canonical_json
from effdsl.techniques.architecture import Architecture
from effdsl_runtime.checkpoints import attention_forms, parallel_form, recurrent_forms  # noqa: F401  the families
from effdsl_runtime.checkpoints.form import Form, form_of
from effdsl_runtime.data.codec import Codec
from effdsl_runtime.model.decoder import DecoderLM

OWN_TYPE = "effdsl"
"""The ``model_type`` of decoders that transformers has no model for."""


def write_checkpoint(folder: Path, architecture: Architecture, model: DecoderLM, codec: Codec) -> None:
    """Write ``model`` into the empty ``folder``, in float32, as a directory that ``from_pretrained`` loads.

    A decoder that equals one of transformers' models is written as that; any other as one of ours, which
    loads once ``effdsl_runtime.checkpoints.auto`` is imported.
    """
    weights = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    form = form_of(architecture, weights, model.context_length)
    form = form or _own_form(architecture, weights, model.context_length)
    end = {"bos_token_id": codec.separator, "eos_token_id": codec.separator, "pad_token_id": None}
    _write(folder / "config.json", {**form.config, **end, "dtype": "float32"})
    _write(folder / "generation_config.json", end)
    whole = torch.contiguous_format  # parts of one tensor are written as tensors of their own
    tensors = {name: part.clone(memory_format=whole) for name, part in form.weights.items()}
    content = save(tensors, metadata={"format": "pt"})
    (folder / "model.safetensors").write_bytes(content)  # by Python, which takes every name of a folder
    codec.save(folder)
    _write(folder / "tokenizer_config.json", codec.described(model.context_length))


def _own_form(architecture: Architecture, weights: dict[str, Tensor], context_length: int) -> Form:
    shape = architecture.shape
    config = {
        "model_type": OWN_TYPE,
        "architectures": ["EffdslForCausalLM"],
        "architecture": canonical_json(architecture),
        "max_position_embeddings": context_length,
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.hidden_size,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "tie_word_embeddings": architecture.embeddings == 1,
    }
    return Form(config, {f"decoder.{name}": tensor for name, tensor in weights.items()})


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
