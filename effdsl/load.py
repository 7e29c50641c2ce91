"""What an inference is asked to do: how long its prompts are, how much follows, how many at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from effdsl.declare import HasTag, Invalid, identity, keyed, language, transport
from effdsl.validate import number, optional, positive, positive_int, whole

PROMPT_TOKENS, NEW_TOKENS = 128, 64
LEAST_TOKENS = 2


def _sizes(value: Any) -> Any:
    return tuple(map(whole, value)) if isinstance(value, (list, tuple)) else (whole(value),)


def _something_to_predict(_: Any, field: Any, value: Any) -> None:
    positive_int(_, field, value)
    if value < LEAST_TOKENS:
        raise Invalid("must be at least 2: a token predicts the next one", "e.g. prompt_tokens=128")


def _different_sizes(_: Any, field: Any, value: Any) -> None:
    for size in value:
        positive_int(_, field, size)
    if not value or len(set(value)) != len(value):
        raise Invalid("needs batch sizes that differ", "e.g. batch_size=[1, 8]")


@language
class Load:
    """How much is generated, and how it arrives. Every sequence is continued by just ``new_tokens``, whatever
    it says: ends of text are not heeded, so that every precision does the same work.

    Prompts are pieces of the study's data, cut to length, no two the same. Batches of a fixed size are the
    default; with ``requests`` they arrive one by one, as at a server.

    Attributes:
        prompt_tokens: of a sequence.
        new_tokens: that follow them.
        batch_size: sequences that are computed together; a list is measured one size after the other, and
            metrics are those of the first. Default one.
        requests: how many arrive in all; with
        concurrency: how many are on their way at any time; the next one follows when one is done. Or
        rate: how many arrive per second, at random (a Poisson process), whether others are done or not.
    """

    prompt_tokens: int = transport(default=PROMPT_TOKENS, converter=whole, validator=_something_to_predict)
    new_tokens: int = transport(default=NEW_TOKENS, converter=whole, validator=positive_int)
    batch_size: tuple[int, ...] | None = transport(
        default=None,
        converter=lambda value: None if value is None else _sizes(value),
        validator=optional(_different_sizes),
    )
    requests: int | None = transport(default=None, converter=whole, validator=optional(positive_int))
    concurrency: int | None = transport(default=None, converter=whole, validator=optional(positive_int))
    rate: float | None = transport(default=None, converter=number, validator=optional(positive))

    def __attrs_post_init__(self) -> None:
        how = (self.concurrency is not None) + (self.rate is not None)
        if self.requests is None and how:
            raise Invalid("concurrency= and rate= are of requests", "e.g. Load(requests=64, concurrency=8)")
        if self.requests is not None and self.batch_size is not None:
            raise Invalid("requests= arrive one by one, and batch_size= says otherwise", "give one of them")
        if self.requests is not None and how != 1:
            hint = "e.g. Load(requests=64, concurrency=8) or Load(requests=64, rate=4)"
            raise Invalid("requests= want either concurrency= or rate=", hint)

    def resolve(self) -> ResolvedLoad:
        """The load with every choice closed."""
        prompt, new = self.prompt_tokens, self.new_tokens
        if self.requests is None:
            return Batches(prompt, new, self.batch_size or (1,))
        if self.rate is None:
            return ClosedLoop(prompt, new, self.requests, self.concurrency or 1)
        return OpenLoop(prompt, new, self.requests, self.rate)


class ResolvedLoad(HasTag, ABC):
    """A load with every choice closed."""

    prompt_tokens: int
    new_tokens: int

    @property
    def context_length(self) -> int:
        """Tokens of a sequence when it is done."""
        return self.prompt_tokens + self.new_tokens

    @property
    @abstractmethod
    def sequences(self) -> int:
        """How many are held at once at the most, as far as the load says."""

    @property
    @abstractmethod
    def arrival(self) -> str:
        """How they arrive, in a few words; the same words mean the same load but for lengths."""


@keyed("batches")
class Batches(ResolvedLoad):
    """Batches of fixed sizes, one after the other."""

    prompt_tokens: int = identity()
    new_tokens: int = identity()
    batch_sizes: tuple[int, ...] = identity()

    @property
    def sequences(self) -> int:
        return max(self.batch_sizes)

    @property
    def arrival(self) -> str:
        return f"batch {', '.join(map(str, self.batch_sizes))}"


@keyed("closed-loop")
class ClosedLoop(ResolvedLoad):
    """Requests of which a fixed number is on its way."""

    prompt_tokens: int = identity()
    new_tokens: int = identity()
    requests: int = identity()
    concurrency: int = identity()

    @property
    def sequences(self) -> int:
        return min(self.requests, self.concurrency)

    @property
    def arrival(self) -> str:
        return f"{self.requests} requests, {self.concurrency} at a time"


@keyed("open-loop")
class OpenLoop(ResolvedLoad):
    """Requests that arrive at random, so many per second on average."""

    prompt_tokens: int = identity()
    new_tokens: int = identity()
    requests: int = identity()
    rate: float = identity()

    @property
    def sequences(self) -> int:
        """One: how many come together is for chance and speed to say."""
        return 1

    @property
    def arrival(self) -> str:
        return f"{self.requests} requests, {self.rate:g} per second"
