"""LoRA and its kin: beside a frozen matrix ``W`` of ``out x in`` the product of a ``B`` of ``out x r`` and an
``A`` of ``r x in`` is trained, ``y = W x + s B A x``. All start as the model itself."""

from __future__ import annotations

from typing import Any, TypeVar

from effdsl.declare import Invalid, evolve, identity, keyed, language
from effdsl.language_model import LanguageModel, Linear
from effdsl.techniques.fine_tuning.adapter import Adapter
from effdsl.techniques.fine_tuning.reach import frozen_flops
from effdsl.techniques.fine_tuning.targets import ALL_LINEAR, Targets, as_targets, targets
from effdsl.techniques.precision.normal_float import NF4
from effdsl.techniques.technique import BYTES_PER_ELEMENT, Unsupported
from effdsl.validate import below_one, made_of_a_class, number, optional, positive, positive_int, whole


def bottleneck(linear: Linear, rank: int) -> int:
    """Elements of the two matrices between which there are ``rank`` features."""
    return rank * (linear.inputs + linear.outputs)


def bottleneck_flops(linear: Linear, rank: int, reached: bool) -> int:
    """FLOPs per token of both matrices, trained: the gradient of their input is only where it is
    ``reached``."""
    forward = 2 * bottleneck(linear, rank)
    return 2 * forward + 2 * rank * (linear.outputs + reached * linear.inputs)


L = TypeVar("L", bound="LowRank")


@language
class LowRank(Adapter):
    """What every method that trains ``B A`` costs.

    Attributes:
        rank: inner size ``r`` of the product.
        alpha: the product is scaled by ``s = alpha / rank``.
        dropout: probability with which an element of the product's input is left out.
        targets: names of the linears it is added to, in every layer.
    """

    rank: int = identity(default=8, converter=whole, validator=positive_int)
    alpha: int = identity(default=16, converter=whole, validator=positive_int)
    dropout: float = identity(default=0.0, converter=number, validator=below_one)
    targets: Targets = identity(default=ALL_LINEAR, converter=as_targets, validator=targets)

    def resolve(self: L, model: LanguageModel) -> L:  # type: ignore[override]
        """Of all linears those that peft has an adapter for; what is named must be among them."""
        closed = super().resolve(model)
        able = tuple(name for name in closed.names() if name not in model.no_lora)
        if isinstance(self.targets, tuple) and able != closed.names():
            without = ", ".join(model.no_lora)
            raise Unsupported(
                f"{type(self).__name__}: peft has no low-rank adapter for this model's {without}",
                f"allowed: {', '.join(name for name in model.names if name not in model.no_lora)}",
            )
        return evolve(closed, targets=able)

    def added_parameters(self, model: LanguageModel, linear: Linear) -> int:
        return bottleneck(linear, self.rank)

    def kept_beside_target(self, linear: Linear) -> int:
        """What goes through the bottleneck."""
        return self.rank

    def products_beside(self, model: LanguageModel) -> frozenset[tuple[int, int]]:
        targets = self.adapted(model)
        down = {(linear.inputs, self.rank) for linear in targets}
        return frozenset(down | {(self.rank, linear.outputs) for linear in targets})

    def target_flops(self, model: LanguageModel, linear: Linear, reached: bool) -> int:
        return frozen_flops(linear, reached) + bottleneck_flops(linear, self.rank, reached)


def _normal_floats(_: Any, field: Any, value: Any) -> None:
    if not isinstance(value, NF4):
        raise Invalid("no format that gradients flow through", "e.g. quantize=NF4")


@keyed("lora")
class LoRA(LowRank):
    """Low-rank adaptation (Hu et al. 2021, arXiv 2106.09685).

    Attributes:
        quantize: how the frozen matrices of the layers are stored, ``NF4`` for QLoRA (Dettmers et al. 2023,
            arXiv 2305.14314); ``None`` in the dtype of the matrix products.
    """

    quantize: NF4 | None = identity(
        since=2,
        default=None,
        absent=None,
        converter=made_of_a_class(NF4),
        validator=optional(_normal_floats),
    )

    @property
    def packages(self) -> tuple[str, ...]:
        return () if self.quantize is None else self.quantize.packages

    def frozen_bytes(self, model: LanguageModel, dtype: str) -> int:
        """Beside what is packed lies the one matrix that is unpacked to be multiplied."""
        if self.quantize is None:
            return super().frozen_bytes(model, dtype)
        unpacked = max(linear.weights for linear in model.linears) * BYTES_PER_ELEMENT[dtype]
        return self.quantize.weight_bytes(model, dtype) + unpacked


@keyed("lora-plus")
class LoRAPlus(LowRank):
    """LoRA+ (Hayou et al. 2024, arXiv 2402.12354): LoRA whose ``B`` learns faster than its ``A``.

    Attributes:
        ratio: learning rate of ``B`` over that of ``A``.
    """

    usual_rates = (1e-4, 3e-3)
    ratio: float = identity(default=16.0, converter=number, validator=positive)


@keyed("rs-lora")
class RSLoRA(LowRank):
    """Rank-stabilized LoRA (Kalajdzievski 2023, arXiv 2312.03732): LoRA scaled by ``alpha / sqrt(rank)``."""


@keyed("dora")
class DoRA(LowRank):
    """Weight-decomposed low-rank adaptation (Liu et al. 2024, arXiv 2402.09353): each row of ``W + s B A`` is
    divided by its norm and multiplied by a trained magnitude; the norm gets no gradient (section 4.3)."""

    def added_parameters(self, model: LanguageModel, linear: Linear) -> int:
        return super().added_parameters(model, linear) + linear.outputs

    def kept_beside_target(self, linear: Linear) -> int:
        """Both of the outputs that the magnitude scales as well."""
        return super().kept_beside_target(linear) + 2 * linear.outputs

    def target_flops(self, model: LanguageModel, linear: Linear, reached: bool) -> int:
        """With dropout, ``W`` is multiplied a second time, with what is left of its input."""
        again = frozen_flops(linear, reached) if self.dropout else 0
        return super().target_flops(model, linear, reached) + again

    def target_flops_per_pass(self, linear: Linear) -> int:
        """``B A`` for the norms, which peft multiplies with an identity matrix first."""
        return 2 * linear.inputs * bottleneck(linear, self.rank)


@keyed("pissa")
class PiSSA(LowRank):
    """Principal singular values and vectors adaptation (Meng et al. 2024, arXiv 2404.02948): LoRA that starts
    with the largest singular values of ``W``, which are taken out of the frozen matrix.

    It is saved as the LoRA of twice the rank that does the same to the model as it was.

    Attributes:
        iterations: of the fast singular value decomposition; ``None`` for the exact one.
    """

    iterations: int | None = identity(default=16, converter=whole, validator=optional(positive_int))

    def resolve(self, model: LanguageModel) -> PiSSA:  # type: ignore[override]
        closed = super().resolve(model)
        narrowest = min(min(linear.inputs, linear.outputs) for linear in closed.adapted(model))
        if self.rank > narrowest:
            raise Unsupported(
                f"PiSSA: rank={self.rank}, and a target has only {narrowest} singular values",
                f"allowed: up to {narrowest}",
            )
        return closed

    def saved_elements(self, model: LanguageModel) -> int:
        return 2 * self.trainable_parameters(model)
