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

from effdsl.techniques.base import BYTES_PER_ELEMENT
from effdsl.validate import positive_int

if TYPE_CHECKING:
    from effdsl.hardware import Hardware
    from effdsl.task import Pretraining
    from effdsl.techniques.architecture import Architecture

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


@attrs.frozen
class Sharding:
    """Among how many devices each part of the training state is divided (ZeRO, arXiv 1910.02054,
    section 5: stage 1 divides the optimizer, 2 the gradients too, 3 also the weights)."""

    optimizer: int = attrs.field(default=1, validator=positive_int)
    gradients: int = attrs.field(default=1, validator=positive_int)
    weights: int = attrs.field(default=1, validator=positive_int)


REPLICATED = Sharding()


@attrs.frozen
class MemoryEstimate:
    """Bytes on one device when it is fullest, by what they hold."""

    weights: int = 0
    gradients: int = 0
    optimizer: int = 0
    activations: int = 0
    logits: int = 0
    cache: int = 0
    kernels: int = 0
    slack: int = 0

    @property
    def total(self) -> int:
        return sum(self.parts().values())

    def parts(self) -> dict[str, int]:
        """The parts that are not empty, by name, in the order in which they are explained."""
        return {name: size for name, size in attrs.asdict(self).items() if size}

    def __str__(self) -> str:
        shown = " + ".join(f"{name} {size / 1e9:,.3g}" for name, size in self.parts().items())
        return f"{self.total / 1e9:,.3g} GB ({shown})"


def training_memory(
    workload: Pretraining, hardware: Hardware, sharding: Sharding = REPLICATED
) -> MemoryEstimate:
    """Predicted memory of one of the devices of ``hardware``, which share each batch."""
    budget = workload.budget
    share = -(-budget.batch_size // hardware.count)
    sequences = min(budget.micro_batch_size, share)
    return decoder_training_memory(
        workload.architecture,
        sequences,
        budget.context_length,
        workload.recipe.dtype,
        scheme=SCHEMES[hardware.kind],
        accumulates=share > sequences,
        sharding=sharding,
    )


def decoder_training_memory(
    architecture: Architecture,
    sequences: int,
    context_length: int,
    dtype: str,
    *,
    scheme: Scheme = ON_GPU,
    accumulates: bool = False,
    sharding: Sharding = REPLICATED,
) -> MemoryEstimate:
    """Predicted memory of training ``architecture`` on ``sequences`` at a time, in bytes.

    Args:
        scheme: of the device.
        accumulates: whether gradients of earlier micro-batches are held during a forward pass.
        sharding: of weights, gradients and optimizer.
    """
    parameters = architecture.parameters(context_length)
    tokens = sequences * context_length
    element = BYTES_PER_ELEMENT[dtype]
    cast = element if element != FLOAT32 else 0
    weights = FLOAT32 * parameters // sharding.weights
    gradients = FLOAT32 * parameters // sharding.gradients
    optimizer = 2 * FLOAT32 * parameters // sharding.optimizer
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
        weights=weights + cast * parameters,
        gradients=gradients + head if accumulates else head,  # the loss makes the output layer's at once
        optimizer=optimizer,
        activations=round(activations),
        logits=logits * (2 * FLOAT32 + cast),
        kernels=kernels,
    )
    step = MemoryEstimate(weights=weights, gradients=gradients, optimizer=optimizer, kernels=kernels)
    fullest = max(forward, step, key=lambda moment: moment.total)
    slack = scheme.slack * architecture.fragmentation * (fullest.total - kernels)
    return attrs.evolve(fullest, slack=round(slack))


def recomputed_activation_bytes(
    architecture: Architecture, tokens: int, context_length: int, dtype: str
) -> int:
    """Bytes of activations where only the input of each block is kept and a block is computed again for
    its backward pass (Chen et al. 2016, arXiv 1604.06174, with a segment per block)."""
    layers = architecture.shape.layers
    kept = layers * architecture.shape.hidden_size * FLOAT32
    block = architecture.activation_bytes_per_token(context_length, BYTES_PER_ELEMENT[dtype]) / layers
    return round(tokens * (kept + block))


def generation_memory(
    architecture: Architecture, context_length: int, dtype: str, sequences: int = 1
) -> MemoryEstimate:
    """Memory of generating with the weights in ``dtype``: the weights, and what each sequence's cache
    holds at ``context_length`` tokens."""
    return MemoryEstimate(
        weights=BYTES_PER_ELEMENT[dtype] * architecture.parameters(context_length),
        cache=round(sequences * architecture.cache_bytes(context_length, dtype)),
    )
