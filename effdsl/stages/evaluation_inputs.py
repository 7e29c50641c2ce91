"""What must be there before a model is evaluated: texts, and what benchmarks ask."""

from __future__ import annotations

from functools import singledispatch

import attrs

from effdsl.evaluation import Cloze, Evaluation, Perplexity
from effdsl.harness import HarnessData, LMEval
from effdsl.stages.with_weights import ModelExamples
from effdsl.subjects.weights import Weights
from effdsl.workload import Input


@attrs.frozen
class ClozeText(Input):
    """Passages and continuations of a cloze, which are text.

    Attributes:
        cloze: resolved.
    """

    cloze: Cloze

    @property
    def packages(self) -> tuple[str, ...]:
        return ("numpy", *(self.cloze.data.packages if self.cloze.data else ()))


@singledispatch
def inputs_of(evaluation: Evaluation, weights: Weights) -> tuple[Input, ...]:
    """What must be there before ``evaluation``, resolved, of ``weights``."""
    return ()


@inputs_of.register
def _(evaluation: Perplexity, weights: Weights) -> tuple[Input, ...]:
    if evaluation.data is None:
        return ()
    return (ModelExamples(evaluation.data, weights, evaluation.context_length),)


@inputs_of.register
def _(evaluation: Cloze, weights: Weights) -> tuple[Input, ...]:
    return (ClozeText(evaluation),)


@inputs_of.register
def _(evaluation: LMEval, weights: Weights) -> tuple[Input, ...]:
    return (HarnessData(evaluation.tasks),)
