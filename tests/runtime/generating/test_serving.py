"""Requests to an engine that goes step by step: by a clock that stands still unless it is moved, all times
are known beforehand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs
import numpy as np
import pytest
from effdsl_runtime.generating.request_times import Request, summary
from effdsl_runtime.generating.serving import (
    IDLE_STEPS,
    EngineBroken,
    Serving,
    arrivals_s,
    serve,
    together,
)

from effdsl.load import ClosedLoop, OpenLoop

MS = 1_000_000


@attrs.define
class Clock:
    """Stands still unless it is moved."""

    ns: int = 0

    def now_ns(self) -> int:
        return self.ns

    def sleep(self, seconds: float) -> None:
        self.ns += max(1, round(seconds * 1e9))


@attrs.define
class Stepping:
    """Gives each of its requests a token a step; step ``n`` takes ``takes(n)`` ms."""

    clock: Clock
    new_tokens: int
    takes: Callable[[int], float]
    at_once: int = 1000
    steps: int = 0
    most: int = 0
    have: dict[int, int] = attrs.field(factory=dict)

    def add(self, name: int, prompt: Sequence[int]) -> None:
        self.have[name] = 0

    def step(self) -> Mapping[int, int]:
        self.clock.ns += round(self.takes(self.steps) * MS)
        self.steps += 1
        running = [name for name, tokens in self.have.items() if tokens < self.new_tokens][: self.at_once]
        self.most = max(self.most, len(running))
        for name in running:
            self.have[name] += 1
        return {name: self.have[name] for name in running}


def ms(request: Request) -> list[float]:
    """Its tokens since its arrival."""
    return [(at - request.arrival_ns) / MS for at in request.tokens_ns]


def test_a_batch_is_timed_token_by_token_and_a_stall_is_one_long_gap() -> None:
    """The first step reads the prompts for 50 ms, the others take 10, the third stalls for 300."""
    clock = Clock()
    serving = Serving(Stepping(clock, 4, lambda n: {0: 50, 2: 300}.get(n, 10)), 4, clock)
    for _ in range(3):
        serving.add([1, 2, 3])
    requests = serving.finished()
    assert [ms(request) for request in requests] == [[50, 60, 360, 370]] * 3
    found = summary([together(requests)], 3, 0.370, alike=3)
    assert found["ttft_s"] == pytest.approx(0.050)
    assert found["tpot_s"] == pytest.approx((0.370 - 0.050) / 3)
    assert found["itl_p50_s"] == pytest.approx(0.010)
    assert found["it_tokens_per_s"] == pytest.approx(12 / 0.370)


def test_a_batch_has_a_token_once_every_sequence_has_it() -> None:
    """As where prompts are read one after the other."""
    batch = together([Request(0, (5, 9)), Request(2, (7, 8))])
    assert batch == Request(0, (7, 9))


def test_so_many_requests_are_on_their_way_and_the_next_follows_when_one_is_done() -> None:
    """Six of three tokens, two at a time, 10 ms a step: pairs end after 30, 60 and 90 ms."""
    clock = Clock()
    engine = Stepping(clock, 3, lambda n: 10)
    requests = serve(ClosedLoop(4, 3, 6, 2), Serving(engine, 3, clock), [[i] for i in range(6)], 0)
    assert engine.most == 2
    assert [request.arrival_ns // MS for request in requests] == [0, 0, 30, 30, 60, 60]
    assert all(ms(request) == [10, 20, 30] for request in requests)


def test_requests_arrive_whether_others_are_done_or_not_and_wait_from_then_on() -> None:
    """With an engine that serves one at a time, waiting counts into the time to the first token."""
    clock, load = Clock(), OpenLoop(4, 2, 20, 100.0)
    engine = Stepping(clock, 2, lambda n: 40, at_once=1)
    requests = serve(load, Serving(engine, 2, clock), [[i] for i in range(20)], seed=5)
    due = [at * 1000 for at in arrivals_s(100.0, 20, seed=5)]
    arrived = [request.arrival_ns / MS for request in requests]
    assert arrived == pytest.approx(due, abs=0.001)
    free, first = 0.0, []
    for at in due:  # a queue by hand: each is served for 80 ms, its first token 40 ms after its turn came
        free = max(free, at) + 80
        first.append(free - 40 - at)
    assert [ms(request)[0] for request in requests] == pytest.approx(first, abs=40)  # a step is not cut short
    assert ms(requests[-1])[0] > 500


def test_arrivals_are_poisson_and_the_seed_alone_decides_on_them() -> None:
    """Gaps of an exponential distribution: mean and standard deviation 1/rate."""
    gaps = np.diff([0.0, *arrivals_s(4.0, 20_000, seed=1)])
    assert gaps.mean() == pytest.approx(0.25, rel=0.03)
    assert gaps.std() == pytest.approx(0.25, rel=0.03)
    assert arrivals_s(4.0, 5, seed=1) == arrivals_s(4.0, 5, seed=1) != arrivals_s(4.0, 5, seed=2)


@attrs.define
class Saying:
    """Says the same at every step."""

    said: Mapping[int, int]

    def add(self, name: int, prompt: Sequence[int]) -> None: ...
    def step(self) -> Mapping[int, int]:
        return self.said


@pytest.mark.parametrize(
    ("said", "reason"),
    [({}, f"{IDLE_STEPS:,} steps gave no token, with 1 requests on their way"), ({0: 9}, "9 tokens of 2")],
)
def test_an_engine_that_gives_nothing_or_too_much_is_broken(said: Mapping[int, int], reason: str) -> None:
    """Where a server hangs without an error, or continues past what was asked for."""
    serving = Serving(Saying(said), 2, Clock())
    serving.add([1])
    with pytest.raises(EngineBroken, match=reason):
        serving.finished()


def test_progress_counts_requests_that_are_done_and_all_tokens() -> None:
    """After every step."""
    clock, told = Clock(), []
    serving = Serving(
        Stepping(clock, 2, lambda n: 1), 2, clock, lambda done, tokens: told.append((done, tokens))
    )
    for _ in range(2):
        serving.add([1])
    serving.finished()
    assert told == [(0, 2), (2, 4)]
