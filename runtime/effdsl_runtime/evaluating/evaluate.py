"""What an evaluation gives, and several together."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import singledispatch
from pathlib import Path
from typing import Any

import attrs
import torch

from effdsl.evaluation import Evaluation
from effdsl_runtime.data.text_files import DataError
from effdsl_runtime.observation import EvaluatedItem, Progress

Report = Callable[[Progress], None]


@attrs.frozen(kw_only=True)
class Evaluated:
    """A model that has been evaluated.

    Attributes:
        values: by the name of a metric.
        scores: by the name of a benchmark, its score as a whole; of a group of tasks by its own rule.
        averaged: the benchmarks that are shares of what is right: ``avg_perf`` is the mean of their scores.
        items: by the name of a task, its items.
        flags: what else to know of how it went.
    """

    values: Mapping[str, float]
    scores: Mapping[str, float] = attrs.field(factory=dict)
    averaged: tuple[str, ...] = ()
    items: Mapping[str, Sequence[EvaluatedItem]] = attrs.field(factory=dict)
    flags: tuple[str, ...] = ()


@singledispatch
def evaluate(
    evaluation: Evaluation, model: Any, tokenizer: Path, device: torch.device, report: Report
) -> Evaluated:
    """Evaluate a model of transformers, or one with its interface, as it stands in memory.

    Args:
        evaluation: what ``resolve()`` returned.
        model: on ``device``; its matrix products are in its own dtype, probabilities in float32.
        tokenizer: the folder of its tokenizer.
        report: is told what goes on at least once a second, from any thread.

    Raises:
        DataError: when a text, a data set or what scores it is not to be had.
        Diverged: when a loss is not finite.
    """
    raise TypeError(f"nothing here evaluates by {type(evaluation).__name__}")


def evaluate_all(
    evaluations: Sequence[Evaluation], model: Any, tokenizer: Path, device: torch.device, report: Report
) -> Evaluated:
    """Evaluate by each of ``evaluations``; ``avg_perf`` is the mean over the benchmarks of all.

    Raises:
        DataError, Diverged: as :func:`evaluate`; and when two have a task in common.
    """
    found = [evaluate(one, model, tokenizer, device, report) for one in evaluations]
    names = [name for one in found for name in one.items]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"{', '.join(twice)}: evaluated more than once, by itself and in a group; keep one")
    scores = {name: score for one in found for name, score in one.scores.items()}
    averaged = tuple(name for one in found for name in one.averaged)
    values = {name: value for one in found for name, value in one.values.items()}
    if averaged:
        values["avg_perf"] = math.fsum(scores[name] for name in averaged) / len(averaged)
    return Evaluated(
        values=values,
        scores=scores,
        averaged=averaged,
        items={name: items for one in found for name, items in one.items.items()},
        flags=tuple(flag for one in found for flag in one.flags),
    )
