"""What every answer can do: show itself in a notebook as it prints itself in a terminal."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import singledispatch
from typing import Any

from rich.console import ConsoleRenderable

from effdsl_analysis.text import html


class Answer(ABC):
    """An answer to a question about evidence. How it looks is the job of the module beside it."""

    __slots__ = ()

    @abstractmethod
    def to_json(self) -> Any:
        """Plain values: a document, or a list of them."""

    def __rich__(self) -> ConsoleRenderable:
        return look(self)

    def _repr_html_(self) -> str:
        return html(look(self))


@singledispatch
def look(answer: Answer) -> ConsoleRenderable:
    """What a terminal prints of ``answer``. Each folder registers the looks of its own answers."""
    raise TypeError(f"nothing says how {type(answer).__name__} looks")
