"""How good a model is: evaluations whose items are kept one by one, so that two models are compared item by
item."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from effdsl.data import BaseTokenizer, Data
from effdsl.declare import HasTag, Invalid, evolve, identity, keyed
from effdsl.validate import positive_int, whole

PERPLEXITY_TOKENS = 1 << 14


class Evaluation(HasTag):
    """Base of all evaluations.

    Attributes:
        packages: modules that must be importable where it runs.
    """

    packages: ClassVar[tuple[str, ...]] = ()

    def resolve(self, data: Data) -> Self:
        """The same with every choice closed, and the hash of what it reads.

        Args:
            data: what prompts are taken from.

        Raises:
            Invalid: when something it names cannot be read.
        """
        return self

    @property
    def name(self) -> str:
        """What its items are called by."""
        raise NotImplementedError


def _data_or_none(_: Any, field: Any, value: Any) -> None:
    if value is not None and not isinstance(value, Data):
        raise Invalid("is not data", "e.g. Perplexity(Shakespeare()) or Perplexity(LocalText('*.txt'))")


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

    def resolve(self, data: Data) -> Self:
        mine = data if self.data is None else evolve(self.data, tokenizer=BaseTokenizer()).resolve()
        return evolve(self, data=mine)

    @property
    def name(self) -> str:
        return "perplexity"
