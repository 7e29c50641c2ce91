"""The training of a decoder that several devices share, as the formulas of its costs see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from effdsl.techniques.architecture import Architecture
    from effdsl.training import TrainingBudget


class DecoderTraining(Protocol):
    """What is trained, and how much of it in a step."""

    @property
    def architecture(self) -> Architecture: ...

    @property
    def budget(self) -> TrainingBudget: ...

    @property
    def dtype(self) -> str:
        """The type of the numbers that are multiplied."""


def output_flops_per_token(work: DecoderTraining) -> float:
    """Of the output layer, forward and backward."""
    shape = work.architecture.shape
    return 6.0 * shape.vocab_size * shape.hidden_size


def matrix_flops_per_token(work: DecoderTraining) -> float:
    """Of the products with weights, forward and backward: three times two for each weight that a token meets
    (Kaplan et al. 2020, arXiv 2001.08361, section 2.1)."""
    context = work.budget.context_length
    causal = work.architecture.causal_train_flops_per_token(context)
    return min(causal, 6 * layer_parameters_met(work) + output_flops_per_token(work))


def attention_flops_per_token(work: DecoderTraining) -> float:
    """Of what is no product with weights: scores and values of the keys that a query may see, scans."""
    causal = work.architecture.causal_train_flops_per_token(work.budget.context_length)
    return causal - matrix_flops_per_token(work)


def layer_parameters(work: DecoderTraining) -> int:
    """Parameters outside embedding and output layer, all experts included."""
    return work.architecture.non_embedding_parameters(work.budget.context_length)


def layer_parameters_met(work: DecoderTraining) -> int:
    """The same without the experts that a token does not go to."""
    context = work.budget.context_length
    unmet = work.architecture.parameters(context) - work.architecture.active_parameters(context)
    return layer_parameters(work) - unmet


def embedding_parameters(work: DecoderTraining) -> int:
    """Of one matrix of vocabulary times width."""
    return work.architecture.shape.vocab_size * work.architecture.shape.hidden_size
