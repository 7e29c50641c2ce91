"""Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434).

Costs are closed forms per layer; ``T`` is the context length, of which a query sees ``(T + 1) / 2`` keys on
average.
"""

from __future__ import annotations

from effdsl.declare import Invalid, evolve, identity, keyed
from effdsl.shapes import Shape
from effdsl.techniques.technique import AttentionTechnique, Unsupported
from effdsl.validate import optional, positive_int, whole


@keyed("mla")
class MLA(AttentionTechnique):
    """Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1): keys and values of all
    heads are rebuilt from one cached latent, beside one rotated key that all heads share.

    What is left open follows DeepSeek's proportions. Without a position encoding (``NoPE``) the shared
    key stays and is not rotated, so that nothing but the position changes.

    Attributes:
        kv_rank: size of the latent; default four head sizes.
        rope_dim: size of the shared rotated key; default half a head size.
        nope_dim: size of a head's own query and key; default the head size.
        v_dim: size of a head's value; default the head size.
        q_rank: size of the query's latent; default none, as in DeepSeek-V2-Lite: DeepSeek's twelve head
            sizes would be as wide as these models.
    """

    kv_rank: int | None = identity(default=None, converter=whole, validator=optional(positive_int))
    rope_dim: int | None = identity(default=None, converter=whole, validator=optional(positive_int))
    nope_dim: int | None = identity(default=None, converter=whole, validator=optional(positive_int))
    v_dim: int | None = identity(default=None, converter=whole, validator=optional(positive_int))
    q_rank: int | None = identity(default=None, converter=whole, validator=optional(positive_int))

    def __attrs_post_init__(self) -> None:
        if self.rope_dim is not None and self.rope_dim % 2:
            raise Invalid(
                f"rope_dim={self.rope_dim} is odd, and rotation turns pairs", f"e.g. {self.rope_dim + 1}"
            )

    def resolve(self, shape: Shape) -> MLA:
        if self.rope_dim is None and shape.head_dim % 4:
            raise Unsupported(
                f"MLA: half of head_dim={shape.head_dim} is not a whole number of pairs", "give rope_dim="
            )
        return evolve(
            self,
            kv_rank=self.kv_rank or 4 * shape.head_dim,
            rope_dim=self.rope_dim or shape.head_dim // 2,
            nope_dim=self.nope_dim or shape.head_dim,
            v_dim=self.v_dim or shape.head_dim,
        )

    def sizes(self) -> tuple[int, int, int, int]:
        """``kv_rank, rope_dim, nope_dim, v_dim`` of a resolved MLA."""
        if self.kv_rank is None or self.rope_dim is None or self.nope_dim is None or self.v_dim is None:
            raise ValueError("resolve(shape) first: this MLA leaves sizes open")
        return self.kv_rank, self.rope_dim, self.nope_dim, self.v_dim

    @property
    def products(self) -> int:
        """Into the latents, out of each, and the output."""
        return 4 if self.q_rank else 3

    def parameters(self, shape: Shape) -> int:
        kv_rank, *_ = self.sizes()
        return self._matrices(shape) + kv_rank + (self.q_rank or 0)  # each latent is normed

    def train_flops_per_token(self, shape: Shape, context_length: int) -> float:
        return 6 * self._matrices(shape) + self._flops_per_key(shape) * context_length

    def causal_train_flops_per_token(self, shape: Shape, context_length: int) -> float:
        return 6 * self._matrices(shape) + self._flops_per_key(shape) * (context_length + 1) / 2

    def kv_bytes_per_token(self, shape: Shape, bytes_per_element: int) -> float:
        kv_rank, rope_dim, _, _ = self.sizes()
        return (kv_rank + rope_dim) * bytes_per_element

    def activations_per_token(self, shape: Shape, context_length: int) -> float:
        """What is projected from the input; each head's q, k, v and output, these two widened to the
        keys for the kernel, and the output once more without; the normed latents."""
        kv_rank, rope_dim, nope_dim, v_dim = self.sizes()
        key = nope_dim + rope_dim
        projected = (self.q_rank or shape.heads * key) + kv_rank + rope_dim
        per_head = 2 * key + 2 * max(key, v_dim) + v_dim
        return projected + shape.heads * per_head + kv_rank + (self.q_rank or 0)

    def _matrices(self, shape: Shape) -> int:
        kv_rank, rope_dim, nope_dim, v_dim = self.sizes()
        queries = shape.heads * (nope_dim + rope_dim)
        from_latent = kv_rank * shape.heads * (nope_dim + v_dim)
        to_query = self.q_rank * (shape.hidden_size + queries) if self.q_rank else shape.hidden_size * queries
        output = shape.heads * v_dim * shape.hidden_size
        return to_query + shape.hidden_size * (kv_rank + rope_dim) + from_latent + output

    def _flops_per_key(self, shape: Shape) -> int:
        _, rope_dim, nope_dim, v_dim = self.sizes()
        return 6 * shape.heads * (nope_dim + rope_dim + v_dim)
