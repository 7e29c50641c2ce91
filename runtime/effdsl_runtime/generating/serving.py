"""Requests to an engine that goes step by step: handed over as they arrive, each token timed as it comes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import singledispatch
from typing import Protocol

import attrs
import numpy as np

from effdsl.load import ClosedLoop, OpenLoop, ResolvedLoad
from effdsl_runtime.generating.request_times import NS, Request

Prompt = Sequence[int]
LONGEST_WAIT_S = 0.001
"""Between looks at the clock while nothing is on its way."""
IDLE_STEPS = 1000
"""That give nothing, one after the other, until an engine is taken to be broken."""


class EngineBroken(RuntimeError):
    """An engine gave other tokens than it was asked for, or none at all."""


class Stepwise(Protocol):
    """An engine that continues all requests that it has by one step at a time."""

    def add(self, name: int, prompt: Prompt) -> None:
        """Hand over a request."""

    def step(self) -> Mapping[int, int]:
        """Go on with all of them; how many new tokens each has now that has any more, by name."""


class Clock(Protocol):
    """Where times come from, and how they pass while nothing is to be done."""

    def now_ns(self) -> int: ...
    def sleep(self, seconds: float) -> None: ...


class WallClock:
    """The clock on the wall."""

    def now_ns(self) -> int:
        return time.perf_counter_ns()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


Progressed = Callable[[int, int], None]
"""Is told how many requests are done, and how many tokens there are, after every step."""


@attrs.define
class Serving:
    """Requests that an engine serves.

    Attributes:
        engine: the engine.
        new_tokens: that each request is continued by.
        clock: the clock.
        progressed: is told what there is after every step.
    """

    engine: Stepwise
    new_tokens: int
    clock: Clock = attrs.field(factory=WallClock)
    progressed: Progressed = lambda done, tokens: None
    _requests: dict[int, tuple[int, list[int]]] = attrs.field(factory=dict, init=False)
    _open: set[int] = attrs.field(factory=set, init=False)
    _idle: int = attrs.field(default=0, init=False)
    _tokens: int = attrs.field(default=0, init=False)

    @property
    def open(self) -> int:
        """Requests that are on their way."""
        return len(self._open)

    def add(self, prompt: Prompt, arrived_ns: int | None = None) -> None:
        """Hand a request over that has arrived now, or earlier than there was time for it."""
        name = len(self._requests)
        arrived = self.clock.now_ns() if arrived_ns is None else arrived_ns
        self._requests[name] = (arrived, [])
        self._open.add(name)
        self.engine.add(name, prompt)

    def step(self) -> None:
        """Let the engine go on, and note what it gives.

        Raises:
            EngineBroken: when it gives fewer tokens than before, more than were asked for, or none for long.
        """
        there = self.engine.step()
        now = self.clock.now_ns()
        self._idle = 0 if there else self._idle + 1
        if self._idle > IDLE_STEPS:
            raise EngineBroken(f"{IDLE_STEPS:,} steps gave no token, with {self.open} requests on their way")
        for name, tokens in there.items():
            times = self._requests[name][1]
            if not len(times) <= tokens <= self.new_tokens:
                raise EngineBroken(f"a request has {tokens} tokens of {self.new_tokens}, after {len(times)}")
            self._tokens += tokens - len(times)
            times += [now] * (tokens - len(times))
            if tokens == self.new_tokens:
                self._open.discard(name)
        self.progressed(len(self._requests) - self.open, self._tokens)

    def finished(self) -> tuple[Request, ...]:
        """All requests, once none is on its way."""
        while self.open:
            self.step()
        return tuple(Request(at, tuple(times)) for at, times in self._requests.values())


@singledispatch
def serve(load: ResolvedLoad, serving: Serving, prompts: Sequence[Prompt], seed: int) -> tuple[Request, ...]:
    """Let requests arrive as ``load`` says until all are done.

    Args:
        load: how they arrive.
        serving: who serves them.
        prompts: as many as arrive.
        seed: of the times at which they arrive, where these are drawn.
    """
    raise TypeError(f"nothing here knows how the requests of a {type(load).__name__} arrive")


@serve.register
def _(load: ClosedLoop, serving: Serving, prompts: Sequence[Prompt], seed: int) -> tuple[Request, ...]:
    left = deque(prompts)
    while left:
        while left and serving.open < load.concurrency:
            serving.add(left.popleft())
        serving.step()
    return serving.finished()


@serve.register
def _(load: OpenLoop, serving: Serving, prompts: Sequence[Prompt], seed: int) -> tuple[Request, ...]:
    left = deque(prompts)
    start = serving.clock.now_ns()
    due = deque(start + int(at / NS) for at in arrivals_s(load.rate, len(left), seed))
    while left:
        while left and due[0] <= serving.clock.now_ns():
            serving.add(left.popleft(), due.popleft())
        if serving.open:
            serving.step()
        else:
            serving.clock.sleep(min(LONGEST_WAIT_S, max(0.0, (due[0] - serving.clock.now_ns()) * NS)))
    return serving.finished()


def together(batch: Sequence[Request]) -> Request:
    """A batch as the request of all its sequences: a token is there once every one of them has it."""
    times = zip(*(request.tokens_ns for request in batch), strict=True)
    return Request(min(request.arrival_ns for request in batch), tuple(map(max, times)))


def arrivals_s(rate: float, count: int, seed: int) -> list[float]:
    """When each of ``count`` requests arrives, in seconds: a Poisson process of ``rate`` per second."""
    gaps = np.random.default_rng(seed).exponential(1 / rate, count)
    arrivals: list[float] = np.cumsum(gaps).tolist()
    return arrivals
