"""What it takes to read prompts and to continue them: FLOPs, bytes that are read, memory.

Reading a prompt is bound by its matrix products, continuing it by reading every weight, and the cache, for
each token: the roofline of Williams et al. 2009 for both. FLOPs are those of matrix products; a query meets
the keys that causality lets it see. Logits are made of the last token alone.
"""

from __future__ import annotations

from effdsl.language_model import LanguageModel
from effdsl.techniques.precision.weight_format import WeightFormat
from effdsl.techniques.technique import BYTES_PER_ELEMENT
from effdsl.workload import MemoryEstimate

FLOAT32 = BYTES_PER_ELEMENT["float32"]


def prefill_flops(model: LanguageModel, tokens: int) -> float:
    """Of one sequence of ``tokens`` that is read into an empty cache."""
    return tokens * _flops_per_token(model, (tokens + 1) / 2) + 2 * model.embedding


def decode_flops(model: LanguageModel, prompt_tokens: int, new_tokens: int) -> float:
    """Of continuing one sequence, the first new token aside: that comes of reading the prompt."""
    steps = new_tokens - 1
    keys = prompt_tokens + (steps + 1) / 2
    return steps * (_flops_per_token(model, keys) + 2 * model.embedding)


def _flops_per_token(model: LanguageModel, keys: float) -> float:
    """Of all layers, forward, for a token whose query meets ``keys`` keys."""
    matrices = 2 * sum(linear.weights for linear in model.linears)
    return model.layers * (matrices + 2 * model.heads * (model.key_dim + model.value_dim) * keys)


def kv_bytes_per_token(model: LanguageModel, dtype: str) -> int:
    """Bytes by which the cache of all layers grows with a token: keys and values, or what they are made of
    where attention is latent."""
    made_of = model.linear(model.keys).reads
    latent = sum(model.linear(name).outputs for name in made_of)
    elements = latent or model.kv_heads * (model.key_dim + model.value_dim)
    return model.layers * elements * BYTES_PER_ELEMENT[dtype]


def decode_bytes(
    model: LanguageModel, weights: WeightFormat, dtype: str, sequences: int, prompt: int, new: int
) -> float:
    """Bytes read to continue ``sequences`` together: each step all weights, of the embedding only its rows
    unless it is the output layer as well, and the cache."""
    steps = new - 1
    unread = 0 if model.tied_embeddings else model.embedding * BYTES_PER_ELEMENT[dtype]
    cached = sequences * kv_bytes_per_token(model, dtype) * (prompt + (steps + 1) / 2)
    return steps * (weights.weight_bytes(model, dtype) - unread + cached)


def generating_memory(
    model: LanguageModel, weights: WeightFormat, dtype: str, sequences: int, context: int, prompt: int
) -> MemoryEstimate:
    """Predicted memory when ``sequences`` of ``context`` tokens are held, ``prompt`` of them read at once.

    Activations are those of the widest point of one layer: its input, and what the feed-forward makes.
    """
    element = BYTES_PER_ELEMENT[dtype]
    widest = 2 * model.hidden_size + sum(model.linear(name).outputs for name in model.linears[-1].reads)
    return MemoryEstimate(
        weights=weights.weight_bytes(model, dtype),
        cache=sequences * context * kv_bytes_per_token(model, dtype),
        activations=sequences * prompt * widest * element,
        logits=sequences * model.vocab_size * (element + FLOAT32),
    )


def largest_batch(
    model: LanguageModel, weights: WeightFormat, dtype: str, context: int, prompt: int, memory: int
) -> int:
    """How many sequences of ``context`` tokens fit into ``memory`` bytes beside the weights; none where these
    alone do not."""
    one = generating_memory(model, weights, dtype, 1, context, prompt)
    return max(0, (memory - one.weights) // (one.total - one.weights))
