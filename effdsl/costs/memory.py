"""Memory that training needs on one device, and a model needs to generate, part by part.

The scheme of training is the runtime's: float32 weights and two Adam states, activations of one
micro-batch in the dtype of the matrix products, nothing recomputed; logits, a chunk at a time, in that
dtype and twice in float32. Autocast keeps a copy of the weights in its dtype. Gradients are freed after
every step and made layer by layer, while the activations of the layers are freed: memory is largest
either when the forward pass has ended or when the optimizer steps, and in between on a line from one to
the other. On a CPU the code that oneDNN compiles for each bfloat16 product stays too, and the allocator
keeps room between tensors of different sizes. Not counted: the framework, workspaces of single
operations, and the allocator's room on a GPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from effdsl.techniques.technique import BYTES_PER_ELEMENT
from effdsl.workload import MemoryEstimate

if TYPE_CHECKING:
    from effdsl.techniques.architecture import Architecture
    from effdsl.training import TrainingBudget

FLOAT32 = BYTES_PER_ELEMENT["float32"]


@attrs.frozen
class Scheme:
    """What the runtime does on one kind of device.

    Attributes:
        logits_at_once: the chunk of logits that its loss works through.
        attends_in_float32: whether autocast leaves attention, and sums of gradients, to float32 copies.
        compiled_product: bytes of the code of a matrix product of one shape, where autocast's are compiled
            for each shape and kept. On a CPU, by oneDNN: 0.63 to 0.69 MB each for products of 32 to 512
            rows and 256 to 672 columns (oneDNN of torch 2.13, AVX-512).
        dense_masks: whether attention keeps biases, and masks of chosen blocks, whole and in float32.
        slack: what the allocator keeps beside the tensors, as a fraction of them. On a CPU glibc's: resident
            memory of the small studies stood 3% to 30% above the tensors, an eighth in the median
            (benchmarks/memory.py); see also :attr:`Architecture.fragmentation`.
    """

    logits_at_once: int
    attends_in_float32: bool
    dense_masks: bool
    compiled_product: int
    slack: float


ON_GPU = Scheme(1 << 28, attends_in_float32=False, dense_masks=False, compiled_product=0, slack=0)
ON_CPU = Scheme(1 << 21, attends_in_float32=True, dense_masks=True, compiled_product=650_000, slack=0.125)
SCHEMES = {"gpu": ON_GPU, "cpu": ON_CPU}


def training_memory(
    architecture: Architecture,
    budget: TrainingBudget,
    dtype: str,
    kind: str,
    devices: int,
    *,
    sharded: bool = False,
) -> MemoryEstimate:
    """Predicted memory of one of ``devices`` of a ``kind`` (``"cpu"`` or ``"gpu"``) that share each batch.

    Args:
        sharded: whether each has a part of weights, gradients and optimizer states instead of all.
    """
    share = -(-budget.batch_size // devices)
    sequences = min(budget.micro_batch_size, share)
    return decoder_training_memory(
        architecture,
        sequences,
        budget.context_length,
        dtype,
        scheme=SCHEMES[kind],
        accumulates=share > sequences,
        shards=devices if sharded else 1,
    )


def decoder_training_memory(
    architecture: Architecture,
    sequences: int,
    context_length: int,
    dtype: str,
    *,
    scheme: Scheme = ON_GPU,
    accumulates: bool = False,
    shards: int = 1,
) -> MemoryEstimate:
    """Predicted memory of training ``architecture`` on ``sequences`` at a time, in bytes.

    Args:
        scheme: of the device.
        accumulates: whether gradients of earlier micro-batches are held during a forward pass, those of all
            parameters.
        shards: devices among which FSDP2 divides weights, gradients and optimizer states.
    """
    parameters = architecture.parameters(context_length)
    tokens = sequences * context_length
    element = BYTES_PER_ELEMENT[dtype]
    cast = element if element != FLOAT32 else 0
    weights = FLOAT32 * parameters // shards
    gradients = FLOAT32 * parameters // shards
    optimizer = 2 * FLOAT32 * parameters // shards
    gathered = FLOAT32 * _gathered(architecture, context_length) if shards > 1 else 0
    shape = architecture.shape
    logits = min(tokens * shape.vocab_size, scheme.logits_at_once)
    head = shape.vocab_size * shape.hidden_size * (FLOAT32 + cast)  # its gradient, and a chunk's share of it
    activations = tokens * architecture.activation_bytes_per_token(context_length, element)
    if cast and scheme.attends_in_float32:
        head += FLOAT32 * shape.vocab_size * shape.hidden_size
        activations += tokens * FLOAT32 * architecture.attention_activations_per_token(context_length)
    if scheme.dense_masks:
        activations += tokens * FLOAT32 * architecture.dense_masks_per_token(context_length)
    # Forward, and a gradient of either factor.
    kernels = 3 * architecture.products * scheme.compiled_product if cast else 0
    forward = MemoryEstimate(
        weights=weights + gathered + cast * parameters,  # autocast's copies are never sharded
        gradients=FLOAT32 * parameters + head
        if accumulates
        else head,  # the loss makes the output layer's at once
        optimizer=optimizer,
        activations=round(activations),
        logits=logits * (2 * FLOAT32 + cast),
        kernels=kernels,
    )
    step = MemoryEstimate(weights=weights, gradients=gradients, optimizer=optimizer, kernels=kernels)
    # What measures the finished model has it whole beside the shards.
    end = attrs.evolve(step, weights=weights + FLOAT32 * parameters, gradients=0) if shards > 1 else step
    fullest = max(forward, step, end, key=lambda moment: moment.total)
    slack = scheme.slack * architecture.fragmentation * (fullest.total - kernels)
    return attrs.evolve(fullest, slack=round(slack))


def _gathered(architecture: Architecture, context_length: int) -> int:
    """Parameters that a device has whole during a pass, though they are sharded: the layer that computes, the
    one that is fetched meanwhile, and what belongs to no layer."""
    layer = architecture.non_embedding_parameters(context_length) // architecture.shape.layers
    outside = architecture.embeddings * architecture.shape.vocab_size * architecture.shape.hidden_size
    return outside + min(2, architecture.shape.layers) * layer


def generation_memory(
    architecture: Architecture, context_length: int, dtype: str, sequences: int = 1
) -> MemoryEstimate:
    """Memory of generating with the weights in ``dtype``: the weights, and what each sequence's cache
    holds at ``context_length`` tokens."""
    return MemoryEstimate(
        weights=BYTES_PER_ELEMENT[dtype] * architecture.parameters(context_length),
        cache=round(sequences * architecture.cache_bytes(context_length, dtype)),
    )
