"""Memory of one device of several that divide a model among them as Megatron-Core does.

Activations are what our own decoders keep, an upper bound of what fused kernels do.
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


@attrs.frozen
class ParameterBytes:
    """Bytes that a device holds of each parameter that it computes with.

    Attributes:
        weight, gradient: of these.
        optimizer: of its states, which the devices that share a batch divide among them.
        cast: of a copy in the dtype of the products, which each micro-batch keeps until its backward pass.
    """

    weight: int
    gradient: int
    optimizer: int
    cast: int = 0


def in_megatron_lm(dtype: str) -> ParameterBytes:
    """As Megatron-LM trains: weights in ``dtype``, with a copy in float32 among the optimizer's states (its
    ``theoretical_memory_usage.py``: 6 + 12 / D bytes in bfloat16)."""
    if dtype == "float32":
        return ParameterBytes(FLOAT32, FLOAT32, 2 * FLOAT32)
    return ParameterBytes(BYTES_PER_ELEMENT[dtype], FLOAT32, 3 * FLOAT32)


def under_autocast(dtype: str) -> ParameterBytes:
    """As our engine trains with Megatron-Core: weights in float32, autocast's copies in ``dtype``."""
    element = BYTES_PER_ELEMENT[dtype]
    return ParameterBytes(FLOAT32, FLOAT32, 2 * FLOAT32, element if element != FLOAT32 else 0)


def divided_memory(work: DecoderTraining, parallelism: Parallelism, each: ParameterBytes) -> MemoryEstimate:
    """Predicted memory of the fullest device: of the first stage, which keeps the activations of as many
    micro-batches as there are stages, or of the last, which makes the logits."""
    in_flight = min(parallelism.micro_batches(work.budget), parallelism.pipeline)
    kept, inside = _activations(work, parallelism)
    first = attrs.evolve(
        _states(work, parallelism, each, in_flight), activations=round(in_flight * kept + inside)
    )
    last = attrs.evolve(
        _states(work, parallelism, each, 1),
        activations=round(kept + inside),
        logits=_logits(work, parallelism),
    )
    return last if parallelism.pipeline == 1 else max(first, last, key=lambda stage: stage.total)


def _states(
    work: DecoderTraining, parallelism: Parallelism, each: ParameterBytes, in_flight: int
) -> MemoryEstimate:
    tensor, copies = parallelism.tensor, parallelism.data * parallelism.context
    divided = tensor * parallelism.pipeline
    at_an_end = work.architecture.embeddings if parallelism.pipeline == 1 else 1
    experts = work.architecture.expert_parameters / divided / parallelism.expert
    rest = (layer_parameters(work) - work.architecture.expert_parameters) / divided
    rest += at_an_end * embedding_parameters(work) / tensor
    return MemoryEstimate(
        weights=round((each.weight + in_flight * each.cast) * (rest + experts)),
        gradients=round(each.gradient * (rest + experts)),
        optimizer=round(each.optimizer * (rest + experts * parallelism.expert) / copies),
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
