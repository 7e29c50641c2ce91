"""Architectures, declared: a shape and what each layer does at that shape.

The configuration owns the questions that need no tensors (parameters, FLOPs, cache, what training
keeps in memory); the runtime builds the model from it. Every count is a closed form that the tests hold
equal to the built model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from effdsl.declare import HasTag, identity, keyed
from effdsl.shapes import Shape
from effdsl.techniques.feed_forward import MoE, SwiGLU
from effdsl.techniques.technique import (
    BYTES_PER_ELEMENT,
    AttentionTechnique,
    FeedForwardTechnique,
    PositionTechnique,
    RecurrentTechnique,
)

FLOAT32 = BYTES_PER_ELEMENT["float32"]


class Architecture(HasTag, ABC):
    """A causal language model with every technique resolved."""

    shape: Shape

    def parameters(self, context_length: int) -> int:
        """Parameters, a tied embedding counted once."""
        return self.non_embedding_parameters(context_length) + self.embeddings * self._embedding

    @abstractmethod
    def non_embedding_parameters(self, context_length: int) -> int:
        """Parameters without embedding and output layer: blocks, final norm, positions."""

    def active_parameters(self, context_length: int) -> int:
        """Parameters that one token meets; fewer than all where it is sent to some of many experts."""
        return self.parameters(context_length)

    @abstractmethod
    def train_flops_per_token(self, context_length: int) -> float:
        """FLOPs of forward and backward per token, output layer included, masked scores counted in full.

        What ``FlopCounterMode`` counts under the math attention backend; scans of recurrent layers by
        their documented formula.
        """

    @abstractmethod
    def causal_train_flops_per_token(self, context_length: int) -> float:
        """The same with only the keys that a query may see: the numerator of MFU."""

    @property
    def causal_flops_known(self) -> bool:
        """Whether the causal FLOPs are a formula, and not an upper bound that was counted."""
        return True

    @abstractmethod
    def kv_bytes_per_token(self, dtype: str) -> float:
        """Bytes by which the cache of all layers grows per token, in ``"float32"`` or ``"bfloat16"``."""

    def state_bytes(self, dtype: str) -> float:
        """Bytes of one sequence's state in all layers that do not grow with its length."""
        return 0.0

    def cache_bytes(self, context_length: int, dtype: str) -> float:
        """Bytes that all layers hold of one sequence that fills the context."""
        return context_length * self.kv_bytes_per_token(dtype) + self.state_bytes(dtype)

    @abstractmethod
    def activation_bytes_per_token(self, context_length: int, element: int) -> float:
        """Bytes per token kept for the backward pass, ``element`` bytes in a matrix product, logits apart."""

    def attention_activations_per_token(self, context_length: int) -> float:
        """Elements per token that the attention of all layers keeps for the backward pass, masks apart."""
        return 0.0

    def dense_masks_per_token(self, context_length: int) -> float:
        """Elements per token that all layers keep in addition where masks and biases are held whole."""
        return 0.0

    @property
    def experts(self) -> int | None:
        """Experts of a layer; ``None`` where there are none."""
        return None

    @property
    def expert_parameters(self) -> int:
        """Parameters of the experts of all layers, routers apart."""
        return 0

    @property
    def experts_per_token(self) -> int:
        """Experts of a layer that each token goes to."""
        return 0

    @property
    def fragmentation(self) -> int:
        """How much its training fragments a CPU's heap, against a transformer's: by what a layer's passes
        take and give back between the tensors they keep."""
        return 1

    def remark(self, context_length: int) -> str:
        """What a plan should say of it at this context; usually empty."""
        return ""

    @property
    @abstractmethod
    def products(self) -> int:
        """Matrix products of a forward pass that differ in shape; layers are alike."""

    @property
    def embeddings(self) -> int:
        """Matrices of vocabulary times width: one when input and output share it, else two."""
        return 1

    @property
    def _embedding(self) -> int:
        return self.shape.vocab_size * self.shape.hidden_size


@keyed("decoder")
class Decoder(Architecture):
    """Qwen2.5's decoder: pre-norm blocks of attention and feed-forward, RMSNorm, tied embedding."""

    shape: Shape = identity()
    attention: AttentionTechnique = identity()
    position: PositionTechnique = identity()
    feed_forward: FeedForwardTechnique = identity(since=2, absent=SwiGLU(), factory=SwiGLU)

    def non_embedding_parameters(self, context_length: int) -> int:
        return self._layers_with(self.feed_forward.parameters(self.shape), context_length)

    def active_parameters(self, context_length: int) -> int:
        active = self._layers_with(self.feed_forward.active_parameters(self.shape), context_length)
        return active + self.embeddings * self._embedding

    def train_flops_per_token(self, context_length: int) -> float:
        attention = self.attention.train_flops_per_token(self.shape, context_length)
        return self._flops_with(attention)

    def causal_train_flops_per_token(self, context_length: int) -> float:
        attention = self.attention.causal_train_flops_per_token(self.shape, context_length)
        return self._flops_with(attention)

    @property
    def causal_flops_known(self) -> bool:
        return self.attention.causal_flops_known

    def kv_bytes_per_token(self, dtype: str) -> float:
        layer = self.attention.kv_bytes_per_token(self.shape, BYTES_PER_ELEMENT[dtype])
        return self.shape.layers * layer

    def cache_bytes(self, context_length: int, dtype: str) -> float:
        layer = self.attention.cache_bytes(self.shape, context_length, BYTES_PER_ELEMENT[dtype])
        return self.shape.layers * layer

    def activation_bytes_per_token(self, context_length: int, element: int) -> float:
        """In each block: what its norms read of the residual stream (float32), the two normed inputs of
        the matrix products, what attention, position and feed-forward keep."""
        shape = self.shape
        products: float = 2 * shape.hidden_size
        products += self.attention.activations_per_token(shape, context_length)
        products += self.position.activations_per_token(self.attention, shape, context_length)
        products += self.feed_forward.activations_per_token(shape)
        residual = self.norm_inputs * shape.hidden_size * FLOAT32
        return shape.layers * (element * products + residual) + shape.hidden_size * (FLOAT32 + element)

    @property
    def products(self) -> int:
        return self.attention.products + self.feed_forward.products + 1

    @property
    def experts(self) -> int | None:
        return self.feed_forward.experts if isinstance(self.feed_forward, MoE) else None

    @property
    def expert_parameters(self) -> int:
        return self.shape.layers * self.feed_forward.expert_parameters(self.shape)

    @property
    def experts_per_token(self) -> int:
        return self.feed_forward.experts_per_token

    @property
    def norm_inputs(self) -> int:
        """Different tensors that the norms of a block read."""
        return 2

    def attention_activations_per_token(self, context_length: int) -> float:
        return self.shape.layers * self.attention.activations_per_token(self.shape, context_length)

    def remark(self, context_length: int) -> str:
        return self.attention.remark(context_length)

    def dense_masks_per_token(self, context_length: int) -> float:
        shape = self.shape
        mask = self.attention.dense_masks_per_token(shape, context_length)
        bias = self.position.dense_bias_per_token(self.attention, shape, context_length)
        return shape.layers * (mask + bias)

    @property
    def norms(self) -> int:
        """Parameters of all norms."""
        return (2 * self.shape.layers + 1) * self.shape.hidden_size

    def _layers_with(self, feed_forward: int, context_length: int) -> int:
        layer = self.attention.parameters(self.shape) + feed_forward
        return self.shape.layers * layer + self.norms + self.position.parameters(self.shape, context_length)

    def _flops_with(self, attention: float) -> float:
        layer = attention + self.feed_forward.train_flops_per_token(self.shape)
        return self.shape.layers * layer + 6 * self._embedding


@keyed("parallel-decoder")
class ParallelDecoder(Decoder):
    """GPT-NeoX's decoder (Black et al. 2022, arXiv 2204.06745, section 2.1), which Pythia is: attention
    and feed-forward side by side, LayerNorm, a bias on attention's output, an output layer of its own."""

    @property
    def embeddings(self) -> int:
        return 2

    @property
    def norm_inputs(self) -> int:
        return 1

    @property
    def norms(self) -> int:
        """LayerNorms have a weight and a bias; the attention's output bias is counted with them."""
        return 2 * super().norms + self.shape.layers * self.shape.hidden_size


@keyed("recurrent-decoder")
class RecurrentDecoder(Architecture):
    """A decoder whose layers keep a state of fixed size instead of a cache."""

    shape: Shape = identity()
    layer: RecurrentTechnique = identity()

    def non_embedding_parameters(self, context_length: int) -> int:
        outside = self.layer.parameters_outside_layers(self.shape)
        return self.shape.layers * self.layer.parameters(self.shape) + outside

    def train_flops_per_token(self, context_length: int) -> float:
        layer = self.layer.train_flops_per_token(self.shape, context_length)
        return self.shape.layers * layer + 6 * self._embedding

    def causal_train_flops_per_token(self, context_length: int) -> float:
        return self.train_flops_per_token(context_length)

    def kv_bytes_per_token(self, dtype: str) -> float:
        return 0.0

    def state_bytes(self, dtype: str) -> float:
        return self.shape.layers * self.layer.state_bytes(self.shape, BYTES_PER_ELEMENT[dtype])

    def activation_bytes_per_token(self, context_length: int, element: int) -> float:
        layer = self.layer.activation_bytes_per_token(self.shape, element)
        return self.shape.layers * layer + self.shape.hidden_size * (FLOAT32 + element)

    @property
    def fragmentation(self) -> int:
        """Scans work with copies of all that they keep. Given mappings of their own instead of the heap
        (``MALLOC_MMAP_THRESHOLD_``), their tensors made the peak of a 3M model 29 to 41 MB lower, a
        transformer's 14 MB (2 cores of an AMD EPYC, glibc 2.36)."""
        return 2

    @property
    def products(self) -> int:
        return self.layer.products + 1

    @property
    def embeddings(self) -> int:
        return 1 if self.layer.tied_embedding else 2
