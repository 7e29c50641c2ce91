"""Mamba (Gu & Dao 2023, arXiv 2312.00752) and Mamba-2 (Dao & Gu 2024, arXiv 2405.21060).

Each layer adds one mixer to the residual stream: ``x + mixer(norm(x))``. RMSNorm, the embedding is the
output layer, no biases but the convolution's and the step's, as in the authors' code. Short names below:
``inner`` is the mixer's width, ``expand`` times the model's.
"""

from __future__ import annotations

from effdsl.declare import evolve, identity, keyed
from effdsl.shapes import Shape
from effdsl.techniques.backbone import Recurrent
from effdsl.techniques.technique import BYTES_PER_ELEMENT, RecurrentTechnique, Unsupported
from effdsl.validate import optional, positive_int, whole

FLOAT32 = BYTES_PER_ELEMENT["float32"]
CHUNK = 16
"""Tokens whose states Mamba's scan holds at once; between chunks it keeps a state for the backward pass."""
DUAL_CHUNK = 64
"""Tokens that Mamba-2's scan treats as a matrix product among themselves."""
SCAN_FLOPS = 27
"""Of Mamba's scan per channel, number of its state and token: 7 forward and 20 backward."""
RANK_OF_WIDTH = 16
STATE, NARROW_STATE, NARROW = 128, 64, 512


@keyed("mamba-layer")
class MambaLayer(RecurrentTechnique):
    """One layer of Mamba: a gated, selective state space of ``state_size`` numbers per channel.

    Attributes:
        inner: channels.
        state_size: numbers of state per channel.
        conv_width: tokens that the convolution before the scan sees.
        step_rank: width from which the channels' step sizes are projected.
    """

    inner: int = identity(validator=positive_int)
    state_size: int = identity(validator=positive_int)
    conv_width: int = identity(validator=positive_int)
    step_rank: int = identity(validator=positive_int)

    @property
    def products(self) -> int:
        """Into the scan's width, the scan's inputs, its step, the output, and one in the scan."""
        return 5

    def parameters(self, shape: Shape) -> int:
        conv = (self.conv_width + 1) * self.inner
        vectors = shape.hidden_size + 2 * self.inner  # the norm; the step's bias and D
        return self._matrices(shape) + conv + self.inner * self.state_size + vectors

    def train_flops_per_token(self, shape: Shape, context_length: int) -> float:
        """Matrix products, and for the scan 27 per channel and number of its state.

        Forward 7: exponent and exponential, what is written, the recurrence's two, the output's two.
        Backward 20: the states again (5), and the gradients of C (2), of the states (3), of what was
        written and of B (4), of the exponent (2), and from it of the step and of A (4).
        """
        return 6 * self._matrices(shape) + SCAN_FLOPS * self.inner * self.state_size

    def state_bytes(self, shape: Shape, bytes_per_element: int) -> float:
        """The convolution's last inputs, and the scan's state, which is float32 in any dtype."""
        window = (self.conv_width - 1) * self.inner * bytes_per_element
        return window + self.inner * self.state_size * FLOAT32

    def activation_bytes_per_token(self, shape: Shape, element: int) -> float:
        """The normed input; both halves of the projection; what the convolution, the step's projection,
        the scan and the gate give; step, B and C before they are used. In float32: a state per chunk; the
        residual stream, and the same normed but not weighted."""
        products = shape.hidden_size + 6 * self.inner + self.step_rank + 2 * self.state_size
        states = self.inner * self.state_size / CHUNK
        return element * products + FLOAT32 * (2 * shape.hidden_size + states)

    def _matrices(self, shape: Shape) -> int:
        into_scan = self.inner * (self.step_rank + 2 * self.state_size)
        return 3 * shape.hidden_size * self.inner + into_scan + self.step_rank * self.inner


@keyed("mamba")
class Mamba(Recurrent):
    """Mamba's decoder, as wide as the transformer of its size and as deep as brings it nearest to it.

    Attributes:
        state_size: numbers of state per channel.
        conv_width: tokens that the convolution before the scan sees.
        expand: channels of the mixer, in widths of the model.
        step_rank: width from which the step sizes are projected; default a sixteenth of the model's.
    """

    state_size: int = identity(default=16, converter=whole, validator=positive_int)
    conv_width: int = identity(default=4, converter=whole, validator=positive_int)
    expand: int = identity(default=2, converter=whole, validator=positive_int)
    step_rank: int | None = identity(default=None, converter=whole, validator=optional(positive_int))

    def resolve(self, shape: Shape) -> Mamba:
        return evolve(self, step_rank=self._step_rank(shape))

    def layer(self, shape: Shape) -> MambaLayer:
        inner = self.expand * shape.hidden_size
        return MambaLayer(inner, self.state_size, self.conv_width, self._step_rank(shape))

    def _step_rank(self, shape: Shape) -> int:
        return self.step_rank or -(-shape.hidden_size // RANK_OF_WIDTH)


@keyed("mamba2-layer")
class Mamba2Layer(RecurrentTechnique):
    """One layer of Mamba-2: heads that share one B and one C, each with a decay of its own.

    Attributes:
        inner: channels, ``heads * head_dim``.
        heads: how many decays.
        state_size: numbers of state per channel.
        conv_width: tokens that the convolution before the scan sees.
    """

    inner: int = identity(validator=positive_int)
    heads: int = identity(validator=positive_int)
    state_size: int = identity(validator=positive_int)
    conv_width: int = identity(validator=positive_int)

    @property
    def products(self) -> int:
        """Into the scan's width and out of it; those of the scan are float32."""
        return 2

    def parameters(self, shape: Shape) -> int:
        conv = (self.conv_width + 1) * self._convolved
        vectors = shape.hidden_size + self.inner + 3 * self.heads  # two norms; A, D, the step's bias
        return self._matrices(shape) + conv + vectors

    def train_flops_per_token(self, shape: Shape, context_length: int) -> float:
        """Matrix products, those of the scan included (arXiv 2405.21060, section 6).

        Per token of a chunk of ``q``: among the chunk's tokens ``C B'`` (forward, again, and two
        gradients: 8 q n) and its product with the channels (forward and two gradients: 6 q inner); the
        states at the ends of chunks written and read (forward 4, again 2, gradients 8: 14 n inner). The
        last chunk is filled up with zeros.
        """
        chunk = min(DUAL_CHUNK, context_length)
        filled = -(-context_length // chunk) * chunk / context_length
        among = 8 * chunk * self.state_size + 6 * chunk * self.inner
        scan = among + 14 * self.state_size * self.inner
        return 6 * self._matrices(shape) + filled * scan

    def state_bytes(self, shape: Shape, bytes_per_element: int) -> float:
        """The convolution's last inputs, and the scan's state, which is float32 in any dtype."""
        window = (self.conv_width - 1) * self._convolved * bytes_per_element
        return window + self.inner * self.state_size * FLOAT32

    def activation_bytes_per_token(self, shape: Shape, element: int) -> float:
        """The normed input, the projection, what the convolution and the gate's norm give. In float32:
        what the scan and the gate give; the residual stream; what either norm has not yet weighted. The
        scan keeps no state and no matrix of a chunk."""
        products = shape.hidden_size + self._projected + self._convolved + self.inner
        return element * products + FLOAT32 * (2 * shape.hidden_size + 3 * self.inner + self.heads)

    @property
    def _convolved(self) -> int:
        return self.inner + 2 * self.state_size

    @property
    def _projected(self) -> int:
        return self.inner + self._convolved + self.heads

    def _matrices(self, shape: Shape) -> int:
        return shape.hidden_size * (self._projected + self.inner)


@keyed("mamba2")
class Mamba2(Recurrent):
    """Mamba-2's decoder, as wide as the transformer of its size and as deep as brings it nearest to it.

    Attributes:
        state_size: numbers of state per channel; default 128, and 64 below a width of 512, where B and C
            of 128 would take a third or more of what a layer projects its input to.
        head_dim: channels that share a decay.
        conv_width: tokens that the convolution before the scan sees.
        expand: channels of the mixer, in widths of the model.
    """

    state_size: int | None = identity(default=None, converter=whole, validator=optional(positive_int))
    head_dim: int = identity(default=64, converter=whole, validator=positive_int)
    conv_width: int = identity(default=4, converter=whole, validator=positive_int)
    expand: int = identity(default=2, converter=whole, validator=positive_int)

    def resolve(self, shape: Shape) -> Mamba2:
        inner = self.expand * shape.hidden_size
        if inner % self.head_dim:
            allowed = ", ".join(str(e) for e in range(8, inner + 1) if inner % e == 0 and e <= 256)
            raise Unsupported(
                f"Mamba2: head_dim={self.head_dim} does not divide {inner} channels", f"allowed: {allowed}"
            )
        return evolve(self, state_size=self._state_size(shape))

    def layer(self, shape: Shape) -> Mamba2Layer:
        inner = self.expand * shape.hidden_size
        heads = inner // self.resolve(shape).head_dim
        return Mamba2Layer(inner, heads, self._state_size(shape), self.conv_width)

    def _state_size(self, shape: Shape) -> int:
        return self.state_size or (STATE if shape.hidden_size >= NARROW else NARROW_STATE)
