"""Inference: what fewer bits give, and cost, on weights that exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import attrs

from effdsl.axes import Axis, Precision
from effdsl.choice import Choice
from effdsl.data import BaseTokenizer, Data, PythonHelp
from effdsl.declare import Invalid, default_of, evolve
from effdsl.engine import Engine
from effdsl.engines.transformers import Transformers
from effdsl.evaluation import Evaluation
from effdsl.hardware import Hardware
from effdsl.load import ResolvedLoad
from effdsl.stages import served_by_vllm  # noqa: F401  what vLLM takes, by dispatch
from effdsl.stages.generation import Inference
from effdsl.stages.stage import Mistakes, Stage, stage
from effdsl.subjects.weights import Weights
from effdsl.task import ChosenTechnique
from effdsl.techniques.precision import BF16
from effdsl.techniques.precision.weight_format import WeightFormat
from effdsl.techniques.technique import Technique, Unsupported
from effdsl.workload import Workload

if TYPE_CHECKING:
    from effdsl.study import Study


@attrs.frozen
class InferenceConditions:
    """What all cells of a model share."""

    data: Data
    load: ResolvedLoad
    evaluation: tuple[Evaluation, ...]
    bf16: bool


@stage
class InferenceStage(Stage):
    """Weights that exist, stored in fewer bits."""

    name: ClassVar[str] = "inference"
    axes: ClassVar[tuple[type[Axis], ...]] = (Precision,)
    named_by: ClassVar[type[Axis]] = Precision
    takes: ClassVar[frozenset[str]] = frozenset({"models", "data", "load", "evaluation"})
    settings: ClassVar[Mapping[str, type]] = {
        "base": str,
        "data": str,
        "data_revision": str,
        "prompt_tokens": int,
        "new_tokens": int,
        "load": str,
    }
    compares_dtypes: ClassVar[bool] = True
    details: ClassVar[Mapping[str, type]] = {"bits": int, "evaluation": str, "checkpoints": str}

    def subjects(self, study: Study) -> Sequence[object]:
        return study.models

    def engine(self) -> Engine:
        return Transformers()

    def usual(self, chosen: Mapping[str, Technique]) -> Mapping[str, Technique]:
        return {Precision.name: BF16()}

    def conditions(
        self, study: Study, subjects: Sequence[Weights], hardware: Hardware, mistakes: Mistakes
    ) -> Mapping[Weights, InferenceConditions]:
        load = study.load.resolve()
        found: dict[Weights, InferenceConditions] = {}
        for weights in subjects:
            try:
                data = text_of(study.data, weights)
                evaluation = tuple(one.resolve(data) for one in study.evaluation)
            except Invalid as error:
                mistakes.at(weights, error, study.data)
                continue
            found[weights] = InferenceConditions(data, load, evaluation, hardware.bf16)
        return found

    def workload(self, choice: Choice, conditions: InferenceConditions) -> Inference:
        weights, chosen = choice.subject, choice.chosen[Precision.name]
        assert isinstance(chosen, WeightFormat)  # noqa: S101  as the axis has checked
        weights.size()  # what nothing here knows the size of is unsupported
        _check_positions(conditions.load, weights)
        work = Inference(
            weights,
            chosen,
            conditions.data,
            conditions.load,
            conditions.evaluation,
            chosen.dtype(conditions.bf16),
        )
        if work.model is not None:
            chosen.check(work.model)
        return work

    def labels(self, choice: Choice, workload: Workload) -> Mapping[str, ChosenTechnique]:
        assert isinstance(workload, Inference)  # noqa: S101  the stage's own
        chosen = workload.format
        is_usual = chosen == self.usual({})[Precision.name]
        return {Precision.name: ChosenTechnique(type(chosen).__name__, chosen.label(), is_usual)}


def _check_positions(load: ResolvedLoad, weights: Weights) -> None:
    """Refuse sequences longer than what a model is made for."""
    if weights.positions is not None and load.context_length > weights.positions:
        raise Unsupported(
            f"prompts of {load.prompt_tokens:,} with {load.new_tokens:,} new tokens are more than the "
            f"{weights.positions:,} tokens that {weights.name} is made for",
            "give a Load(prompt_tokens=..., new_tokens=...) of fewer",
        )


def text_of(declared: Data | None, weights: Weights) -> Data:
    """What prompts are taken from, cut by the tokenizer of ``weights``: of a study that names nothing the
    text that the weights were trained on, or, where that is not known, what every Python brings.

    Raises:
        Invalid: when it cannot be read.
    """
    data = declared or weights.trained_on() or PythonHelp()
    if declared is not None and declared.tokenizer != default_of(type(declared), "tokenizer"):
        raise Invalid("data: an inference cuts text as the model does", "leave out tokenizer=")
    return evolve(data, tokenizer=BaseTokenizer()).resolve()
