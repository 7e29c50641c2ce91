"""Declared values as JSON, and back: how a task crosses to an interpreter of its own.

Unlike the canonical form this keeps every field, those that are in no key as well, and says where each
class is found. What is read back is not checked again: only what effdsl wrote is read.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from functools import singledispatch
from importlib import import_module
from pathlib import Path
from typing import Any

import attrs

from effdsl.declare import values_of
from effdsl.own import Source, restored, source_of
from effdsl.units import plain

KIND = "$"


def written(value: object) -> Any:
    """``value`` as what JSON holds.

    Raises:
        TypeError: for a type that is neither plain nor declared.
    """
    if attrs.has(type(value)):
        return _written_fields(value)
    return _written(plain(value))


def read_back(form: Any) -> Any:
    """The value that :func:`written` gave ``form`` of.

    Raises:
        LookupError: when the source of a user's technique has changed since.
    """
    if isinstance(form, list):
        return [read_back(part) for part in form]
    if isinstance(form, dict):
        return _READERS[form[KIND]](form)
    return form


def _written_fields(value: object) -> Any:
    fields = {name: written(held) for name, held in values_of(value).items()}
    source = source_of(value)
    if source is None:
        return {KIND: "class", "is": _place_of(type(value)), "fields": fields}
    tag = type(value).__dict__["__tag__"]
    return {KIND: "own", "source": written(source), "tag": tag, "fields": fields}


@singledispatch
def _written(value: object) -> Any:
    raise TypeError(f"{type(value).__name__} cannot be written: {value!r}")


@_written.register(type(None))
@_written.register(bool)
@_written.register(int)
@_written.register(float)
@_written.register(str)
def _(value: Any) -> Any:
    return value


@_written.register
def _(value: enum.Enum) -> Any:
    return {KIND: "enum", "is": _place_of(type(value)), "name": value.name}


@_written.register
def _(value: Path) -> Any:
    return {KIND: "path", "path": str(value)}


@_written.register
def _(value: Mapping) -> Any:  # type: ignore[type-arg]  # singledispatch takes the bare class
    return {KIND: "mapping", "items": [[written(key), written(held)] for key, held in value.items()]}


@_written.register
def _(value: list) -> Any:  # type: ignore[type-arg]
    return [written(part) for part in value]


@_written.register
def _(value: tuple) -> Any:  # type: ignore[type-arg]
    return {KIND: "tuple", "parts": [written(part) for part in value]}


@_written.register(set)
@_written.register(frozenset)
def _(value: Any) -> Any:
    return {KIND: "set", "parts": [written(part) for part in value]}


def _place_of(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _found(place: str) -> Any:
    module, _, name = place.partition(":")
    found: Any = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _fields(form: Mapping[str, Any]) -> dict[str, Any]:
    return {name: read_back(held) for name, held in form["fields"].items()}


def _instance(form: Mapping[str, Any]) -> Any:
    value: Any = object.__new__(_found(form["is"]))
    for name, held in _fields(form).items():
        object.__setattr__(value, name, held)
    return value


def _own(form: Mapping[str, Any]) -> Any:
    source: Source = read_back(form["source"])
    return restored(source, form["tag"], _fields(form))


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "class": _instance,
    "own": _own,
    "enum": lambda form: _found(form["is"])[form["name"]],
    "path": lambda form: Path(form["path"]),
    "mapping": lambda form: {read_back(key): read_back(held) for key, held in form["items"]},
    "tuple": lambda form: tuple(map(read_back, form["parts"])),
    "set": lambda form: frozenset(map(read_back, form["parts"])),
}
