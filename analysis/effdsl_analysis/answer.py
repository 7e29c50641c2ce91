"""What every answer can do: show itself in a notebook as it prints itself in a terminal."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class Answer(ABC):
    """An answer to a question about evidence."""

    __slots__ = ()

    @abstractmethod
    def to_json(self) -> Any:
        """Plain values: a document, or a list of them."""

    @abstractmethod
    def __rich__(self) -> Any:
        """What a terminal prints."""

    def _repr_html_(self) -> str:
        from effdsl_analysis.text import html

        return html(self.__rich__())
