"""Batches continued with a cache against the same models without one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from effdsl_runtime.checkpoints.auto import EffdslConfig, EffdslForCausalLM
from effdsl_runtime.generating.continuation import continuation
from effdsl_runtime.generating.timed_batches import continue_batch
from torch import Tensor

from effdsl import GQA, NSA, MoBA
from effdsl.costs.generating import kv_bytes_per_token
from effdsl.key import canonical_json
from effdsl.language_model import language_model
from effdsl.shapes import Shape
from effdsl.techniques.architecture import Decoder
from effdsl.techniques.position import RoPE
from effdsl.techniques.technique import AttentionTechnique
from tests.runtime.generating.conftest import KINDS, built

OURS = Shape(layers=2, hidden_size=64, heads=4, head_dim=16, intermediate_size=96, vocab_size=97)


def ours(attention: AttentionTechnique) -> EffdslForCausalLM:
    torch.manual_seed(0)
    decoder = Decoder(OURS, attention.resolve(OURS), RoPE())
    return EffdslForCausalLM(EffdslConfig(canonical_json(decoder), 64)).eval()


def without_cache(model: Any, prompts_bt: Tensor, new_tokens: int) -> Tensor:
    """The likeliest tokens, everything computed anew for each."""
    tokens_bt = prompts_bt
    for _ in range(new_tokens):
        with torch.no_grad():
            logits_btv = model(input_ids=tokens_bt).logits
        tokens_bt = torch.cat((tokens_bt, logits_btv[:, -1:].argmax(-1)), 1)
    return tokens_bt[:, prompts_bt.shape[1] :]


def prompts(count: int = 3, length: int = 11) -> Tensor:
    return torch.randint(3, 97, (count, length), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_kept_changes_nothing(kind: str) -> None:
    """With its cache or state a model of transformers goes on as it does when it reads all anew."""
    model = built(kind)
    batch = continue_batch(model, prompts(), 8)
    assert torch.equal(batch.new_bt, without_cache(model, prompts(), 8))
    assert len(set(batch.new_bt.flatten().tolist())) > 3


@pytest.mark.parametrize("attention", [GQA(), NSA(), MoBA(block=6)], ids=str)
def test_our_own_decoders_go_on_as_without_a_cache(attention: AttentionTechnique) -> None:
    """Those that transformers has none of are continued with their own caches."""
    model = ours(attention)
    assert torch.equal(continue_batch(model, prompts(), 8).new_bt, without_cache(model, prompts(), 8))


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gpt_neox", "deepseek_v3"])
def test_the_cache_grows_by_its_closed_form(kind: str) -> None:
    """Each token adds as many bytes for each sequence as the plan says."""
    model = built(kind)
    shape = language_model(model.config.to_dict())
    assert shape is not None
    batch = continue_batch(model, prompts(), 8)
    assert (batch.kept_bytes - batch.prompt_bytes) / 7 / 3 == kv_bytes_per_token(shape, "float32")
    assert batch.prompt_bytes == 3 * 11 * kv_bytes_per_token(shape, "float32")


@pytest.mark.parametrize("kind", ["mamba", "mamba2"])
def test_a_state_does_not_grow(kind: str) -> None:
    """What a recurrent model keeps is as large after a prompt as at the end."""
    batch = continue_batch(built(kind), prompts(), 8)
    assert batch.kept_bytes == batch.prompt_bytes > 0


def test_times_are_in_order_and_one_for_each_token() -> None:
    """A batch of n new tokens has n times after its start."""
    batch = continue_batch(built("llama"), prompts(), 5)
    times = [batch.start_ns, *batch.tokens_ns]
    assert len(batch.tokens_ns) == 5
    assert times == sorted(set(times))


def test_nothing_is_kept_before_anything_was_read() -> None:
    """An empty continuation holds no bytes."""
    assert continuation(built("llama")).kept_bytes == 0
