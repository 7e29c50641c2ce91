"""From a canonical form back to what was asked: a task out of the store."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import attrs

import effdsl
from effdsl.declare import ROLE, TAGS


class CannotDecode(ValueError):
    """This canonical form names something that is not here, e.g. an engine that is not imported."""


def decoded(canonical: str) -> Any:
    """The value whose canonical form is ``canonical``; fields that are not in a key have their defaults,
    or nothing.

    Nothing is validated again: it was when it was declared.

    Raises:
        CannotDecode: when a class or a field is not known here.
    """
    return _value(json.loads(canonical))


def _value(written: Any) -> Any:
    if isinstance(written, list):
        return tuple(_value(part) for part in written)
    if not isinstance(written, dict):
        return written
    cls = TAGS.get(written["$"]) or _all_tags().get(written["$"])
    if cls is None:
        raise CannotDecode(f"nothing here is called {written['$']!r}")
    value: Any = object.__new__(cls)
    for field in attrs.fields(cls):
        object.__setattr__(value, field.name, _field(field, written))
    return value


@cache
def _all_tags() -> dict[str, type]:
    """Every class of the language by its tag: what no study has named yet is imported for it."""
    for name in effdsl.__all__:
        getattr(effdsl, name)
    return TAGS


def _field(field: Any, written: dict[str, Any]) -> Any:
    if field.name in written:
        return _value(written[field.name])
    role = field.metadata[ROLE]
    if role.in_key:
        if role.since == 1:
            raise CannotDecode(f"{written['$']!r} has no {field.name}")
        return role.absent
    factory = getattr(field.default, "factory", None)
    if factory is not None:
        return factory()
    return None if field.default is attrs.NOTHING else field.default
