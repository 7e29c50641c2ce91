"""What methods share that freeze the model and add something to some linears of every layer."""

from __future__ import annotations

from typing import TypeVar

from effdsl.declare import evolve
from effdsl.language_model import LanguageModel, Linear
from effdsl.techniques.fine_tuning.method import FLOAT32, Method, frozen_output_flops
from effdsl.techniques.fine_tuning.reach import Reach, frozen_flops
from effdsl.techniques.fine_tuning.targets import Targets, resolved

A = TypeVar("A", bound="Adapter")


class Adapter(Method):
    """A frozen model with something trained beside each target.

    Attributes:
        targets: names of linears, or a constant such as ``ALL_LINEAR`` that stands for some.
    """

    usual_rates = (1e-4, 1e-2)  # LlamaFactory's examples; the best of a sweep at 3M parameters
    targets: Targets

    def resolve(self: A, model: LanguageModel) -> A:  # type: ignore[override]
        return evolve(self, targets=resolved(type(self).__name__, self.targets, model))

    def names(self) -> tuple[str, ...]:
        """The targets of a resolved method."""
        if not isinstance(self.targets, tuple):
            raise ValueError(f"resolve(model) first: this {type(self).__name__} leaves its targets open")
        return self.targets

    def adapted(self, model: LanguageModel) -> list[Linear]:
        """The linears of one layer that are targets."""
        return [linear for linear in model.linears if linear.name in self.names()]

    def added_parameters(self, model: LanguageModel, linear: Linear) -> int:
        """Parameters trained beside one target."""
        raise NotImplementedError

    def target_flops(self, model: LanguageModel, linear: Linear, reached: bool) -> int:
        """FLOPs per token of one target with what is beside it; ``reached`` where its input needs a
        gradient."""
        raise NotImplementedError

    def target_flops_per_pass(self, linear: Linear) -> int:
        """FLOPs of one target once a pass, however many tokens it has: products of weights."""
        return 0

    def kept_beside_target(self, linear: Linear) -> int:
        """Elements per token that is kept beside one target; where nothing is known better, none."""
        return 0

    def kept_beside(self, model: LanguageModel) -> int:
        return sum(map(self.kept_beside_target, self.adapted(model)))

    def saved_elements(self, model: LanguageModel) -> int:
        """Elements of all tensors of the file that peft saves."""
        return self.trainable_parameters(model)

    def trainable_parameters(self, model: LanguageModel) -> int:
        return model.layers * sum(self.added_parameters(model, linear) for linear in self.adapted(model))

    def adapter_bytes(self, model: LanguageModel) -> int | None:
        return FLOAT32 * self.saved_elements(model)

    def flops_with(self, model: LanguageModel, tokens: float, keys: float) -> float:
        lowest = self._layer_flops(model, Reach.down_to(model, self.names()), keys)
        others = (model.layers - 1) * self._layer_flops(model, Reach.all_of(model), keys)
        per_pass = model.layers * sum(map(self.target_flops_per_pass, self.adapted(model)))
        return tokens * (lowest + others + frozen_output_flops(model)) + per_pass

    def _layer_flops(self, model: LanguageModel, reach: Reach, keys: float) -> float:
        """FLOPs per token of one layer."""
        linears = sum(
            self._linear_flops(model, linear, linear.name in reach.inputs) for linear in model.linears
        )
        return linears + reach.attention_flops(model, keys)

    def _linear_flops(self, model: LanguageModel, linear: Linear, reached: bool) -> int:
        if linear.name in self.names():
            return self.target_flops(model, linear, reached)
        return frozen_flops(linear, reached)
