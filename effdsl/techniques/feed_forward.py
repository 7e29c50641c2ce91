"""The axis of feed-forward: what a block does to each token by itself.

Costs are closed forms per layer; ``d`` and ``f`` are the shape's hidden and intermediate size.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from effdsl.declare import Invalid, evolve, identity, keyed
from effdsl.shapes import Shape
from effdsl.techniques.technique import FeedForwardTechnique, Unsupported
from effdsl.validate import at_least_zero, number, positive_int, whole

WIDTH_STEP = 8  # elements: GPU kernels of grouped matrix products want rows of whole 16 bytes
ROW_COUNTS = 18  # met in 12 steps of 512 tokens by 8 experts, in steps of 32 rows; then no more


@keyed("swiglu")
class SwiGLU(FeedForwardTechnique):
    """``down(silu(gate(x)) * up(x))`` of the shape's intermediate size (Shazeer 2020, arXiv 2002.05202)."""

    def parameters(self, shape: Shape) -> int:
        return 3 * shape.hidden_size * shape.intermediate_size

    def train_flops_per_token(self, shape: Shape) -> float:
        return 6 * self.parameters(shape)

    def activations_per_token(self, shape: Shape) -> float:
        return 3 * shape.intermediate_size  # gate, up and their product


@keyed("gelu")
class GELU(FeedForwardTechnique):
    """``down(gelu(up(x)))``, four times as wide as the model, with biases: GPT-NeoX's."""

    def parameters(self, shape: Shape) -> int:
        return 8 * shape.hidden_size**2 + 5 * shape.hidden_size

    def train_flops_per_token(self, shape: Shape) -> float:
        return 48 * shape.hidden_size**2

    def activations_per_token(self, shape: Shape) -> float:
        return 8 * shape.hidden_size  # before and after the GELU


@attrs.frozen(repr=False)
class IsoFlop:
    """The type of :data:`ISO_FLOP`."""

    def __repr__(self) -> str:
        return "ISO_FLOP"


ISO_FLOP: Final = IsoFlop()
"""The expert width at which the experts of a token cost together what the dense layer costs."""


def _width(instance: Any, field: Any, value: Any) -> None:
    if value is not None and not isinstance(value, IsoFlop):
        positive_int(instance, field, value)


@keyed("moe")
class MoE(FeedForwardTechnique):
    """A mixture of SwiGLU experts (Shazeer et al. 2017, arXiv 1701.06538), routed as Mixtral does (Jiang
    et al. 2024, arXiv 2401.04088, section 2.1).

    A router without bias gives every expert a probability by softmax; a token goes to the ``top_k`` most
    probable, and their probabilities, made to add up to one, weigh what they answer. No token is dropped:
    an expert takes as many as are sent to it.

    Attributes:
        experts: experts of a layer.
        top_k: experts that each token goes to. Not 1: the weight of a single expert is one whatever the
            router says, so the router could not learn.
        expert_width: intermediate size of an expert; default that of the dense layer, so that ``0.5*B``
            with 8 experts is the paper's "0.5B x 8"; ``ISO_FLOP`` is that size over ``top_k``, to the
            nearest multiple of 8.
        balance: weight in the training loss of the load-balancing loss (Fedus et al. 2021, arXiv
            2101.03961, equations 4 to 6, with all ``top_k`` choices counted and not divided by
            ``top_k``), the mean over layers.
    """

    experts: int = identity(default=8, converter=whole, validator=positive_int)
    top_k: int = identity(default=2, converter=whole, validator=positive_int)
    expert_width: int | IsoFlop | None = identity(default=None, converter=whole, validator=_width)
    balance: float = identity(default=0.01, converter=number, validator=at_least_zero)

    def __attrs_post_init__(self) -> None:
        if self.experts < 2:
            raise Invalid(f"experts={self.experts} leaves nothing to route", "allowed: 2 or more")
        if not 2 <= self.top_k <= self.experts:
            raise Invalid(f"top_k={self.top_k} of {self.experts} experts", f"allowed: 2 to {self.experts}")

    def resolve(self, shape: Shape) -> MoE:
        width = self.expert_width
        if isinstance(width, IsoFlop):
            width = WIDTH_STEP * round(shape.intermediate_size / self.top_k / WIDTH_STEP)
            if width == 0:
                raise Unsupported(
                    f"MoE: {shape.intermediate_size} over top_k={self.top_k} is too narrow for an expert",
                    "lower top_k or give expert_width=",
                )
        return evolve(self, expert_width=width or shape.intermediate_size)

    def dense(self) -> SwiGLU:
        return SwiGLU()

    def width(self) -> int:
        """The expert width of a resolved MoE."""
        if not isinstance(self.expert_width, int):
            raise ValueError("resolve(shape) first: this MoE leaves the expert width open")
        return self.expert_width

    @property
    def products(self) -> int:
        """The router's, and those of the experts at every number of rows that they meet: forward and
        backward together four shapes each, since what is up for one is down for the other."""
        return 1 + 4 * ROW_COUNTS // 3

    def parameters(self, shape: Shape) -> int:
        return self.expert_parameters(shape) + self._router(shape)

    def expert_parameters(self, shape: Shape) -> int:
        return self.experts * self._expert(shape)

    @property
    def experts_per_token(self) -> int:
        return self.top_k

    def active_parameters(self, shape: Shape) -> int:
        return self.top_k * self._expert(shape) + self._router(shape)

    def train_flops_per_token(self, shape: Shape) -> float:
        return 6 * self.active_parameters(shape)

    def activations_per_token(self, shape: Shape) -> float:
        # of each chosen expert its input, gate, up, their product and its output; the probabilities
        return self.top_k * (2 * shape.hidden_size + 3 * self.width()) + self.experts

    def _expert(self, shape: Shape) -> int:
        return 3 * shape.hidden_size * self.width()

    def _router(self, shape: Shape) -> int:
        return self.experts * shape.hidden_size
