"""What an engine hands back: the raw facts of one task, from which its metrics are computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import attrs


@attrs.frozen
class Progress:
    """What a task is doing: ``done`` of ``total`` steps of a phase, and the loss of the last one."""

    phase: str
    done: int = 0
    total: int = 0
    loss: float | None = None


class Iteration(NamedTuple):
    """One iteration: its number (0-based), its wall time, and in a training its loss in nats per token."""

    step: int
    seconds: float
    loss: float | None = None


class Window(NamedTuple):
    """A stretch of time with nothing but measured iterations in it, in ``time.perf_counter_ns``."""

    start_ns: int
    end_ns: int


class Point(NamedTuple):
    """A point of a curve: iterations done, and the value, e.g. a loss in nats per token."""

    step: int
    loss: float


class EvaluatedItem(NamedTuple):
    """An item of an evaluation; the mean over items is the sum of values over the sum of weights.

    Attributes:
        item: its number, the same for every model that is evaluated so.
        value: its score, or of a text the summed loss in nats.
        weight: one, or of a text its predicted tokens.
    """

    item: int
    value: float
    weight: float = 1.0


Row = dict[str, float]
"""A row of a table: numbers by column."""


@attrs.frozen(kw_only=True)
class Observation:
    """One task, as it went. What only some stages have is there by name.

    Attributes:
        iterations: every one, warm-up included: optimizer steps of a training, requests of an inference.
        warmup: how many of the first iterations are left out of metrics.
        windows: when the measured iterations ran; evaluations lie between and outside the windows.
        parameters: exact parameter count of the built model.
        values: what else was measured once, by the name of a metric, or of what metrics are computed from.
        curves: what was followed along the way, e.g. ``train`` and ``held_out`` loss.
        tables: what has a row for each of something, e.g. ``decoding``.
        scores: what was evaluated, by name: as a whole, or of a group of tasks by its own rule.
        items: the same item by item.
        artifacts: texts that the task made, e.g. a ``sample`` of what a model writes.
        kernel: name of the attention kernel.
        threads: threads that computed.
        flags: what else to know of how it ran: ``compiled``.
        leave: writes what is kept of the task, e.g. its weights, into an empty folder. It is called once
            nothing is measured any more, and not at all where nothing is to be kept.
    """

    iterations: tuple[Iteration, ...]
    warmup: int
    windows: tuple[Window, ...]
    parameters: int
    threads: int
    values: Mapping[str, float] = attrs.field(factory=dict)
    curves: Mapping[str, tuple[Point, ...]] = attrs.field(factory=dict)
    tables: Mapping[str, tuple[Row, ...]] = attrs.field(factory=dict)
    scores: Mapping[str, float] = attrs.field(factory=dict)
    items: Mapping[str, Sequence[EvaluatedItem]] = attrs.field(factory=dict)
    artifacts: Mapping[str, str] = attrs.field(factory=dict)
    kernel: str = ""
    flags: tuple[str, ...] = ()
    leave: Callable[[Path], None] | None = None

    @property
    def measured(self) -> tuple[Iteration, ...]:
        """The iterations that metrics are computed from."""
        return self.iterations[self.warmup :]
