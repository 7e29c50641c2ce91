"""FLOPs and bytes of inference in closed form against models of transformers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig, AutoModelForCausalLM

from effdsl.costs.generating import decode_flops, generating_memory, largest_batch, prefill_flops
from effdsl.language_model import LanguageModel, language_model
from effdsl.techniques.precision import BF16, FP32, INT4
from tests.effdsl.fine_tuning.conftest import CONFIGS

KINDS = ("llama", "qwen2", "mistral", "phi3", "gpt_neox")
PROMPT, NEW = 7, 5


def model_of(kind: str) -> tuple[Any, LanguageModel]:
    named = dict(CONFIGS[kind])
    config = AutoConfig.for_model(named.pop("model_type"), **named)
    shape = language_model(config.to_dict())
    assert shape is not None
    built: Any = AutoModelForCausalLM.from_config(config, attn_implementation="eager")  # type: ignore[no-untyped-call]
    return built.eval(), shape


@torch.no_grad()
def counted(model: Any, tokens: int, of_last: int) -> int:
    """FLOPs of the last ``of_last`` of so many tokens, given one at a time: each meets what came before."""
    total, cache = 0, None
    for place in range(tokens):
        with FlopCounterMode(display=False) as counter:
            out = model(input_ids=torch.tensor([[3]]), past_key_values=cache, use_cache=True)
        cache = out.past_key_values
        if place >= tokens - of_last:
            total += counter.get_total_flops()
    return total


@pytest.mark.parametrize("kind", KINDS)
def test_continuing_takes_the_flops_of_its_steps(kind: str) -> None:
    """Every step after the first new token reads one token and meets all before it."""
    model, shape = model_of(kind)
    assert decode_flops(shape, PROMPT, NEW) == counted(model, PROMPT + NEW - 1, NEW - 1)


@pytest.mark.parametrize("kind", KINDS)
def test_reading_a_prompt_takes_that_of_its_tokens_and_one_output(kind: str) -> None:
    """As its tokens one by one, less the output layer of all but the last."""
    model, shape = model_of(kind)
    outputs = 2 * shape.vocab_size * shape.hidden_size
    assert prefill_flops(shape, PROMPT) == counted(model, PROMPT, PROMPT) - (PROMPT - 1) * outputs


def test_the_largest_batch_is_the_last_that_fits() -> None:
    """One more would need more memory than there is; weights that do not fit leave room for none."""
    _, shape = model_of("llama")
    for weights, dtype in ((FP32(), "float32"), (BF16(), "bfloat16"), (INT4(group_size=4), "bfloat16")):
        for memory in (10_000, 200_000, 1_000_000, 12_345_678):
            most = largest_batch(shape, weights, dtype, 48, 32, memory)
            needed = [generating_memory(shape, weights, dtype, n, 48, 32).total for n in (most, most + 1)]
            assert needed[1] > memory
            assert most == 0 or needed[0] <= memory
