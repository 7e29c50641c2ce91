"""What all work has in common that starts from weights that exist."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from effdsl.data import Data
from effdsl.declare import evolve
from effdsl.dependencies import OpenChoice, starts_from
from effdsl.key import SHOWN_DIGITS, canonical_json, key_of
from effdsl.subjects.weights import Weights
from effdsl.task import Cell, Task
from effdsl.workload import Input, Plain, Workload


@attrs.frozen
class ModelExamples(Input):
    """Text cut into tokens by the tokenizer of the weights.

    Attributes:
        data: which, resolved.
        weights: whose tokenizer.
        context_length: tokens of an example at the most.
    """

    data: Data
    weights: Weights
    context_length: int

    @property
    def packages(self) -> tuple[str, ...]:
        return ("transformers", *self.data.packages)


class WithWeights(Workload):
    """Base of work that starts from weights."""

    weights: Weights
    data: Data

    def base_and_data(self) -> dict[str, Plain]:
        """What it starts from and what it reads, as its setting has them."""
        return {
            "base": key_of(canonical_json(self.weights))[:SHOWN_DIGITS],
            "data": type(self.data).__name__,
            "data_revision": str(getattr(self.data, "revision", "")),
        }

    def undecided_weights(self, cell: Cell) -> OpenChoice | None:
        """What is to be decided first about the tasks that leave the weights; ``None`` where nothing is."""
        inner = self.weights.undecided()
        return None if inner is None else OfWeights(cell, self, inner)


@attrs.frozen
class OfWeights(OpenChoice):
    """A decision about the tasks that leave the weights."""

    cell: Cell
    work: WithWeights
    inner: OpenChoice

    @property
    def metric(self) -> str:
        return self.inner.metric

    @property
    def about(self) -> str:
        return self.inner.about

    @property
    def title(self) -> str:
        return self.inner.title

    @property
    def trials(self) -> tuple[Task, ...]:
        return self.inner.trials

    def taken(self, values: Sequence[float | None]) -> Cell:
        weights = self.work.weights.decided(self.inner.taken(values))
        return evolve(self.cell, workload=evolve(self.work, weights=weights))


@starts_from.register
def _weights_of(work: WithWeights, seed: int) -> tuple[Task, ...]:
    """Nobody can tell before it is decided what leaves the weights."""
    return work.weights.upstream(seed) if work.weights.undecided() is None else ()
