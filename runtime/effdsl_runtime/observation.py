"""What an engine hands back: the raw facts of one task, from which its metrics are computed."""

from __future__ import annotations

from typing import NamedTuple

import attrs
from effdsl_registry.records import Decoding as Decoding


@attrs.frozen
class Progress:
    """What a task is doing: ``done`` of ``total`` steps of a phase, and the loss of the last one."""

    phase: str
    done: int = 0
    total: int = 0
    loss: float | None = None


class Iteration(NamedTuple):
    """One optimizer step: its number (0-based), its wall time, and its training loss in nats per token."""

    step: int
    seconds: float
    loss: float


class Window(NamedTuple):
    """A stretch of time with nothing but measured iterations in it, in ``time.perf_counter_ns``."""

    start_ns: int
    end_ns: int


class Point(NamedTuple):
    """A point of a loss curve: optimizer steps done, loss in nats per token."""

    step: int
    loss: float


@attrs.frozen
class Routed:
    """How a trained model sent the held-out tokens to its experts.

    Attributes:
        shares: by layer, the share of what was computed that each expert computed.
        entropy: of the mean probabilities of a layer's experts, in nats, mean over layers.
        dropped: the share of all choices that no expert computed.
    """

    shares: tuple[tuple[float, ...], ...]
    entropy: float
    dropped: float


@attrs.frozen
class Observation:
    """One training, as it went.

    Attributes:
        iterations: every optimizer step, warm-up included.
        warmup: how many of the first iterations are left out of metrics.
        windows: when the measured iterations ran; evaluations lie between and outside the windows.
        loss_curve: training loss, thinned out.
        eval_curve: held-out loss along the way; its last point is ``held_out_loss``.
        held_out_loss: mean cross-entropy on held-out text after the last step, nats per token.
        bytes_per_token: bytes of UTF-8 per token of that text.
        parameters: exact parameter count of the built model.
        sample: text that the trained model generated.
        kernel: name of the attention kernel.
        threads: threads that torch computed with.
        flags: what else to know of how it ran: ``compiled``.
        decoding: by ascending context, the whole context last; empty when it was not measured.
        routed: how the held-out tokens were sent to experts; ``None`` where there are none.
    """

    iterations: tuple[Iteration, ...]
    warmup: int
    windows: tuple[Window, ...]
    loss_curve: tuple[Point, ...]
    eval_curve: tuple[Point, ...]
    held_out_loss: float
    bytes_per_token: float
    parameters: int
    sample: str
    kernel: str
    threads: int
    flags: tuple[str, ...] = ()
    decoding: tuple[Decoding, ...] = ()
    routed: Routed | None = None

    @property
    def measured(self) -> tuple[Iteration, ...]:
        """The iterations that metrics are computed from."""
        return self.iterations[self.warmup :]
