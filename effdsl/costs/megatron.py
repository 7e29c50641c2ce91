"""Memory of training as Megatron-LM arranges it, for predictions beside published measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from effdsl.costs.memory import FLOAT32, MemoryEstimate, Sharding
from effdsl.techniques.base import BYTES_PER_ELEMENT

if TYPE_CHECKING:
    from effdsl.techniques.architecture import Architecture

BFLOAT16 = BYTES_PER_ELEMENT["bfloat16"]


def megatron_training_memory(
    architecture: Architecture, sequences: int, context_length: int, sharding: Sharding
) -> MemoryEstimate:
    """Predicted memory of one device, without tensor or pipeline parallelism, in bytes.

    The terms are those of Megatron-LM's ``theoretical_memory_usage.py`` with selective recomputation (or
    flash attention), after Korthikanti et al. 2022 (arXiv 2205.05198):

    - weights in bfloat16 and gradients in float32: 2 + 4 bytes a parameter;
    - a float32 copy of the weights and two Adam states: 12 bytes a parameter, divided by
      ``sharding.optimizer`` (its distributed optimizer);
    - activations of ``h (18 + 4 f / h)`` bytes per token and layer, for width ``h`` and feed-forward
      width ``f``, the paper's ``34 h`` at ``f = 4 h``; no scores; the same for every attention;
    - logits and the output of the last norm in float32: ``4 (V + h)`` bytes per token.

    That is the largest memory of a step. Buffers of communication, workspaces and fragmentation are not
    counted.
    """
    shape = architecture.shape
    parameters = architecture.parameters(context_length)
    tokens = sequences * context_length
    layer = 18 * shape.hidden_size + 4 * shape.intermediate_size
    return MemoryEstimate(
        weights=BFLOAT16 * parameters // sharding.weights,
        gradients=FLOAT32 * parameters // sharding.gradients,
        optimizer=3 * FLOAT32 * parameters // sharding.optimizer,
        activations=tokens * shape.layers * layer,
        logits=tokens * FLOAT32 * (shape.vocab_size + shape.hidden_size),
    )
