"""What an inference does with weights that exist: store them in a format, continue prompts, be judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import attrs

from effdsl.costs.generating import (
    decode_bytes,
    decode_flops,
    generating_memory,
    kv_bytes_per_token,
    largest_batch,
    prefill_flops,
)
from effdsl.data import Data
from effdsl.declare import identity, keyed
from effdsl.dependencies import OpenChoice, undecided
from effdsl.engines.transformers import (
    lacking_in_transformers,
    memory_in_transformers,
    too_large_for_transformers,
)
from effdsl.evaluation import Evaluation
from effdsl.hardware import Hardware
from effdsl.language_model import LanguageModel
from effdsl.load import Batches, ResolvedLoad
from effdsl.stages.evaluation_inputs import inputs_of
from effdsl.stages.with_weights import ModelExamples, WithWeights
from effdsl.subjects.weights import Weights
from effdsl.task import Cell
from effdsl.techniques.precision.weight_format import WeightFormat
from effdsl.techniques.technique import BYTES_PER_ELEMENT, Unsupported
from effdsl.workload import Cost, Features, Input, MemoryEstimate, Plain, Size

ROUNDS = 5
"""Batches of each size that are measured, after one that is not."""
EACH_ITS_OWN, ONE_FOR_ALL = "one per repeat", "one for all repeats"
"""Which weights the repeats of a cell have."""


@keyed("inference")
class Inference(WithWeights):
    """Continue prompts with weights stored in a format, and find out how good they still are.

    Attributes:
        data: prompts are pieces of its held-out part; what a format is fitted to is of its training part.
        dtype: of what is multiplied.
    """

    stage: ClassVar[str] = "inference"

    weights: Weights = identity()
    format: WeightFormat = identity()
    data: Data = identity()
    load: ResolvedLoad = identity()
    evaluation: tuple[Evaluation, ...] = identity()
    dtype: str = identity()

    @property
    def model(self) -> LanguageModel | None:
        """The matrices of the model; ``None`` where nothing here knows them, and no price."""
        try:
            return self.weights.language_model()
        except Unsupported:
            return None

    def size(self) -> Size:
        return self.weights.size()

    def setting(self) -> Mapping[str, Plain]:
        return {
            **self.base_and_data(),
            "prompt_tokens": self.load.prompt_tokens,
            "new_tokens": self.load.new_tokens,
            "load": self.load.arrival,
        }

    def details(self) -> Mapping[str, Plain]:
        return {
            "bits": self.format.bits,
            "evaluation": ", ".join(one.name for one in self.evaluation),
            "checkpoints": EACH_ITS_OWN if self.weights.differ_by_repeat else ONE_FOR_ALL,
        }

    def left_bytes(self) -> int:
        """Nothing is left of it."""
        return 0

    @property
    def packages(self) -> tuple[str, ...]:
        return self.format.packages

    def inputs(self) -> tuple[Input, ...]:
        texts: list[Input] = [ModelExamples(self.data, self.weights, self.load.prompt_tokens)]
        for one in self.evaluation:
            texts += inputs_of(one, self.weights)
        return (*self.weights.inputs(), *dict.fromkeys(texts))

    def cost(self, hardware: Hardware) -> Cost:
        """Of all batches that are measured, and of the text that is evaluated."""
        model, load = self.model, self.load
        if model is None:
            return Cost(features=self._features(None))
        prompt, new = load.prompt_tokens, load.new_tokens
        sizes = load.batch_sizes if isinstance(load, Batches) else (load.sequences,)
        one = prefill_flops(model, prompt) + decode_flops(model, prompt, new)
        moved = sum(decode_bytes(model, self.format, self.dtype, size, prompt, new) for size in sizes)
        read = [evaluation.tokens_read for evaluation in self.evaluation]
        known = None if None in read else sum(filter(None, read)) * prefill_flops(model, 1)
        flops = None if known is None else (ROUNDS + 1) * sum(sizes) * one + known
        return Cost(flops=flops, bytes_moved=(ROUNDS + 1) * moved, features=self._features(one))

    def _features(self, flops: float | None) -> Features:
        return Features(frozenset({(self.format.axis, type(self.format).__name__)}), flops)

    def amounts(self) -> Mapping[str, str]:
        model = self.model
        held = "" if model is None else f"{self.format.weight_bytes(model, self.dtype) / 1e9:,.3g} GB"
        return {"weights": held}

    def facts(self) -> Iterator[str]:
        yield str(self.data)
        yield f"prompts of {self.load.prompt_tokens:,}, {self.load.new_tokens:,} new"
        yield self.load.arrival
        yield f"evaluated by {', '.join(one.name for one in self.evaluation) or 'nothing'}"

    def described(self) -> dict[str, Any]:
        return {
            "data": str(self.data),
            "base": str(self.weights),
            "format": repr(self.format),
            "load": self.load.arrival,
            "evaluation": [one.name for one in self.evaluation],
        }

    def estimates(self, hardware: Hardware) -> dict[str, Any]:
        model = self.model
        if model is None:
            return {}
        return {
            "weight_bytes": self.format.weight_bytes(model, self.dtype),
            "kv_bytes_per_token": kv_bytes_per_token(model, self.dtype),
            "largest_batch": self.largest_batch(hardware),
        }

    def largest_batch(self, hardware: Hardware) -> int | None:
        """How many sequences of the load fit on ``hardware`` beside the weights; ``None`` where the model or
        the memory is not known."""
        model, load, memory = self.model, self.load, hardware.memory
        if model is None or memory is None:
            return None
        return largest_batch(
            model, self.format, self.dtype, load.context_length, load.prompt_tokens, memory.value
        )


@memory_in_transformers.register
def _memory(work: Inference, hardware: Hardware, recomputes: bool) -> MemoryEstimate | None:
    """The weights are all there as they were read before the first is stored in its format."""
    model, load = work.model, work.load
    if model is None:
        return None
    held = generating_memory(
        model, work.format, work.dtype, load.sequences, load.context_length, load.prompt_tokens
    )
    return attrs.evolve(held, loading=max(0, _bytes_as_read(work, model) - held.total))


def _bytes_as_read(work: Inference, model: LanguageModel) -> int:
    return model.parameters * BYTES_PER_ELEMENT[work.dtype]


@too_large_for_transformers.register
def _too_large(work: Inference, hardware: Hardware, recomputes: bool) -> str:
    fits = work.largest_batch(hardware)
    if work.model and hardware.memory and _bytes_as_read(work, work.model) > hardware.memory.value:
        return "all weights are read, as they are, before the first is stored in its format"
    how = f"batch_size={fits} would fit" if fits else "not even one sequence fits beside the weights"
    return f"weights and all sequences of a batch are to fit one device ({how})"


@lacking_in_transformers.register
def _lacking(work: Inference, hardware: Hardware) -> str:
    if isinstance(work.load, Batches):
        return ""
    return f"transformers serves no requests that come one by one ({work.load.arrival}): VLLM() does"


@undecided.register
def _of_weights(work: Inference, cell: Cell) -> OpenChoice | None:
    return work.undecided_weights(cell)
