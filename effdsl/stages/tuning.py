"""What a fine-tuning does to weights that exist, and a trial of one learning rate."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import attrs

from effdsl.costs.tuning_memory import tuning_memory
from effdsl.data import Data
from effdsl.declare import evolve, identity, keyed, transport, values_of
from effdsl.dependencies import OpenChoice, Undecidable, starts_from, undecided
from effdsl.engines.transformers import memory_in_transformers
from effdsl.hardware import Hardware
from effdsl.language_model import LanguageModel
from effdsl.stages.with_weights import ModelExamples, WithWeights
from effdsl.subjects.leaving import language_model_left, positions_left, text_trained_on
from effdsl.subjects.weights import Weights
from effdsl.task import Cell, Task
from effdsl.techniques.fine_tuning.method import Method
from effdsl.training import Sweep, TrainingBudget, TrainingRecipe
from effdsl.workload import Cost, Features, Input, MemoryEstimate, Plain, Size, Workload

TRIAL_SEED = 0
"""Of trials, where all repeats start from the same weights."""


@keyed("fine-tuning")
class Tuning(WithWeights):
    """Train weights that exist by a method, and measure their loss on held-out examples.

    Attributes:
        sweep: the learning rates that were tried for it; while that is to be done the recipe has none.
        trial_seed: of the trials, which start from the same weights as the repeat of this seed.
    """

    stage: ClassVar[str] = "fine-tuning"

    weights: Weights = identity()
    method: Method = identity()
    data: Data = identity()
    budget: TrainingBudget = identity()
    recipe: TrainingRecipe = identity()
    sweep: Sweep | None = identity(default=None)
    trial_seed: int = transport(default=TRIAL_SEED, eq=False)

    @property
    def model(self) -> LanguageModel:
        """The matrices of what is trained."""
        return self.weights.language_model()

    @property
    def dtype(self) -> str:
        return self.recipe.dtype

    @property
    def packages(self) -> tuple[str, ...]:
        return self.method.packages

    def size(self) -> Size:
        parameters = self.model.parameters
        return Size(parameters, parameters)

    def setting(self) -> Mapping[str, Plain]:
        return {
            **self.base_and_data(),
            "context_length": self.budget.context_length,
            "batch_size": self.budget.batch_size,
            "steps": self.budget.steps,
            "learning_rates_tried": str(self.sweep or ""),
        }

    def details(self) -> Mapping[str, Plain]:
        rates = self.sweep.learning_rates if self.sweep else ()
        return {
            "micro_batch_size": self.budget.micro_batch_size,
            "trained_parameters": self.method.trainable_parameters(self.model),
            "learning_rate": self.recipe.learning_rate,
            "trials": len(rates),
            "tuning_steps": len(rates) * self.budget.steps,
            "edge_of_sweep": self.edge,
            "base_revision": self.weights.pin,
        }

    @property
    def edge(self) -> str:
        """``lowest`` or ``highest`` where the chosen learning rate is at an end of the sweep; else empty."""
        rates = self.sweep.learning_rates if self.sweep else ()
        ends = {rates[0]: "lowest", rates[-1]: "highest"} if rates else {}
        return ends.get(self.recipe.learning_rate or 0.0, "")

    def inputs(self) -> tuple[Input, ...]:
        return (
            *self.weights.inputs(),
            ModelExamples(self.data, self.weights, self.budget.context_length),
        )

    def left_bytes(self) -> int:
        saved = self.method.adapter_bytes(self.model)
        return super().left_bytes() if saved is None or self.method.replaces_weights else saved

    @property
    def passes(self) -> int:
        """Forward and backward passes of an optimizer step on one device."""
        return -(-self.budget.batch_size // self.budget.micro_batch_size)

    def cost(self, hardware: Hardware) -> Cost:
        """With every example as long as the context, which is the most that it can be."""
        budget = self.budget
        micro = min(budget.micro_batch_size, budget.batch_size)
        step = self.passes * self.method.causal_step_flops(self.model, micro, budget.context_length)
        parts = frozenset({(self.method.axis, type(self.method).__name__)})
        return Cost(flops=step * budget.steps, features=Features(parts, step))

    def amounts(self) -> Mapping[str, str]:
        return {"trainable": f"{self.method.trainable_parameters(self.model):,}"}

    def facts(self) -> Iterator[str]:
        budget = self.budget
        yield str(self.data)
        yield f"context {budget.context_length:,} (priced at most, as if filled)"
        yield f"{budget.steps:,} step{'s' * (budget.steps != 1)} of {budget.batch_size:,} examples"
        yield f"learning rates {self.sweep}" if self.sweep else "learning rates as usual, not tuned"
        yield self.dtype

    def described(self) -> dict[str, Any]:
        return {
            "data": str(self.data),
            "base": str(self.weights),
            "method": repr(self.method),
            "budget": values_of(self.budget),
            "recipe": values_of(self.recipe),
            "sweep": list(self.sweep.learning_rates) if self.sweep else None,
        }

    def estimates(self, hardware: Hardware) -> dict[str, Any]:
        return {
            "trainable_parameters": self.method.trainable_parameters(self.model),
            "adapter_bytes": self.method.adapter_bytes(self.model),
        }


@keyed("trial")
class Trial(Workload):
    """A fine-tuning with one learning rate of a sweep, measured on the tuning part of the data."""

    stage: ClassVar[str] = "tuning"

    of: Tuning = identity()

    @property
    def dtype(self) -> str:
        return self.of.dtype

    @property
    def packages(self) -> tuple[str, ...]:
        return self.of.packages

    def size(self) -> Size:
        return self.of.size()

    def setting(self) -> Mapping[str, Plain]:
        return self.of.setting()

    def details(self) -> Mapping[str, Plain]:
        return self.of.details()

    def inputs(self) -> tuple[Input, ...]:
        return self.of.inputs()

    def cost(self, hardware: Hardware) -> Cost:
        return self.of.cost(hardware)

    def amounts(self) -> Mapping[str, str]:
        return self.of.amounts()

    def facts(self) -> Iterator[str]:
        return self.of.facts()

    def described(self) -> dict[str, Any]:
        return self.of.described()


@attrs.frozen
class LearningRate(OpenChoice):
    """Which of a sweep's learning rates is best for one method on one model."""

    cell: Cell
    work: Tuning
    sweep: Sweep

    @property
    def metric(self) -> str:
        return "tuning_loss"

    @property
    def about(self) -> str:
        return f"{self.cell.labels.technique} {self.cell.labels.scale}"

    @property
    def title(self) -> str:
        return f"{self.cell.labels.technique}, trials"

    @property
    def trials(self) -> tuple[Task, ...]:
        return tuple(Task(self._trial(rate), self.work.trial_seed) for rate in self.sweep.learning_rates)

    def taken(self, values: Sequence[float | None]) -> Cell:
        tried = zip(values, self.sweep.learning_rates, strict=True)
        losses = [(value, rate) for value, rate in tried if value is not None and math.isfinite(value)]
        if not losses:
            raise Undecidable(f"no trial of {self.about} ended well")
        return evolve(self.cell, workload=self._with(min(losses)[1]))

    def _with(self, rate: float) -> Tuning:
        return evolve(self.work, recipe=evolve(self.work.recipe, learning_rate=rate))

    def _trial(self, rate: float) -> Cell:
        labels = self.cell.labels
        named = evolve(
            labels,
            technique=f"{labels.technique}, trial of {rate:g}",
            full_name=f"{labels.full_name}, trial of {rate:g}",
        )
        alone = evolve(self._with(rate), sweep=None)  # the same whatever else is tried
        return evolve(self.cell, workload=Trial(alone), labels=named)


@memory_in_transformers.register
def _memory(work: Tuning, hardware: Hardware, recomputes: bool) -> MemoryEstimate | None:
    return tuning_memory(
        work.method, work.model, work.budget, work.dtype, hardware.kind, hardware.count, recomputes
    )


@memory_in_transformers.register
def _memory_of_trial(work: Trial, hardware: Hardware, recomputes: bool) -> MemoryEstimate | None:
    return memory_in_transformers(work.of, hardware, recomputes)


@undecided.register
def _of_tuning(work: Tuning, cell: Cell) -> OpenChoice | None:
    """First what the weights wait for, then its own learning rate."""
    inner = work.undecided_weights(cell)
    if inner is not None:
        return inner
    if work.sweep is not None and work.recipe.learning_rate is None:
        return LearningRate(cell, work, work.sweep)
    return None


@starts_from.register
def _weights_of_trial(work: Trial, seed: int) -> tuple[Task, ...]:
    return starts_from(work.of, seed)


@language_model_left.register
def _same_model(work: Tuning) -> LanguageModel | None:
    return work.model


@positions_left.register
def _same_positions(work: Tuning) -> int | None:
    return work.weights.positions


@text_trained_on.register
def _first_text(work: Tuning) -> Data | None:
    return work.weights.trained_on()
