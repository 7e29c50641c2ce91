"""What the memory formula counts per token is what autograd keeps of transformers' models with adapters."""

from __future__ import annotations

import weakref
from typing import Any

import pytest
import torch
from effdsl_runtime.data.model_tokenizer import Example
from effdsl_runtime.device import autocast
from effdsl_runtime.tuning.methods import applied
from effdsl_runtime.tuning.tuner import loss_of
from transformers import AutoConfig, AutoModelForCausalLM

from effdsl.costs.tuning_memory import kept_bytes_per_token, tuning_memory
from effdsl.language_model import language_model
from effdsl.techniques.fine_tuning import DoRA, Freeze, Full, LoRA, LoRAPlus, PiSSA, RSLoRA
from effdsl.techniques.fine_tuning.method import Method
from effdsl.techniques.technique import BYTES_PER_ELEMENT
from effdsl.training import TrainingBudget

CPU = torch.device("cpu")
TOKENS = 96
METHODS = (LoRA(), LoRAPlus(), RSLoRA(rank=16), DoRA(), PiSSA(), Full(), Freeze(trainable_layers=1))


class Kept:
    """A tensor that a graph holds; it goes with the graph."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor


def config(kind: str, layers: int) -> dict[str, Any]:
    return {
        "model_type": kind,
        "num_hidden_layers": layers,
        "hidden_size": 64,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 112,
        "vocab_size": 50,
    }


def kept(method: Method, kind: str, layers: int, dtype: str) -> int:
    """Bytes of all tensors that a forward pass keeps for its backward pass, weights apart."""
    said = config(kind, layers)
    shape = language_model(said)
    assert shape is not None
    of_type = {name: value for name, value in said.items() if name != "model_type"}
    loaded = AutoModelForCausalLM.from_config(
        AutoConfig.for_model(kind, **of_type), dtype=getattr(torch, dtype), attn_implementation="sdpa"
    )
    model = applied(method.resolve(shape), loaded, shape, steps=10).train()
    weights = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    seen: weakref.WeakSet[Kept] = weakref.WeakSet()

    def keep(tensor: torch.Tensor) -> Kept:
        held = Kept(tensor)
        seen.add(held)
        return held

    batch = [Example([1] * TOKENS, [False] + [True] * (TOKENS - 1))] * 2
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda held: held.tensor), autocast(CPU, dtype):
        loss = loss_of(model, batch, CPU)
    storages = {
        storage.data_ptr(): storage.nbytes()
        for held in seen
        if (storage := held.tensor.untyped_storage()).data_ptr() not in weights
    }
    assert loss.requires_grad  # until here the graph holds what it keeps
    return sum(storages.values())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", ["llama", "qwen2", "mistral"])
@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_what_a_layer_keeps_is_what_the_formula_says(method: Method, kind: str, dtype: str) -> None:
    """One layer more is as many bytes more; casts of an adapter's own matrices, which do not grow with the
    tokens, are not in the formula."""
    shape = language_model(config(kind, 3))
    assert shape is not None
    closed = method.resolve(shape)
    measured = (kept(method, kind, 3, dtype) - kept(method, kind, 2, dtype)) / (2 * TOKENS)
    if isinstance(method, Freeze):
        assert measured == 0
        return
    trained = closed.trainable_parameters(shape) / shape.layers
    of_weights = BYTES_PER_ELEMENT[dtype] * trained / (2 * TOKENS)
    formula = kept_bytes_per_token(closed, shape, BYTES_PER_ELEMENT[dtype])
    assert formula * 0.97 <= measured <= formula * 1.03 + 3 * of_weights


def test_recomputing_keeps_the_inputs_of_layers_and_one_layer() -> None:
    """With many layers that is a fraction of all."""
    shape = language_model(config("llama", 40))
    assert shape is not None
    budget = TrainingBudget(steps=1, batch_size=4, context_length=512, micro_batch_size=4)
    method = LoRA().resolve(shape)
    whole, again = (
        tuning_memory(method, shape, budget, "float32", "gpu", recomputes=recomputes).activations
        for recomputes in (False, True)
    )
    assert again == 4 * 512 * (40 * 64 * 4 + kept_bytes_per_token(method, shape, 4))
    assert again < whole / 5


def test_a_micro_batch_decides_and_not_the_batch() -> None:
    shape = language_model(config("llama", 4))
    assert shape is not None
    method = Full().resolve(shape)
    one, eight = (
        tuning_memory(method, shape, TrainingBudget(1, size, 128, 1), "float32", "gpu") for size in (1, 8)
    )
    assert one == eight
