"""Fine-tuning of weights as they are: of all, or of the last layers."""

from __future__ import annotations

from effdsl.declare import Invalid, evolve, identity, keyed
from effdsl.language_model import LanguageModel
from effdsl.techniques.fine_tuning.method import Method, frozen_output_flops, trained_layer_flops
from effdsl.techniques.fine_tuning.reach import Reach, frozen_flops
from effdsl.techniques.technique import Unsupported
from effdsl.validate import optional, positive_int, whole

USUAL_LAYERS = 2


@keyed("freeze")
class Freeze(Method):
    """The last layers are trained; embedding, final norm and output layer are not.

    ``trainable_layers`` is what LlamaFactory calls ``freeze_trainable_layers``, whose default is 2 as well.
    The paper's Figure 2 freezes the first eight layers: ``Freeze(frozen_layers=8)``, which trains all but
    eight.

    Attributes:
        trainable_layers: decoder layers that are trained, counted from the last; default two.
        frozen_layers: decoder layers that are not, counted from the first; instead of the other.
    """

    usual_rates = (5e-5, 1e-2)
    replaces_weights = True
    trainable_layers: int | None = identity(default=None, converter=whole, validator=optional(positive_int))
    frozen_layers: int | None = identity(default=None, converter=whole, validator=optional(positive_int))

    def __attrs_post_init__(self) -> None:
        if self.trainable_layers is not None and self.frozen_layers is not None:
            raise Invalid("trainable_layers= and frozen_layers= say the same", "give one of them")

    def resolve(self, model: LanguageModel) -> Freeze:  # type: ignore[override]
        trained = self.trainable_layers or USUAL_LAYERS
        if self.frozen_layers is not None:
            trained = model.layers - self.frozen_layers
        if not 1 <= trained <= model.layers:
            raise Unsupported(
                f"{self!r}: the model has {model.layers} layers",
                f"allowed: trainable_layers=1 to {model.layers}",
            )
        return evolve(self, trainable_layers=trained, frozen_layers=None)

    def trained(self) -> int:
        """Layers that a resolved method trains."""
        if self.trainable_layers is None:
            raise ValueError("resolve(model) first: this Freeze leaves its layers open")
        return self.trainable_layers

    def trainable_parameters(self, model: LanguageModel) -> int:
        return self.trained() * model.layer_parameters

    def layers_that_keep(self, model: LanguageModel) -> int:
        return self.trained()

    def flops_with(self, model: LanguageModel, tokens: float, keys: float) -> float:
        frozen = sum(frozen_flops(linear, reached=False) for linear in model.linears)
        below = (model.layers - self.trained()) * (frozen + Reach().attention_flops(model, keys))
        above = self.trained() * trained_layer_flops(model, keys)
        return tokens * (below + above + frozen_output_flops(model))


@keyed("full")
class Full(Method):
    """All parameters are trained, embedding and output layer included."""

    usual_rates = (1e-5, 3e-3)
    replaces_weights = True

    def trainable_parameters(self, model: LanguageModel) -> int:
        return model.parameters

    def flops_with(self, model: LanguageModel, tokens: float, keys: float) -> float:
        return tokens * (model.layers * trained_layer_flops(model, keys) + self.output_flops(model))

    def output_flops(self, model: LanguageModel) -> int:
        return 6 * model.embedding
