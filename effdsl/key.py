"""The key of a task: a content address of what was asked, fully resolved.

``key = sha256(b"effdsl-task/v1\\0" + canonical_json(task))``. The canonical form walks attrs fields by
their declared role, never by what a converter happens to emit: floats are finite and ``-0.0`` is
``0.0``, unions carry a registered tag, sets are sorted, and a type that is not listed here is refused
with the path of its field.
"""

from __future__ import annotations

import enum
import hashlib
import json
import math
from typing import Any

import attrs

from effdsl.declare import ALWAYS_WRITTEN, ROLE, Role
from effdsl.units import Quantity, plain

KEY_FORMAT = b"effdsl-task/v1\0"
SHOWN_DIGITS = 10


class KeyFieldError(TypeError):
    """A value that cannot be part of a key; the message starts with its path."""


def key_of(canonical: str) -> str:
    """The key, 64 hexadecimal digits, of a canonical form."""
    return hashlib.sha256(KEY_FORMAT + canonical.encode()).hexdigest()


def short(key: str) -> str:
    """The digits of a key that people are shown."""
    return key[:SHOWN_DIGITS]


def canonical_json(value: object) -> str:
    """The canonical form of ``value``: sorted keys, no spaces, ASCII."""
    return CanonicalForms()(value)


class CanonicalForms:
    """Canonical forms of many values that share parts; each frozen part inside them is written once.

    Shared parts are recognised by identity, not equality, because ``1 == 1.0 == True`` in Python.
    """

    def __init__(self) -> None:
        self._written: dict[int, tuple[object, str]] = {}

    def __call__(self, value: object) -> str:
        known = self._written.get(id(value))
        if known is not None:
            return known[1]
        return self._fields(value, "$") if _has_fields(value) else self._part(value, "$")

    def without(self, value: object, left_out: str) -> str:
        """The canonical form of a declared ``value`` without one of its fields."""
        return self._fields(value, "$", left_out)

    def _part(self, value: object, path: str) -> str:
        if _has_fields(value):
            known = self._written.get(id(value))
            if known is None:
                known = self._written[id(value)] = (value, self._fields(value, path))
            return known[1]
        if isinstance(value, (list, tuple)):
            return "[" + ",".join(self._part(v, f"{path}[{i}]") for i, v in enumerate(value)) + "]"
        if isinstance(value, (set, frozenset)):
            return "[" + ",".join(sorted(self._part(v, path) for v in value)) + "]"
        return json.dumps(_scalar(value, path))

    def _fields(self, value: Any, path: str, left_out: str = "") -> str:
        cls = type(value)
        tag = vars(cls).get("__tag__")  # its own: a subclass is not what its base is
        if tag is None:
            raise KeyFieldError(f"{path}: {cls.__name__} has no registered tag; declare it with @keyed")
        parts = [f'"$":{json.dumps(tag)}']
        for name, absent in _key_fields(cls, path):
            if name == left_out:
                continue
            field = getattr(value, name)
            if absent is ALWAYS_WRITTEN or field != absent:
                parts.append(f"{json.dumps(name)}:{self._part(field, f'{path}.{name}')}")
        return "{" + ",".join(parts) + "}"


def _has_fields(value: object) -> bool:
    return attrs.has(type(value)) and not isinstance(value, Quantity)


_fields_of: dict[type, list[tuple[str, Any]]] = {}


def _key_fields(cls: type, path: str) -> list[tuple[str, Any]]:
    """Names and pinned values of the identity fields of ``cls``, sorted by name."""
    known = _fields_of.get(cls)
    if known is None:
        known = []
        for field in attrs.fields(cls):
            role: Role | None = field.metadata.get(ROLE)
            if role is None:
                raise KeyFieldError(f"{path}.{field.name}: declare it with identity() or transport()")
            if role.in_key:
                known.append((field.name, role.absent))
        known.sort()
        _fields_of[cls] = known
    return known


def _scalar(value: object, path: str) -> object:
    if value is None or isinstance(value, (bool, str)) or type(value) is int:
        return value
    if isinstance(value, Quantity):
        return value.value
    if isinstance(value, enum.Enum):
        return _scalar(value.value, path)
    if type(value) is float:
        if not math.isfinite(value):
            raise KeyFieldError(f"{path}: {value} cannot be part of a key")
        return value + 0.0  # -0.0 + 0.0 is 0.0
    if type(plain(value)) in (int, float, bool):
        return _scalar(plain(value), path)
    raise KeyFieldError(f"{path}: {type(value).__name__} cannot be part of a key")
