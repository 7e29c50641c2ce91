"""What every fine-tuning method answers of a language model, without being built.

FLOPs are those of matrix products, as ``FlopCounterMode`` counts them on transformers' model with eager
attention and with peft's adapter in it: two per multiplication and addition.
"""

from __future__ import annotations

from typing import ClassVar

from effdsl.language_model import LanguageModel
from effdsl.techniques.fine_tuning.reach import Reach
from effdsl.techniques.technique import BYTES_PER_ELEMENT, Technique

FLOAT32 = BYTES_PER_ELEMENT["float32"]


class Method(Technique):
    """How the weights of a pretrained model are changed. The prices want a resolved method."""

    axis = "fine_tuning"
    usual_rates: ClassVar[tuple[float, float]]
    """Peak learning rates that are taken unasked: from 100M parameters on, and below."""

    def usual_learning_rate(self, small: bool) -> float:
        """The peak learning rate that is taken where a study says none; no more than a place to start."""
        return self.usual_rates[small]

    def resolve(self, model: LanguageModel) -> Method:  # type: ignore[override]  # no shape
        """This method with every choice closed for ``model``.

        Raises:
            Unsupported: when it cannot be applied to this model.
        """
        return self

    def label(self, model: LanguageModel) -> str:  # type: ignore[override]  # likewise
        """The short name people read in tables: the class, plus what differs from its defaults."""
        return super().label(model)  # type: ignore[arg-type]

    replaces_weights: ClassVar[bool] = False
    """Whether the model's own weights are trained, and nothing beside them."""

    def trainable_parameters(self, model: LanguageModel) -> int:
        """Parameters that the optimizer changes."""
        raise NotImplementedError

    @property
    def packages(self) -> tuple[str, ...]:
        """Modules that must be importable where it trains, beside those of the engine."""
        return ()

    def frozen_bytes(self, model: LanguageModel, dtype: str) -> int:
        """Bytes of the weights that are not trained, where matrix products are of ``dtype``."""
        trained = self.trainable_parameters(model) if self.replaces_weights else 0
        return (model.parameters - trained) * BYTES_PER_ELEMENT[dtype]

    def kept_beside(self, model: LanguageModel) -> int:
        """Elements per token that what the method adds to one layer keeps for the backward pass, beside what
        the layer keeps itself."""
        return 0

    def products_beside(self, model: LanguageModel) -> frozenset[tuple[int, int]]:
        """Shapes, ``(inputs, outputs)``, of the matrix products that it adds to a layer."""
        return frozenset()

    def layers_that_keep(self, model: LanguageModel) -> int:
        """Layers that keep anything for the backward pass: from the lowest on that is trained."""
        return model.layers

    def adapter_bytes(self, model: LanguageModel) -> int | None:
        """Bytes of the tensors that are saved of it in float32; ``None`` is unknown.

        Those of ``adapter_model.safetensors``, or of the weights that were trained where it has no adapter.
        """
        return FLOAT32 * self.trainable_parameters(model)

    def step_flops(self, model: LanguageModel, sequences: int, context_length: int) -> float:
        """FLOPs of one forward and backward pass of ``sequences`` of ``context_length`` tokens each.

        Logits of every token included; masked scores counted in full; without recomputation. Not
        proportional to the tokens: some methods multiply weights with one another once a pass.
        """
        return self.flops_with(model, sequences * context_length, context_length)

    def causal_step_flops(self, model: LanguageModel, sequences: int, context_length: int) -> float:
        """The same with only the keys that causality lets a query see, ``(T + 1) / 2`` on average: for
        MFU. A sliding window is taken to be wider than the context."""
        return self.flops_with(model, sequences * context_length, (context_length + 1) / 2)

    def flops_with(self, model: LanguageModel, tokens: float, keys: float) -> float:
        """FLOPs of one pass of ``tokens`` of which each query meets ``keys`` keys."""
        raise NotImplementedError

    def output_flops(self, model: LanguageModel) -> int:
        """FLOPs per token of the output layer, which is in :meth:`flops_with` for every token."""
        return frozen_output_flops(model)


def frozen_output_flops(model: LanguageModel) -> int:
    """FLOPs per token of the output layer, forward and for the gradient of its input."""
    return 4 * model.embedding


def trained_layer_flops(model: LanguageModel, keys: float) -> float:
    """FLOPs per token of a layer that is trained whole: its norms give even its first matrices' inputs a
    gradient."""
    return 6 * sum(linear.weights for linear in model.linears) + Reach.all_of(model).attention_flops(
        model, keys
    )
