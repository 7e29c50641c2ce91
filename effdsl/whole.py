"""A backbone of a user's own: the whole model is theirs, and what it costs is counted."""

from __future__ import annotations

from effdsl.counts import USUAL_CONTEXT, Counts, counted
from effdsl.declare import identity, keyed
from effdsl.shapes import Shape
from effdsl.techniques.architecture import Architecture
from effdsl.techniques.backbone import BackboneTechnique, Parts
from effdsl.techniques.technique import BYTES_PER_ELEMENT, Unsupported


@keyed("own-decoder")
class OwnDecoder(Architecture):
    """The model that a user's ``backbone`` builds at ``shape`` by ``module(shape, context_length)``."""

    shape: Shape = identity()
    backbone: BackboneTechnique = identity()

    def parameters(self, context_length: int) -> int:
        return self._counts(context_length).parameters

    def non_embedding_parameters(self, context_length: int) -> int:
        return self.parameters(context_length) - self._embedding

    def train_flops_per_token(self, context_length: int) -> float:
        return self._counts(context_length).train_flops

    def causal_train_flops_per_token(self, context_length: int) -> float:
        """Counted in full: which keys a query may not see is not known from outside."""
        return self.train_flops_per_token(context_length)

    @property
    def causal_flops_known(self) -> bool:
        return False

    def kv_bytes_per_token(self, dtype: str) -> float:
        return self._counts(USUAL_CONTEXT).cache_growth * BYTES_PER_ELEMENT[dtype]

    def cache_bytes(self, context_length: int, dtype: str) -> float:
        return self._counts(context_length).cache_elements * BYTES_PER_ELEMENT[dtype]

    def activation_bytes_per_token(self, context_length: int, element: int) -> float:
        return self._counts(context_length).activations * element

    @property
    def products(self) -> int:
        """Not known from outside; as many as the usual transformer's."""
        return 5

    def _counts(self, context_length: int) -> Counts:
        return counted(self.backbone, self.shape, context_length)


def assemble_own(self: BackboneTechnique, shape: Shape, parts: Parts) -> OwnDecoder:
    """What a backbone of a user's own is made of, unless it says so itself: nothing that a study chooses.

    Raises:
        Unsupported: when the study chooses a part.
    """
    if parts != Parts():
        hint = "give it a method assemble(), or leave the other axes to the transformer"
        raise Unsupported(f"{type(self).__name__} builds the whole model, and takes no part", hint)
    return OwnDecoder(shape, self)
