"""Adapters that scale or turn features: vectors, rotations, and low rank whose rank is learned."""

from __future__ import annotations

from effdsl.declare import Invalid, identity, keyed
from effdsl.language_model import LanguageModel, Linear
from effdsl.techniques.fine_tuning.adapter import Adapter
from effdsl.techniques.fine_tuning.low_rank import bottleneck, bottleneck_flops
from effdsl.techniques.fine_tuning.reach import frozen_flops
from effdsl.techniques.fine_tuning.targets import (
    ALL_LINEAR,
    KEYS_VALUES_AND_OUTPUT,
    Targets,
    as_targets,
    targets,
)
from effdsl.techniques.technique import Unsupported
from effdsl.validate import below_one, number, positive_int, whole


@keyed("ia3")
class IA3(Adapter):
    """(IA)^3 (Liu et al. 2022, arXiv 2205.05638): trained vectors scale keys, values and what the
    feed-forward's output reads. Costs no matrix product.

    Attributes:
        targets: names of linears, in every layer. The feed-forward's output is scaled before it, where it
            reads, every other after it.
    """

    usual_rates = (3e-3, 3e-2)
    targets: Targets = identity(default=KEYS_VALUES_AND_OUTPUT, converter=as_targets, validator=targets)

    def feed_forward(self, model: LanguageModel) -> tuple[str, ...]:
        """Those of the targets that are scaled before they are multiplied."""
        return tuple(name for name in self.names() if name == model.linears[-1].name)

    def added_parameters(self, model: LanguageModel, linear: Linear) -> int:
        return linear.inputs if linear.name in self.feed_forward(model) else linear.outputs

    def kept_beside_target(self, linear: Linear) -> int:
        """What is scaled."""
        return linear.outputs

    def target_flops(self, model: LanguageModel, linear: Linear, reached: bool) -> int:
        """A vector in front of the matrix needs the gradient of the matrix's input."""
        return frozen_flops(linear, reached or linear.name in self.feed_forward(model))


@keyed("vera")
class VeRA(Adapter):
    """Vector-based random matrix adaptation (Kopiczko et al. 2023, arXiv 2310.11454): a LoRA whose matrices
    are random, frozen and shared by all layers, with a trained vector behind each.

    Attributes:
        rank: inner size of the random matrices, which are saved with the vectors.
        targets: names of the linears it is added to, in every layer.
    """

    usual_rates = (4e-3, 3e-2)
    rank: int = identity(default=256, converter=whole, validator=positive_int)
    targets: Targets = identity(default=ALL_LINEAR, converter=as_targets, validator=targets)

    def added_parameters(self, model: LanguageModel, linear: Linear) -> int:
        return self.rank + linear.outputs

    def saved_elements(self, model: LanguageModel) -> int:
        """The random matrices are as large as the largest target."""
        adapted = self.adapted(model)
        largest = max(each.inputs for each in adapted) + max(each.outputs for each in adapted)
        return self.trainable_parameters(model) + self.rank * largest

    def kept_beside_target(self, linear: Linear) -> int:
        """What goes into both matrices and vectors."""
        return 2 * self.rank + linear.outputs

    def target_flops(self, model: LanguageModel, linear: Linear, reached: bool) -> int:
        """The vector between the random matrices needs a gradient through the second of them."""
        backward = 2 * self.rank * (linear.outputs + reached * linear.inputs)
        return frozen_flops(linear, reached) + 2 * bottleneck(linear, self.rank) + backward


@keyed("oft")
class OFT(Adapter):
    """Orthogonal fine-tuning (Qiu et al. 2023, arXiv 2306.07280): what a target reads is turned by a block
    diagonal rotation, in peft the Cayley transform by five terms of its series.

    Attributes:
        block_size: features that are turned together; divides the inputs of every target.
        targets: names of the linears it is added to, in every layer.
    """

    block_size: int = identity(default=32, converter=whole, validator=positive_int)
    targets: Targets = identity(default=ALL_LINEAR, converter=as_targets, validator=targets)

    def __attrs_post_init__(self) -> None:
        if self.block_size < 2:
            raise Invalid("block_size=1 leaves nothing to turn", "allowed: 2 or more")

    def resolve(self, model: LanguageModel) -> OFT:  # type: ignore[override]
        closed = super().resolve(model)
        for linear in closed.adapted(model):
            if linear.name == model.keys and linear.reads:
                # transformers gives the latent as one head, in four dimensions, which peft takes for an image
                raise Unsupported(
                    f"OFT: peft cannot turn the latent that {linear.name} reads",
                    f"give targets= without {linear.name}",
                )
            if linear.inputs % self.block_size:
                raise Unsupported(
                    f"OFT: block_size={self.block_size} does not divide the {linear.inputs} inputs of "
                    f"{linear.name}",
                    "give a block_size= that divides the inputs of every target",
                )
        return closed

    def added_parameters(self, model: LanguageModel, linear: Linear) -> int:
        return linear.inputs * (self.block_size - 1) // 2

    def kept_beside_target(self, linear: Linear) -> int:
        """What is turned."""
        return linear.inputs

    def target_flops(self, model: LanguageModel, linear: Linear, reached: bool) -> int:
        """The rotation needs the gradient of the matrix's input."""
        turned = 2 * linear.inputs * self.block_size
        return frozen_flops(linear, reached=True) + turned * (2 + reached)

    def target_flops_per_pass(self, linear: Linear) -> int:
        """Second, third and fourth power of each block, forward and for both factors' gradients."""
        return 3 * 3 * 2 * linear.inputs * self.block_size**2


@keyed("adalora")
class AdaLoRA(Adapter):
    """Adaptive LoRA (Zhang et al. 2023, arXiv 2303.10512): singular values between two matrices that are kept
    nearly orthogonal; the least important are zeroed until ``rank`` of a target are left on average.

    What is zeroed is multiplied all the same, so the FLOPs stay those of ``initial_rank``.

    Attributes:
        rank: that is left of a target, on average over all targets.
        initial_rank: that each starts with.
        alpha: scale of the product, over its rank.
        dropout: probability with which an element of the product's input is left out.
        targets: names of the linears it is added to, in every layer.
    """

    rank: int = identity(default=8, converter=whole, validator=positive_int)
    initial_rank: int = identity(default=12, converter=whole, validator=positive_int)
    alpha: int = identity(default=16, converter=whole, validator=positive_int)
    dropout: float = identity(default=0.0, converter=number, validator=below_one)
    targets: Targets = identity(default=ALL_LINEAR, converter=as_targets, validator=targets)

    def __attrs_post_init__(self) -> None:
        if self.rank > self.initial_rank:
            raise Invalid(
                f"rank={self.rank} is more than the initial_rank={self.initial_rank}", "ranks only fall"
            )

    def added_parameters(self, model: LanguageModel, linear: Linear) -> int:
        return bottleneck(linear, self.initial_rank) + self.initial_rank

    def adapter_bytes(self, model: LanguageModel) -> None:
        """Unknown: which targets keep their ranks is seen only after training."""

    def target_flops(self, model: LanguageModel, linear: Linear, reached: bool) -> int:
        return frozen_flops(linear, reached) + bottleneck_flops(linear, self.initial_rank, reached)

    def target_flops_per_pass(self, linear: Linear) -> int:
        """How far both matrices are from orthogonal, which peft adds to the loss, and its gradients."""
        return 3 * 2 * self.initial_rank * bottleneck(linear, self.initial_rank)
