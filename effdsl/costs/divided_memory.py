"""Memory of one device of several that Megatron-Core divides a model among.

States of a parameter in bfloat16: its weight, its gradient in float32, and a share of a float32 copy and of
two Adam states (Megatron-LM's ``theoretical_memory_usage.py``: 6 + 12 / D bytes, D devices that share a batch
and the optimizer); in float32, 8 + 8 / D. Activations are what our own decoders keep, an upper bound of what
fused kernels do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from effdsl.costs.divided import embedding_parameters, layer_parameters
from effdsl.techniques.technique import BYTES_PER_ELEMENT
from effdsl.workload import MemoryEstimate

if TYPE_CHECKING:
    from effdsl.costs.divided import DecoderTraining
    from effdsl.parallelism import Parallelism

FLOAT32 = BYTES_PER_ELEMENT["float32"]
UNDIVIDED = 10
"""Bytes of a layer's activations, for each token and element of its width, that tensor parallelism leaves
whole unless tokens are divided too (Korthikanti et al. 2022, arXiv 2205.05198, equation 2)."""


def megatron_memory(work: DecoderTraining, parallelism: Parallelism) -> MemoryEstimate:
    """Predicted memory of the fullest device: of the first stage, which keeps the activations of as many
    micro-batches as there are stages, or of the last, which makes the logits."""
    in_flight = min(parallelism.micro_batches(work.budget), parallelism.pipeline)
    states = _states(work, parallelism)
    kept, inside = _activations(work, parallelism)
    first = attrs.evolve(states, activations=round(in_flight * kept + inside))
    last = attrs.evolve(states, activations=round(kept + inside), logits=_logits(work, parallelism))
    return last if parallelism.pipeline == 1 else max(first, last, key=lambda stage: stage.total)


def _states(work: DecoderTraining, parallelism: Parallelism) -> MemoryEstimate:
    element = BYTES_PER_ELEMENT[work.dtype]
    tensor, copies = parallelism.tensor, parallelism.data * parallelism.context
    divided = tensor * parallelism.pipeline
    at_an_end = work.architecture.embeddings if parallelism.pipeline == 1 else 1
    experts = work.architecture.expert_parameters / divided / parallelism.expert
    rest = (layer_parameters(work) - work.architecture.expert_parameters) / divided
    rest += at_an_end * embedding_parameters(work) / tensor
    of_optimizer = 2 * FLOAT32 + (FLOAT32 if element != FLOAT32 else 0)
    return MemoryEstimate(
        weights=round(element * (rest + experts)),
        gradients=round(FLOAT32 * (rest + experts)),
        optimizer=round(of_optimizer * (rest + experts * parallelism.expert) / copies),
    )


def _activations(work: DecoderTraining, parallelism: Parallelism) -> tuple[float, float]:
    """Bytes that one device keeps of a micro-batch, and those that it makes again of one layer at a time."""
    architecture, element = work.architecture, BYTES_PER_ELEMENT[work.dtype]
    tokens, layers = parallelism.tokens(work.budget), architecture.shape.layers
    whole = tokens * architecture.activation_bytes_per_token(work.budget.context_length, element)
    width = tokens * architecture.shape.hidden_size
    undivided = 0 if parallelism.sequence_parallel else min(whole, UNDIVIDED * width * layers)
    per_layer = ((whole - undivided) / parallelism.tensor + undivided) / layers
    layers_of_a_stage = layers / parallelism.pipeline
    if not parallelism.recomputes:
        return layers_of_a_stage * per_layer, 0.0
    inputs = element * width / (parallelism.tensor if parallelism.sequence_parallel else 1)
    return layers_of_a_stage * inputs, per_layer


def _logits(work: DecoderTraining, parallelism: Parallelism) -> int:
    """In float32, with what the output layer reads."""
    shape = work.architecture.shape
    tokens = parallelism.tokens(work.budget)
    return round(FLOAT32 * tokens * (shape.vocab_size + shape.hidden_size) / parallelism.tensor)
