"""FLOPs and bytes moved, of a training and of a generated token; closed forms of the architecture's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from effdsl.techniques.technique import BYTES_PER_ELEMENT

if TYPE_CHECKING:
    from effdsl.techniques.architecture import Architecture
    from effdsl.training import TrainingBudget

FLOAT32 = BYTES_PER_ELEMENT["float32"]
ADAM_ACCESSES = 7  # reads weight, gradient and both states; writes weight and both states


def decode_flops_per_token(architecture: Architecture, context_length: int) -> float:
    """FLOPs of the token at position ``context_length``, counted from 1, with everything before it cached.

    The forward pass is a third of training. Over the first ``T`` tokens it takes ``T f(T) / 3``, where
    ``f`` is the causal training FLOPs per token at that length; the last of them takes what that sum
    grows by.
    """

    def first(tokens: int) -> float:
        return tokens * architecture.causal_train_flops_per_token(tokens) / 3 if tokens else 0.0

    return first(context_length) - first(context_length - 1)


def decode_bytes_per_token(architecture: Architecture, context_length: int, dtype: str) -> float:
    """Bytes read and written to generate one token of one sequence, ``context_length`` tokens cached.

    Every weight that the token meets is read once, of an untied embedding only a row; the cache is read
    whole, though sparse attention needs less; one token is added to it; a recurrent state is written.
    """
    shape = architecture.shape
    element = BYTES_PER_ELEMENT[dtype]
    looked_up = (architecture.embeddings - 1) * shape.vocab_size * shape.hidden_size
    weights = architecture.active_parameters(context_length) - looked_up
    read = architecture.cache_bytes(context_length, dtype)
    written = architecture.kv_bytes_per_token(dtype) + architecture.state_bytes(dtype)
    return weights * element + read + written


def train_bytes_per_step(
    architecture: Architecture, budget: TrainingBudget, dtype: str, devices: int = 1
) -> float:
    """Bytes that one of ``devices`` reads and writes in an optimizer step at the least.

    Each micro-batch reads the weights twice, forward and backward, in the dtype of the matrix products,
    and writes and reads every kept activation once. The optimizer reads and writes its states. Logits are
    not counted: a fused loss need not store them.
    """
    parameters = architecture.parameters(budget.context_length)
    element = BYTES_PER_ELEMENT[dtype]
    sequences = budget.batch_size / devices
    passes = -(-budget.batch_size // (devices * budget.micro_batch_size))
    weights = passes * 2 * element * parameters
    per_token = architecture.activation_bytes_per_token(budget.context_length, element)
    activations = 2 * sequences * budget.context_length * per_token
    return weights + activations + ADAM_ACCESSES * FLOAT32 * parameters
