"""Fine-tuning: methods that train weights that exist on new data, each as well as it can be tuned."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import attrs

from effdsl.axes import Axis, FineTuning
from effdsl.choice import Choice
from effdsl.data import BaseTokenizer, Data, PythonHelp
from effdsl.declare import Invalid, default_of, evolve
from effdsl.engine import Engine
from effdsl.engines.transformers import Transformers
from effdsl.hardware import Hardware
from effdsl.instructions import OpenO1SFT
from effdsl.shapes import SMALL
from effdsl.stages.stage import Mistakes, Stage, stage
from effdsl.stages.tuning import TRIAL_SEED, Tuning
from effdsl.subjects.weights import Weights
from effdsl.task import ChosenTechnique
from effdsl.techniques.fine_tuning import LoRA
from effdsl.techniques.fine_tuning.method import Method
from effdsl.techniques.technique import Technique, Unsupported
from effdsl.training import Budget, Recipe, Sweep, TrainingBudget, TrainingRecipe
from effdsl.workload import Workload

if TYPE_CHECKING:
    from effdsl.study import Study

USUAL = TrainingRecipe(
    learning_rate=1e-4, warmup=0.1, final_learning_rate=0.0, weight_decay=0.0, beta1=0.9, beta2=0.999
)
"""LlamaFactory's examples for LoRA: warm-up over a tenth of the steps, cosine to zero, no decay of weights:
decay would pull a full fine-tuning towards zero, and an adapter towards the base."""
SMALL_STEPS, STEPS = 60, 1000
SMALL_CONTEXT, CONTEXT = 256, 2048


@attrs.frozen
class TuningConditions:
    """What all cells of a model share.

    Attributes:
        first_seed: of the study's repeats.
    """

    data: Data
    budget: TrainingBudget
    recipe: Recipe
    bf16: bool
    first_seed: int

    @property
    def sweep(self) -> Sweep | None:
        """The learning rates to try."""
        return self.recipe.sweep


@stage
class FineTuningStage(Stage):
    """Weights that exist, trained on new data."""

    name: ClassVar[str] = "fine-tuning"
    axes: ClassVar[tuple[type[Axis], ...]] = (FineTuning,)
    named_by: ClassVar[type[Axis]] = FineTuning
    takes: ClassVar[frozenset[str]] = frozenset({"models", "data", "budget", "recipe"})
    settings: ClassVar[Mapping[str, type]] = {
        "base": str,
        "data": str,
        "data_revision": str,
        "context_length": int,
        "batch_size": int,
        "steps": int,
        "learning_rates_tried": str,
    }
    details: ClassVar[Mapping[str, type]] = {
        "micro_batch_size": int,
        "trained_parameters": int,
        "learning_rate": float,
        "trials": int,
        "tuning_steps": int,
        "edge_of_sweep": str,
        "base_revision": str,
    }
    batch_of: ClassVar[str] = "examples"

    def subjects(self, study: Study) -> Sequence[object]:
        return study.models

    def engine(self) -> Engine:
        return Transformers()

    def usual(self, chosen: Mapping[str, Technique]) -> Mapping[str, Technique]:
        return {FineTuning.name: LoRA()}

    def conditions(
        self, study: Study, subjects: Sequence[Weights], hardware: Hardware, mistakes: Mistakes
    ) -> Mapping[Weights, TuningConditions]:
        sizes = set(map(_is_small, subjects)) or {True}  # what is wrong with data is said without models too
        data_of = {small: _examples(study, small, mistakes) for small in sizes}
        if study.budget.tokens is not None:
            hint = "examples differ in length: say how many steps, e.g. Budget(steps=60)"
            mistakes.note("fine-tuning takes steps=, not tokens=", hint, study.budget)
        found: dict[Weights, TuningConditions] = {}
        for weights in subjects:
            try:
                small = _is_small(weights)
                budget = tuning_budget(study.budget, small, hardware.count, weights.positions)
            except Invalid as error:
                mistakes.at(weights, error, study.budget)
                continue
            data = data_of[_is_small(weights)]
            first = study.repeats.values[0]
            found[weights] = TuningConditions(data, budget, study.recipe, hardware.bf16, first)
        return found

    def workload(self, choice: Choice, conditions: TuningConditions) -> Tuning:
        weights, method = choice.subject, choice.chosen[FineTuning.name]
        assert isinstance(method, Method)  # noqa: S101  as the axis has checked
        model = weights.language_model()
        _refuse_longer(conditions.budget.context_length, weights)
        method = method.resolve(model)
        usual = evolve(USUAL, learning_rate=method.usual_learning_rate(model.parameters < SMALL))
        recipe = conditions.recipe.resolve(usual, conditions.bf16)
        first = conditions.first_seed  # whose weights are needed anyway, where each repeat has its own
        apart = weights.upstream(first) != weights.upstream(TRIAL_SEED)
        return Tuning(
            weights,
            method,
            conditions.data,
            conditions.budget,
            recipe,
            conditions.sweep,
            first if apart else TRIAL_SEED,
        )

    def labels(self, choice: Choice, workload: Workload) -> Mapping[str, ChosenTechnique]:
        assert isinstance(workload, Tuning)  # noqa: S101  the stage's own
        label = workload.method.label(workload.model)
        return {FineTuning.name: ChosenTechnique(type(workload.method).__name__, label)}

    def remark(self, choice: Choice, workload: Workload) -> str:
        assert isinstance(workload, Tuning)  # noqa: S101  the stage's own
        edge = f"the best learning rate is the sweep's {workload.edge}" if workload.edge else ""
        return "; ".join(filter(None, (edge, workload.weights.remark())))


def tuning_budget(budget: Budget, small: bool, devices: int, positions: int | None = None) -> TrainingBudget:
    """The budget with every choice closed.

    Below 100M parameters: 60 steps of 8 examples of at most 256 tokens, all at once; from there on 1,000
    steps of 8 examples a device, one at a time, of at most 2,048 tokens: LlamaFactory's examples. Of a model
    for shorter sequences, at most those.

    Args:
        positions: tokens of the longest sequence that the model is made for, where that is known.

    Raises:
        Invalid: when the micro-batches of all devices do not divide the batch.
    """
    batch_size = budget.batch_size or 8 * (1 if small else devices)
    micro = budget.micro_batch_size or (math.ceil(batch_size / devices) if small else 1)
    if batch_size % (micro * devices):
        together = micro * devices
        raise Invalid(
            f"batch_size={batch_size} is not a multiple of micro_batch_size={micro} x {devices} devices",
            f"e.g. batch_size={math.ceil(batch_size / together) * together}",
        )
    usual = SMALL_CONTEXT if small else CONTEXT
    return TrainingBudget(
        budget.steps or (SMALL_STEPS if small else STEPS),
        batch_size,
        budget.context_length or min(usual, positions or usual),
        micro,
    )


def _refuse_longer(context_length: int, weights: Weights) -> None:
    """Examples longer than what a model is made for: it has no positions for them, or never saw them."""
    if weights.positions is not None and context_length > weights.positions:
        raise Unsupported(
            f"context_length={context_length:,} is more than the {weights.positions:,} tokens that "
            f"{weights.name} is made for",
            f"give Budget(context_length={weights.positions}) or less",
        )


def _is_small(weights: Weights) -> bool:
    """Whether it is trained on a laptop; weights that no method can be applied to are of any size."""
    try:
        return weights.language_model().parameters < SMALL
    except Unsupported:
        return True


def _examples(study: Study, small: bool, mistakes: Mistakes) -> Data:
    """The study's data, cut by the tokenizer of each model; of a study that names none what every Python
    brings, or from 100M parameters on what the paper takes first."""
    data = study.data or (PythonHelp() if small else OpenO1SFT())
    if data.tokenizer != default_of(type(data), "tokenizer"):
        hint = "leave out tokenizer="
        mistakes.note("fine-tuning cuts text as the model does, and takes no tokenizer", hint, data)
    if not isinstance(data.tokenizer, BaseTokenizer):
        data = evolve(data, tokenizer=BaseTokenizer())
    try:
        return data.resolve()
    except Invalid as error:
        mistakes.note(f"data: {error}", error.hint, study.data)
        return data
