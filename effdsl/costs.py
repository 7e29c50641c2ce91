"""Memory that training will need on one device, predicted part by part.

The scheme is the runtime's: float32 weights, gradients and two Adam states, replicated on every device;
activations of one micro-batch, nothing recomputed, in the dtype of the matrix products; logits, a chunk
of a quarter of a billion at a time, in that dtype and twice in float32. Autocast keeps a copy of the
weights in its dtype. Not counted: the allocator's slack, the framework, and workspaces of single
operations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from effdsl.techniques.base import BYTES_PER_ELEMENT

if TYPE_CHECKING:
    from effdsl.architecture import Architecture
    from effdsl.task import Pretraining

FLOAT32 = BYTES_PER_ELEMENT["float32"]
LOGITS_AT_ONCE = 1 << 28  # on a GPU; a CPU takes fewer


@attrs.frozen
class MemoryEstimate:
    """Bytes on one device, by what they hold."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    logits: int

    @property
    def total(self) -> int:
        return sum(self.parts().values())

    def parts(self) -> dict[str, int]:
        """The parts by name, in the order in which they are explained."""
        return attrs.asdict(self)

    def __str__(self) -> str:
        shown = " + ".join(f"{name} {size / 1e9:,.3g}" for name, size in self.parts().items())
        return f"{self.total / 1e9:,.3g} GB ({shown})"


def training_memory(workload: Pretraining, devices: int) -> MemoryEstimate:
    """Predicted memory of one of ``devices`` that share each batch."""
    budget = workload.budget
    sequences = min(budget.micro_batch_size, -(-budget.batch_size // devices))
    return decoder_training_memory(
        workload.architecture, sequences, budget.context_length, workload.recipe.dtype
    )


def decoder_training_memory(
    architecture: Architecture, sequences: int, context_length: int, dtype: str
) -> MemoryEstimate:
    """Predicted memory of training ``architecture`` on ``sequences`` at a time, in bytes."""
    parameters = architecture.parameters(context_length)
    weights = FLOAT32 * parameters
    tokens = sequences * context_length
    element = BYTES_PER_ELEMENT.get(dtype, FLOAT32)
    cast = element if element != FLOAT32 else 0
    logits = min(tokens * architecture.shape.vocab_size, LOGITS_AT_ONCE)
    return MemoryEstimate(
        weights=weights + cast * parameters,
        gradients=weights,
        optimizer=2 * weights,
        activations=round(tokens * architecture.activation_bytes_per_token(context_length, element)),
        logits=logits * (2 * FLOAT32 + cast),
    )
