"""How good a model is: evaluations whose items are kept one by one, so that two models are compared item by
item."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from effdsl.data import BaseTokenizer, Data
from effdsl.declare import HasTag, Invalid, evolve, identity, keyed
from effdsl.validate import positive_int, whole

PERPLEXITY_TOKENS = 1 << 14
TOKENS_PER_WORD = 1.5
"""About, for a price: large vocabularies have fewer, small ones more."""


class Evaluation(HasTag, ABC):
    """Base of all evaluations."""

    def resolve(self, data: Data) -> Evaluation:
        """The same with every choice closed, and the hash of what it reads.

        Args:
            data: what prompts are taken from.

        Raises:
            Invalid: when something it names cannot be read.
        """
        return self

    @property
    @abstractmethod
    def name(self) -> str:
        """What people call it."""

    @property
    def names(self) -> tuple[str, ...]:
        """What its scores and items go by; no two of a study are the same."""
        return (self.name,)

    @property
    def tokens_read(self) -> float | None:
        """About how many tokens the model reads; ``None`` where nobody knows before."""
        return None


def _data_or_none(_: Any, field: Any, value: Any) -> None:
    if value is not None and not isinstance(value, Data):
        raise Invalid("is not data", "e.g. Perplexity(Shakespeare()) or Cloze(LocalText('*.txt'))")


def _text_of(mine: Data | None, data: Data) -> Data:
    """What an evaluation reads, cut by the model's tokenizer: its own data or else the study's."""
    return data if mine is None else evolve(mine, tokenizer=BaseTokenizer()).resolve()


@keyed("perplexity")
class Perplexity(Evaluation):
    """Loss on held-out text, an item an example.

    Attributes:
        data: whose held-out part; default the study's.
        tokens: about how many are predicted; the examples are spread evenly over the part, always the same.
        context_length: tokens of an example at the most.
    """

    data: Data | None = identity(default=None, validator=_data_or_none)
    tokens: int = identity(default=PERPLEXITY_TOKENS, converter=whole, validator=positive_int)
    context_length: int = identity(default=256, converter=whole, validator=positive_int)

    def resolve(self, data: Data) -> Perplexity:
        return evolve(self, data=_text_of(self.data, data))

    @property
    def name(self) -> str:
        return "perplexity"

    @property
    def tokens_read(self) -> float:
        return self.tokens


def _at_least_two(_: Any, field: Any, value: Any) -> None:
    positive_int(_, field, value)
    if value < 2:
        raise Invalid("must be at least 2: one of them is right")


def _seed(_: Any, field: Any, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Invalid("must be a whole number of at least 0")


@keyed("cloze")
class Cloze(Evaluation):
    """Which of some continuations follows a passage of held-out text? The others are taken from elsewhere in
    it. A guess is right once in ``choices``.

    The continuation of the highest log-likelihood is the answer: ``cloze`` takes it as it is,
    ``cloze_per_byte`` divided by the bytes of the continuation. Lengths are in words, so that an item is the
    same text whatever the tokenizer.

    Attributes:
        data: whose held-out part; default the study's.
        items: how many at the most; the passages are spread evenly over the part.
        choices: continuations of an item.
        prompt_words: of a passage.
        continuation_words: of each continuation.
        seed: draws the wrong continuations and the place of the right one.
    """

    data: Data | None = identity(default=None, validator=_data_or_none)
    items: int = identity(default=200, converter=whole, validator=positive_int)
    choices: int = identity(default=4, converter=whole, validator=_at_least_two)
    prompt_words: int = identity(default=48, converter=whole, validator=positive_int)
    continuation_words: int = identity(default=12, converter=whole, validator=positive_int)
    seed: int = identity(default=0, converter=whole, validator=_seed)

    def resolve(self, data: Data) -> Cloze:
        return evolve(self, data=_text_of(self.data, data))

    @property
    def name(self) -> str:
        return "cloze"

    @property
    def names(self) -> tuple[str, ...]:
        return ("cloze", "cloze_per_byte")

    @property
    def tokens_read(self) -> float:
        words = self.prompt_words + self.continuation_words
        return TOKENS_PER_WORD * self.items * self.choices * words
