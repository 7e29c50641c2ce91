"""Generation of text, token by token, with a cache."""

from __future__ import annotations

import torch
from torch import Tensor

from effdsl_runtime.model.cache import Cache
from effdsl_runtime.model.decoder import DecoderLM


@torch.no_grad()
def generate(
    model: DecoderLM,
    prompt_bt: Tensor,
    new_tokens: int,
    temperature: float = 0.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """``prompt_bt`` continued by ``new_tokens``.

    Args:
        model: see ``DecoderLM``.
        prompt_bt: token ids, at least one per sequence.
        new_tokens: how many to add.
        temperature: 0 takes the likeliest token each time; 1 draws from the model's distribution.
        generator: of the draws.

    Raises:
        ValueError: when prompt and new tokens do not fit the model's context.
    """
    if prompt_bt.shape[1] + new_tokens > model.context_length:
        wanted = prompt_bt.shape[1] + new_tokens
        raise ValueError(f"{wanted} positions do not fit a context of {model.context_length}")
    caches = model.new_caches()
    tokens_bt = next_bt = prompt_bt
    for _ in range(new_tokens):
        logits_bv = next_logits(model, next_bt, caches).float()
        if temperature == 0:
            next_bt = logits_bv.argmax(-1, keepdim=True)
        else:
            chances_bv = (logits_bv / temperature).softmax(-1)
            next_bt = torch.multinomial(chances_bv, 1, generator=generator)
        tokens_bt = torch.cat((tokens_bt, next_bt), 1)
    return tokens_bt


def next_logits(model: DecoderLM, tokens_bt: Tensor, caches: list[Cache]) -> Tensor:
    """``(b, v)``: the logits of the token after ``tokens_bt``, which follow what ``caches`` hold."""
    return model.logits(model.hidden(tokens_bt, caches)[:, -1])
