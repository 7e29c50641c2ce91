"""What every technique answers, without being built.

A technique is one point on an axis. As declared it may leave choices open (``MLA()``); ``resolve``
closes them for a shape, and only a resolved technique is priced, built and part of a key. Techniques
that mean the same resolve to equal values: ``MQA()`` and ``GQA(kv_heads=1)`` are one cell.

What a technique must answer raises ``NotImplementedError`` here rather than be abstract: axes name these
bases as values, and mypy takes no abstract class for a ``type[Technique]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

import attrs

from effdsl.declare import HasTag

if TYPE_CHECKING:
    from effdsl.shapes import Shape

BYTES_PER_ELEMENT = {"float32": 4, "bfloat16": 2, "float16": 2}


class Unsupported(ValueError):
    """This technique cannot be built here (at this shape, or with that other technique)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Technique(HasTag):
    """Base of all techniques; subclasses are declared with ``@keyed``."""

    axis: ClassVar[str]

    def resolve(self, shape: Shape) -> Technique:
        """This technique with every choice closed for ``shape``.

        Raises:
            Unsupported: when it cannot be built at this shape.
        """
        raise NotImplementedError

    def label(self, shape: Shape) -> str:
        """The short name people read in tables: the class, plus what differs from its defaults."""
        if any(
            field.init and field.default is attrs.NOTHING for field in attrs.fields(cast(Any, type(self)))
        ):
            return repr(self)
        usual = type(self)().resolve(shape)
        return labelled(type(self).__name__, _differences(self.resolve(shape), usual))


class AttentionTechnique(Technique):
    """A mixer of tokens by attention. The prices want a resolved technique."""

    axis = "attention"
    causal_flops_known: ClassVar[bool] = True
    """Whether ``causal_train_flops_per_token`` is a formula; where it is not, nothing knows the MFU."""

    def resolve(self, shape: Shape) -> AttentionTechnique:
        return self

    def parameters(self, shape: Shape) -> int:
        """Parameters of one layer's attention, biases and norms included."""
        raise NotImplementedError

    def train_flops_per_token(self, shape: Shape, context_length: int) -> float:
        """FLOPs of one layer, forward and backward, per token, without recomputation.

        Matrix products only; every product of a masked score matrix is counted in full, as
        ``FlopCounterMode`` counts the math backend.
        """
        raise NotImplementedError

    def causal_train_flops_per_token(self, shape: Shape, context_length: int) -> float:
        """The same with only the keys that causality and sparsity let a query see: for MFU."""
        raise NotImplementedError

    def kv_bytes_per_token(self, shape: Shape, bytes_per_element: int) -> float:
        """Bytes by which one layer's cache grows per token of context."""
        raise NotImplementedError

    def cache_bytes(self, shape: Shape, context_length: int, bytes_per_element: int) -> float:
        """Bytes of one layer's cache that holds a context, those that do not grow with it included."""
        return context_length * self.kv_bytes_per_token(shape, bytes_per_element)

    def refuses(self, position: PositionTechnique) -> str:
        """Why this attention cannot be built with ``position``; empty when it can."""
        return ""

    def activations_per_token(self, shape: Shape, context_length: int) -> float:
        """Elements per token that one layer's attention keeps for the backward pass.

        The tensors between the norm and the residual sum, of the runtime's own implementation, without
        what a position encoding adds and without dense masks.
        """
        raise NotImplementedError

    def remark(self, context_length: int) -> str:
        """What a plan should say of it at this context, e.g. that nothing is left out; usually empty."""
        return ""

    def dense_masks_per_token(self, shape: Shape, context_length: int) -> float:
        """Elements per token of the masks that one layer's attention keeps where its kernel wants them whole:
        on a CPU. FlexAttention, on a GPU, keeps none."""
        return 0

    @property
    def products(self) -> int:
        """Matrix products of a forward pass that differ in shape, in the dtype of autocast: usually two, one
        for q, k and v together and one for the output."""
        return 2

    def rotated_per_token(self, shape: Shape) -> float:
        """Elements per token that one layer's attention keeps in addition when positions rotate."""
        return 0


class PositionTechnique(Technique):
    """How positions enter the model."""

    axis = "position"

    def resolve(self, shape: Shape) -> PositionTechnique:
        return self

    def parameters(self, shape: Shape, context_length: int) -> int:
        """Parameters of the whole model's positional encoding."""
        return 0

    def activations_per_token(
        self, attention: AttentionTechnique, shape: Shape, context_length: int
    ) -> float:
        """Elements per token that a layer of ``attention`` keeps for the backward pass because of this."""
        return 0

    def dense_bias_per_token(self, attention: AttentionTechnique, shape: Shape, context_length: int) -> float:
        """Elements per token that a layer keeps in addition where its kernel takes a bias as a mask: on a
        CPU. FlexAttention, on a GPU, adds it to each score as it goes."""
        return 0


class FeedForwardTechnique(Technique):
    """What a block does to each token by itself. The prices want a resolved technique."""

    axis = "feed_forward"

    def resolve(self, shape: Shape) -> FeedForwardTechnique:
        return self

    def parameters(self, shape: Shape) -> int:
        """Parameters of one layer, biases included."""
        raise NotImplementedError

    def dense(self) -> FeedForwardTechnique:
        """The layer it stands in for, by which a backbone finds its depth; itself, unless it has experts."""
        return self

    def active_parameters(self, shape: Shape) -> int:
        """Parameters of one layer that a token meets."""
        return self.parameters(shape)

    def expert_parameters(self, shape: Shape) -> int:
        """Parameters of one layer's experts, the router apart; none where a token meets them all."""
        return 0

    @property
    def experts_per_token(self) -> int:
        """Experts that each token goes to."""
        return 0

    def train_flops_per_token(self, shape: Shape) -> float:
        """FLOPs of one layer's matrix products, forward and backward, per token."""
        raise NotImplementedError

    def activations_per_token(self, shape: Shape) -> float:
        """Elements per token that one layer keeps for the backward pass."""
        raise NotImplementedError

    @property
    def products(self) -> int:
        """Matrix products of a forward pass that differ in shape: into the layer's width and out of it."""
        return 2


class RecurrentTechnique(HasTag):
    """What each layer of an attention-free backbone is: it keeps a state of fixed size. Resolved."""

    tied_embedding: ClassVar[bool] = True

    def parameters(self, shape: Shape) -> int:
        """Parameters of one layer, norms and biases included."""
        raise NotImplementedError

    def parameters_outside_layers(self, shape: Shape) -> int:
        """Parameters outside the layers, without embedding and output layer: the final norm."""
        return shape.hidden_size

    def train_flops_per_token(self, shape: Shape, context_length: int) -> float:
        """FLOPs of one layer, forward and backward, per token: matrix products as ``FlopCounterMode``
        counts them, and the scan by its documented formula."""
        raise NotImplementedError

    @property
    def products(self) -> int:
        """Matrix products of a forward pass that differ in shape, in the dtype of autocast."""
        raise NotImplementedError

    def state_bytes(self, shape: Shape, bytes_per_element: int) -> float:
        """Bytes of one sequence's state in one layer."""
        raise NotImplementedError

    def activation_bytes_per_token(self, shape: Shape, element: int) -> float:
        """Bytes per token that one layer keeps for the backward pass, ``element`` bytes in a product."""
        raise NotImplementedError


def check_kv_heads(technique: str, kv_heads: int, shape: Shape) -> None:
    """Refuse key-value heads that cannot be shared evenly by the query heads.

    Raises:
        Unsupported: with the numbers that are allowed.
    """
    if shape.heads % kv_heads:
        allowed = ", ".join(str(g) for g in range(1, shape.heads + 1) if shape.heads % g == 0)
        raise Unsupported(
            f"{technique}: kv_heads={kv_heads} does not divide {shape.heads} heads", f"allowed: {allowed}"
        )


def labelled(name: str, differences: dict[str, Any]) -> str:
    """``name(field=value, ...)``; the bare name when nothing differs."""
    shown = ", ".join(f"{field}={value!r}" for field, value in differences.items())
    return f"{name}({shown})" if shown else name


def _differences(technique: Any, usual: Any) -> dict[str, Any]:
    fields = [field.name for field in attrs.fields(type(technique))]
    return {f: getattr(technique, f) for f in fields if getattr(technique, f) != getattr(usual, f)}
