"""A decoder, declared: its shape and the technique on each of its dimensions.

The configuration owns the questions that need no tensors (parameters, FLOPs, cache); the runtime builds
the model from it.
"""

from __future__ import annotations

from effdsl.declare import identity, keyed
from effdsl.shapes import Shape
from effdsl.techniques.base import BYTES_PER_ELEMENT, AttentionTechnique, PositionTechnique


@keyed("decoder")
class Decoder:
    """A decoder-only transformer (Qwen2.5's block) with resolved techniques.

    Its counts are closed forms that the tests hold equal to the built model.
    """

    shape: Shape = identity()
    attention: AttentionTechnique = identity()
    position: PositionTechnique = identity()

    def parameters(self, context_length: int) -> int:
        """Parameters, the tied embedding counted once."""
        return self.non_embedding_parameters(context_length) + self.shape.vocab_size * self.shape.hidden_size

    def non_embedding_parameters(self, context_length: int) -> int:
        """Parameters without the embedding: blocks, final norm, positions."""
        shape = self.shape
        norms = (2 * shape.layers + 1) * shape.hidden_size
        attention = shape.layers * self.attention.parameters(shape)
        feed_forward = shape.layers * 3 * shape.hidden_size * shape.intermediate_size
        return attention + feed_forward + norms + self.position.parameters(shape, context_length)

    def train_flops_per_token(self, context_length: int) -> float:
        """FLOPs of forward and backward per token, output layer included, masked scores counted in full.

        What ``FlopCounterMode`` counts under the math attention backend.
        """
        attention = self.attention.train_flops_per_token(self.shape, context_length)
        return self.shape.layers * attention + self._flops_outside_attention()

    def causal_train_flops_per_token(self, context_length: int) -> float:
        """The same with only the keys that a query may see: the numerator of MFU."""
        attention = self.attention.causal_train_flops_per_token(self.shape, context_length)
        return self.shape.layers * attention + self._flops_outside_attention()

    def kv_bytes_per_token(self, dtype: str) -> float:
        """Bytes by which the cache of all layers grows per token, in ``"float32"`` or ``"bfloat16"``."""
        layer = self.attention.kv_bytes_per_token(self.shape, BYTES_PER_ELEMENT[dtype])
        return self.shape.layers * layer

    def _flops_outside_attention(self) -> int:
        shape = self.shape
        feed_forward = shape.layers * 18 * shape.hidden_size * shape.intermediate_size
        return feed_forward + 6 * shape.hidden_size * shape.vocab_size
