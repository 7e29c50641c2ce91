"""Pretraining: a decoder of some size is trained from random weights and measured on held-out text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from effdsl.axes import Aspect, Attention, Axis, Backbone, FeedForward, Position
from effdsl.choice import Choice
from effdsl.costs.compute import decode_bytes_per_token, decode_flops_per_token, train_bytes_per_step
from effdsl.costs.memory import generation_memory
from effdsl.data import BaseTokenizer, Data, FineWebEdu, Shakespeare
from effdsl.declare import Invalid, identity, keyed, values_of
from effdsl.exported import exported
from effdsl.hardware import Hardware
from effdsl.language_model import LanguageModel, language_model
from effdsl.shapes import SMALL, shape_for
from effdsl.stages.remarks import ratios_at, remark_on
from effdsl.stages.stage import Mistakes, Stage, stage
from effdsl.subjects.leaving import language_model_left, positions_left, text_trained_on
from effdsl.task import ChosenTechnique
from effdsl.techniques.architecture import Architecture, Decoder
from effdsl.techniques.aspect import AspectRatio
from effdsl.techniques.backbone import BackboneTechnique, Parts, Transformer
from effdsl.techniques.technique import Technique
from effdsl.training import TrainingBudget, TrainingRecipe, pretraining_recipe
from effdsl.units import Count
from effdsl.workload import Cost, Features, Input, Plain, Size, Workload

if TYPE_CHECKING:
    from effdsl.study import Study


@attrs.frozen
class TrainingText(Input):
    """Text to train on, cut into tokens.

    Attributes:
        data: which text, resolved.
        tokens: training tokens that are wanted of it.
        context_length: tokens of a sequence; a part that has fewer is of no use.
    """

    data: Data
    tokens: int
    context_length: int

    @property
    def packages(self) -> tuple[str, ...]:
        return self.data.packages


@keyed("pretraining")
class Pretraining(Workload):
    """Train a language model from random weights and measure its held-out perplexity."""

    stage: ClassVar[str] = "pretraining"

    architecture: Architecture = identity()
    data: Data = identity()
    budget: TrainingBudget = identity()
    recipe: TrainingRecipe = identity()

    @property
    def dtype(self) -> str:
        return self.recipe.dtype

    def size(self) -> Size:
        context = self.budget.context_length
        return Size(self.architecture.parameters(context), self.architecture.active_parameters(context))

    @property
    def train_flops(self) -> float:
        """Predicted FLOPs of the whole training, causal attention counted by what a query sees."""
        per_token = self.architecture.causal_train_flops_per_token(self.budget.context_length)
        return per_token * self.budget.tokens

    def setting(self) -> Mapping[str, Plain]:
        return {
            "data": type(self.data).__name__,
            "data_revision": str(getattr(self.data, "revision", "")),
            "tokenizer": str(self.data.tokenizer),
            "context_length": self.budget.context_length,
            "batch_size": self.budget.batch_size,
            "steps": self.budget.steps,
        }

    def details(self) -> Mapping[str, Plain]:
        shape = self.architecture.shape
        return {
            "micro_batch_size": self.budget.micro_batch_size,
            "vocab_size": self.data.vocab_size,
            "tokens": self.budget.tokens,
            "layers": shape.layers,
            "hidden_size": shape.hidden_size,
            "heads": shape.heads,
            "experts": self.architecture.experts,
        }

    def inputs(self) -> tuple[Input, ...]:
        return (TrainingText(self.data, self.budget.tokens, self.budget.context_length),)

    def cost(self, hardware: Hardware) -> Cost:
        flops = self.train_flops
        kinds = {
            (name, type(part).__name__)
            for name, part in values_of(self.architecture).items()
            if name != "shape"
        }
        return Cost(
            flops=flops,
            bytes_moved=self.budget.steps * self.bytes_per_step(hardware.count),
            features=Features(
                frozenset({("backbone", type(self.architecture).__name__), *kinds}), flops / self.budget.steps
            ),
        )

    def bytes_per_step(self, devices: int = 1) -> float:
        """Bytes that one of ``devices`` reads and writes in an optimizer step at the least."""
        return train_bytes_per_step(self.architecture, self.budget, self.recipe.dtype, devices)

    def amounts(self) -> Mapping[str, str]:
        return {"tokens": f"{self.budget.tokens:,}"}

    def facts(self) -> Iterator[str]:
        budget = self.budget
        yield str(self.data)
        yield f"context {budget.context_length:,}"
        yield f"{budget.steps:,} step{'s' * (budget.steps != 1)} of {budget.batch_size:,} sequences"
        yield self.dtype

    def described(self) -> dict[str, Any]:
        return {
            "data": str(self.data),
            "shape": values_of(self.architecture.shape),
            "budget": values_of(self.budget) | {"tokens": self.budget.tokens},
            "recipe": values_of(self.recipe),
        }

    def estimates(self, hardware: Hardware) -> dict[str, Any]:
        architecture, context, dtype = self.architecture, self.budget.context_length, self.recipe.dtype
        generation = generation_memory(architecture, context, dtype)
        return {
            "train_bytes_per_step_and_device": self.bytes_per_step(hardware.count),
            "decode_flops_per_token_at_context": decode_flops_per_token(architecture, context),
            "decode_bytes_per_token_at_context": decode_bytes_per_token(architecture, context, dtype),
            "generation_memory_bytes_at_context": generation.parts(),
        }


@language_model_left.register
def _decoder(workload: Pretraining) -> LanguageModel | None:
    config = exported(workload.architecture, workload.budget.context_length)
    return None if config is None else language_model(config)


@positions_left.register
def _positions(workload: Pretraining) -> int | None:
    return workload.budget.context_length


@text_trained_on.register
def _text(workload: Pretraining) -> Data | None:
    return workload.data


@attrs.frozen
class Conditions:
    """What all cells of a scale share."""

    data: Data
    budget: TrainingBudget
    recipe: TrainingRecipe


@stage
class PretrainingStage(Stage):
    """Decoders of a size, trained from random weights."""

    name: ClassVar[str] = "pretraining"
    axes: ClassVar[tuple[type[Axis], ...]] = (Backbone, Aspect, Attention, Position, FeedForward)
    named_by: ClassVar[type[Axis]] = Attention
    takes: ClassVar[frozenset[str]] = frozenset({"scales", "per_scale", "data", "budget", "recipe"})
    settings: ClassVar[Mapping[str, type]] = {
        "data": str,
        "data_revision": str,
        "tokenizer": str,
        "context_length": int,
        "batch_size": int,
        "steps": int,
    }
    details: ClassVar[Mapping[str, type]] = dict.fromkeys(
        ("micro_batch_size", "vocab_size", "tokens", "layers", "hidden_size", "heads", "experts"), int
    )

    def subjects(self, study: Study) -> Sequence[Count]:
        return study.scales

    def usual(self, chosen: Mapping[str, Technique]) -> Mapping[str, Technique]:
        backbone = _backbone(chosen)
        return {"backbone": backbone} | _named(backbone.usual())

    def conditions(
        self, study: Study, subjects: Sequence[Count], hardware: Hardware, mistakes: Mistakes
    ) -> Mapping[Count, Conditions]:
        declared = _resolved(study.data, mistakes)
        found: dict[Count, Conditions] = {}
        for scale in subjects:
            data, budget = declared or default_data(scale), None
            try:
                budget = study.budget_at(scale).resolve(scale, hardware.count)
            except Invalid as error:
                mistakes.at(scale, error, *study.per_scale.get(scale, ()), study.budget)
            try:
                shape_for(scale, data.vocab_size)
            except Invalid as error:
                mistakes.at(scale, error)
                continue
            recipe = study.recipe_at(scale)
            if recipe.sweep is not None:
                message = "recipe: pretraining takes one learning rate for all techniques, not a Sweep"
                mistakes.note(message, "e.g. Recipe(learning_rate=1e-3)", recipe)
            if budget is not None:
                resolved = recipe.resolve(pretraining_recipe(scale), hardware.bf16)
                found[scale] = Conditions(data, budget, resolved)
        return found

    def workload(self, choice: Choice, conditions: Conditions) -> Pretraining:
        shape = shape_for(_scale(choice), conditions.data.vocab_size, _ratio(choice))
        parts = Parts(**{name: choice.chosen[name] for name in PARTS if name in choice.chosen})  # type: ignore[arg-type]  # as each axis has checked
        architecture = _backbone(choice.chosen).resolve(shape).assemble(shape, parts)
        return Pretraining(architecture, conditions.data, conditions.budget, conditions.recipe)

    def labels(self, choice: Choice, workload: Workload) -> Mapping[str, ChosenTechnique]:
        assert isinstance(workload, Pretraining)  # noqa: S101  the stage's own
        architecture, shape = workload.architecture, workload.architecture.shape
        has: dict[str, Technique] = {"backbone": _backbone(choice.chosen)}
        if "aspect" in choice.chosen:
            has["aspect"] = choice.chosen["aspect"]
        if isinstance(architecture, Decoder):
            has |= {name: getattr(architecture, name) for name in PARTS}
        usual = {"backbone": Transformer()} | _named(_backbone(choice.chosen).usual())
        unsaid = {name: technique.resolve(shape).label(shape) for name, technique in usual.items()}
        said = {name: technique.label(shape) for name, technique in has.items()}
        return {
            name: ChosenTechnique(type(has[name]).__name__, label, usual=label == unsaid.get(name))
            for name, label in said.items()
        }

    def remark(self, choice: Choice, workload: Workload) -> str:
        assert isinstance(workload, Pretraining)  # noqa: S101  the stage's own
        budget = workload.budget
        ratio, vocab_size = _ratio(choice), workload.data.vocab_size
        return remark_on(_scale(choice), ratio, workload.architecture, vocab_size, budget.context_length)

    def same_because(self, choice: Choice, workload: Workload) -> str:
        """Which ratios differ, where the study has an axis of them."""
        assert isinstance(workload, Pretraining)  # noqa: S101  the stage's own
        if "aspect" not in choice.chosen:
            return ""
        return ratios_at(_scale(choice), workload.data.vocab_size)


PARTS = (Attention.name, Position.name, FeedForward.name)


def _scale(choice: Choice) -> Count:
    assert isinstance(choice.subject, Count)  # noqa: S101  the stage's own subject
    return choice.subject


def _ratio(choice: Choice) -> float | None:
    aspect = choice.chosen.get("aspect")
    return aspect.ratio if isinstance(aspect, AspectRatio) else None


def _backbone(chosen: Mapping[str, Technique]) -> BackboneTechnique:
    """The chosen backbone, or the transformer."""
    backbone = chosen.get("backbone", Transformer())
    assert isinstance(backbone, BackboneTechnique)  # noqa: S101  as its axis has checked
    return backbone


def _named(parts: Parts) -> dict[str, Technique]:
    return {name: part for name in PARTS if (part := getattr(parts, name)) is not None}


def _resolved(data: Data | None, mistakes: Mistakes) -> Data | None:
    """The study's own data with its content; as declared where that cannot be read."""
    if data is None:
        return None
    if isinstance(data.tokenizer, BaseTokenizer):
        hint = "e.g. data=LocalText('corpus/*.txt')"
        mistakes.note(f"{type(data).__name__} is to fine-tune on, and pretraining takes text", hint, data)
        return None
    try:
        return data.resolve()
    except Invalid as error:
        mistakes.note(f"data: {error}", error.hint, data)
        return data


def default_data(scale: Count) -> Data:
    """What a study trains on that names no data: below 100M parameters what a laptop can."""
    return Shakespeare() if scale.value < SMALL else FineWebEdu()
