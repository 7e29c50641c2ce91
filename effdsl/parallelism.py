"""How several devices divide the training of one model among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from effdsl.training import TrainingBudget
    from effdsl.workload import MemoryEstimate


@attrs.frozen
class Parallelism:
    """Every choice closed. The devices are numbered as Megatron-Core numbers them: those that share a matrix
    are neighbours, then those that share a sequence, those that share a batch, and the stages of a pipeline
    (Narayanan et al. 2021, arXiv 2104.04473).

    Attributes:
        tensor: devices that share each matrix.
        pipeline: stages of the pipeline, of as many layers each.
        expert: devices, of those that share a batch, that share the experts of each layer.
        context: devices that share each sequence.
        data: copies of the model, each of which takes its part of a batch.
        sequence_parallel: whether the devices that share matrices also share the tokens of what lies between
            these (Korthikanti et al. 2022, arXiv 2205.05198).
        recomputes: whether the backward pass computes each layer again instead of keeping what it made.
    """

    tensor: int = 1
    pipeline: int = 1
    expert: int = 1
    context: int = 1
    data: int = 1
    sequence_parallel: bool = False
    recomputes: bool = False

    @property
    def devices(self) -> int:
        return self.tensor * self.pipeline * self.context * self.data

    def micro_batches(self, budget: TrainingBudget) -> int:
        """Forward passes that each copy makes in an optimizer step."""
        return -(-budget.batch_size // (self.data * self.sequences(budget)))

    def sequences(self, budget: TrainingBudget) -> int:
        """Sequences of a micro-batch: as many as the budget says, or a copy's share of the batch."""
        return min(budget.micro_batch_size, -(-budget.batch_size // self.data))

    def tokens(self, budget: TrainingBudget) -> int:
        """Tokens of a micro-batch that the devices which share matrices have together."""
        return self.sequences(budget) * budget.context_length // self.context

    @property
    def effort(self) -> tuple[int, ...]:
        """How far it is from plain copies: in how many ways a model is divided, then how far in each."""
        ways = (self.tensor, self.pipeline, self.recomputes + 1, self.expert, self.context)
        return (sum(way > 1 for way in ways), *ways, not self.sequence_parallel)

    def __str__(self) -> str:
        degrees = {
            "tensor": self.tensor,
            "pipeline": self.pipeline,
            "context": self.context,
            "expert": self.expert,
            "data": self.data,
        }
        divided = " × ".join(f"{degree} {name}" for name, degree in degrees.items() if degree > 1)
        whole = self.tensor > 1 and not self.sequence_parallel
        also = (", tokens whole" if whole else "") + (", recomputed" if self.recomputes else "")
        return f"{divided or '1 data'} parallel{also}"


@attrs.frozen
class LayoutOption:
    """A way of dividing the work of a cell that its engine has looked at.

    Attributes:
        name: in words.
        memory: of one device, predicted.
        step_s: seconds of an iteration, predicted.
        why_not: why it was not taken; empty of the one that was.
    """

    name: str
    memory: MemoryEstimate | None
    step_s: float | None
    why_not: str = ""
