"""Weights with everything resolved: what a stage that starts from them asks."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from effdsl.data import Data
from effdsl.declare import Invalid
from effdsl.dependencies import OpenChoice
from effdsl.language_model import LanguageModel, language_model, why_unknown
from effdsl.subject import Subject
from effdsl.task import Cell, Task
from effdsl.workload import Input, Size

CONFIG = "config.json"
TOKENIZER_FILES = (
    "added_tokens.json", "chat_template.jinja", "chat_template.json", "merges.txt", "special_tokens_map.json",
    "spiece.model", "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.json", "vocab.txt",
)  # fmt: skip
"""What a tokenizer is read from, whichever of them a model has."""


class Weights(Subject):
    """A language model that has been trained."""

    @abstractmethod
    def language_model(self) -> LanguageModel:
        """Its matrices, for closed forms.

        Raises:
            Unsupported: when nothing here knows its architecture.
        """

    def size(self) -> Size:
        """How large it is.

        Raises:
            Unsupported: when nothing here knows.
        """
        parameters = self.language_model().parameters
        return Size(parameters, parameters)

    @property
    @abstractmethod
    def name(self) -> str:
        """What people call it."""

    @property
    def differ_by_repeat(self) -> bool:
        """Whether each repeat has weights of its own, so that repeats tell how other trainings would fare."""
        return False

    def upstream(self, seed: int) -> tuple[Task, ...]:
        """The tasks that leave the weights of a repeat."""
        return ()

    def inputs(self) -> tuple[Input, ...]:
        """What must be there before a task that starts from it."""
        return ()

    def undecided(self) -> OpenChoice | None:
        """What is to be decided about the tasks that leave it."""
        return None

    def decided(self, cell: Cell) -> Weights:
        """The same weights, once it is decided that ``cell`` leaves them."""
        raise TypeError(f"{type(self).__name__} leaves nothing to decide")

    def trained_on(self) -> Data | None:
        """The text that it was trained on; ``None`` where that is not known."""
        return None

    @property
    def positions(self) -> int | None:
        """Tokens of the longest sequence that it is made for; ``None`` where that is not known."""
        return None

    @property
    def pin(self) -> str:
        """What pins its content, for a row to say; empty where that is the tasks that leave it."""
        return ""

    def remark(self) -> str:
        """What a plan should say of it; usually empty."""
        return ""

    def __str__(self) -> str:
        return self.name


def positions_in(config: object) -> int | None:
    """Tokens of the longest sequence that the model of a ``config`` is made for, where it says so."""
    said = config.get("max_position_embeddings") if isinstance(config, dict) else None
    return said if type(said) is int and said > 0 else None


def unknown_in(config: object) -> str:
    """Why nothing here knows the model of a ``config``."""
    return why_unknown(config) if isinstance(config, dict) else ""


def shape_in(config: object, file: object) -> LanguageModel | None:
    """The model that ``config``, read from ``file``, is of; ``None`` where nothing here knows that kind.

    Raises:
        Invalid: when it does not say what the architecture needs.
    """
    try:
        if not isinstance(config, dict):
            raise TypeError(f"it is a {type(config).__name__}")
        model = language_model(config)
        size: Any = 1 if model is None else model.parameters
        if type(size) is not int or size < 1:
            raise ValueError(f"it would have {size} parameters")
        return model
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        why = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise Invalid(f"{file} describes no model: {why}", "copy it again") from None
