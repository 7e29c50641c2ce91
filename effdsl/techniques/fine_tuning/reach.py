"""How far the backward pass reaches into a layer: a frozen matrix costs a product only where something
below it is trained."""

from __future__ import annotations

from collections.abc import Collection

import attrs

from effdsl.language_model import LanguageModel, Linear


@attrs.frozen
class Reach:
    """The linears of one layer that gradients come to.

    Attributes:
        outputs: those whose output needs a gradient.
        inputs: those whose input needs one.
    """

    outputs: frozenset[str] = frozenset()
    inputs: frozenset[str] = frozenset()

    @classmethod
    def all_of(cls, model: LanguageModel) -> Reach:
        """Of a layer that has something trained below it."""
        return cls(frozenset(model.names), frozenset(model.names))

    @classmethod
    def down_to(cls, model: LanguageModel, trained: Collection[str]) -> Reach:
        """Of a layer that has nothing trained below it, and in it only what belongs to ``trained``."""
        outputs: set[str] = set()
        inputs: set[str] = set()
        for linear in model.linears:
            if not outputs.isdisjoint(linear.reads):
                inputs.add(linear.name)
            if linear.name in inputs or linear.name in trained:
                outputs.add(linear.name)
        return cls(frozenset(outputs), frozenset(inputs))

    def attention_flops(self, model: LanguageModel, keys: float) -> float:
        """FLOPs per token of scores and values, each query with ``keys`` keys.

        Forward two products; backward one each for queries, keys and values, and one for the
        probabilities where queries or keys need theirs.
        """
        queries, of_keys, values = (
            name in self.outputs for name in (model.queries, model.keys, model.values)
        )
        scores = 1 + queries + of_keys
        weighted = 1 + values + (queries or of_keys)
        return 2 * model.heads * keys * (scores * model.key_dim + weighted * model.value_dim)


def frozen_flops(linear: Linear, reached: bool) -> int:
    """FLOPs per token of a frozen matrix, backward only where its input is ``reached``."""
    return 2 * linear.weights * (1 + reached)
