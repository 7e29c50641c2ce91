"""What every answer can do: show itself in a notebook as it prints itself in a terminal."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Container
from functools import singledispatch
from typing import TYPE_CHECKING, Any

import attrs
from rich.console import ConsoleRenderable

from effdsl_analysis.text import html

if TYPE_CHECKING:
    from attrs import AttrsInstance


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


def plain(part: AttrsInstance, leave_out: Container[str] = ()) -> dict[str, Any]:
    """The fields of a part of an answer as plain values, an enum's as its value."""
    return attrs.asdict(
        part, filter=lambda field, _: field.name not in leave_out, value_serializer=_plain_value
    )


def _plain_value(_part: Any, _field: Any, value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else value
