"""Adapters that build a whole matrix of the target's shape out of small ones, in every pass."""

from __future__ import annotations

from math import isqrt

from effdsl.declare import identity, keyed
from effdsl.language_model import LanguageModel, Linear
from effdsl.techniques.fine_tuning.adapter import Adapter
from effdsl.techniques.fine_tuning.low_rank import bottleneck
from effdsl.techniques.fine_tuning.reach import frozen_flops
from effdsl.techniques.fine_tuning.targets import ALL_LINEAR, Targets, as_targets, targets
from effdsl.validate import positive_int, whole


class Composed(Adapter):
    """A second matrix beside each target, which gets a gradient whole."""

    rank: int

    def target_flops(self, model: LanguageModel, linear: Linear, reached: bool) -> int:
        return 2 * frozen_flops(linear, reached) + 2 * linear.weights


@keyed("loha")
class LoHa(Composed):
    """Low-rank Hadamard product (Hyeon-Woo et al. 2021, arXiv 2108.06098): the added matrix is the
    elementwise product of two of low rank, so that its rank may be up to ``rank`` squared.

    Attributes:
        rank: of each of the two.
        alpha: the matrix is scaled by ``alpha / rank``.
        targets: names of the linears it is added to, in every layer.
    """

    rank: int = identity(default=8, converter=whole, validator=positive_int)
    alpha: int = identity(default=16, converter=whole, validator=positive_int)
    targets: Targets = identity(default=ALL_LINEAR, converter=as_targets, validator=targets)

    def added_parameters(self, model: LanguageModel, linear: Linear) -> int:
        return 2 * bottleneck(linear, self.rank)

    def target_flops_per_pass(self, linear: Linear) -> int:
        """Both products forward, both once more backward, and the gradients of all four factors."""
        return (2 + 2 + 4) * 2 * self.rank * linear.weights


@keyed("lokr")
class LoKr(Composed):
    """Low-rank Kronecker product (Yeh et al. 2023, arXiv 2309.14859): the added matrix is the Kronecker
    product of a small one and one of low rank.

    Both sides of the target are split into two factors as near to each other as there are. Where ``rank``
    would not make the second matrix smaller, it is whole.

    Attributes:
        rank: of the second.
        alpha: the matrix is scaled by ``alpha / rank``.
        targets: names of the linears it is added to, in every layer.
    """

    rank: int = identity(default=8, converter=whole, validator=positive_int)
    alpha: int = identity(default=16, converter=whole, validator=positive_int)
    targets: Targets = identity(default=ALL_LINEAR, converter=as_targets, validator=targets)

    def added_parameters(self, model: LanguageModel, linear: Linear) -> int:
        (first_rows, rows), (first_columns, columns) = _split(linear.outputs), _split(linear.inputs)
        second = rows * columns if self._whole(rows, columns) else self.rank * (rows + columns)
        return first_rows * first_columns + second

    def target_flops_per_pass(self, linear: Linear) -> int:
        """The second matrix forward, and the gradients of its two factors."""
        rows, columns = _split(linear.outputs)[1], _split(linear.inputs)[1]
        return 0 if self._whole(rows, columns) else 6 * self.rank * rows * columns

    def _whole(self, rows: int, columns: int) -> bool:
        return 2 * self.rank >= max(rows, columns)


@keyed("glora")
class GLoRA(Composed):
    """Generalized LoRA (Chavan et al. 2023, arXiv 2306.07967) as peft has it: ``W + W * A + B`` with ``A``
    and ``B`` of low rank, and for a bias ``b`` also ``b + b * D + E + W C``, ``C`` of low rank, ``D`` and
    ``E`` numbers.

    Attributes:
        rank: of ``A``, ``B`` and ``C``.
        targets: names of the linears it is added to, in every layer.
    """

    rank: int = identity(default=8, converter=whole, validator=positive_int)
    targets: Targets = identity(default=ALL_LINEAR, converter=as_targets, validator=targets)

    def added_parameters(self, model: LanguageModel, linear: Linear) -> int:
        for_bias = self.rank * (linear.inputs + 1) + 2
        return 2 * bottleneck(linear, self.rank) + linear.bias * for_bias

    def saved_elements(self, model: LanguageModel) -> int:
        """peft saves zeros as large as ``C``, ``D`` and ``E`` would be where there is no bias."""
        unbiased = [linear for linear in self.adapted(model) if not linear.bias]
        zeros = sum(linear.inputs + 2 * linear.outputs for linear in unbiased)
        return self.trainable_parameters(model) + model.layers * zeros

    def target_flops_per_pass(self, linear: Linear) -> int:
        """``A``, ``B`` and ``C`` forward and for the gradients of their factors; ``W C`` forward and for
        that of ``C``."""
        for_bias = 6 * self.rank * linear.inputs + 4 * linear.weights
        return 12 * self.rank * linear.weights + linear.bias * for_bias


def _split(size: int) -> tuple[int, int]:
    """Two factors of ``size`` as near to each other as there are, the smaller first."""
    smaller = next(factor for factor in range(isqrt(size), 0, -1) if size % factor == 0)
    return smaller, size // smaller
