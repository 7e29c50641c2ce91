"""Validators and converters of the study language; each refusal says what is allowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from effdsl.declare import Invalid
from effdsl.units import Bytes, Count

Validator = Callable[[Any, Any, Any], None]


def positive_int(_: Any, field: Any, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Invalid("must be a whole number of at least 1")


def at_least_zero(_: Any, field: Any, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise Invalid("must be a number of at least 0")


def positive(_: Any, field: Any, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise Invalid("must be a number above 0")


def fraction(_: Any, field: Any, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise Invalid("must be between 0 and 1")


def below_one(_: Any, field: Any, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise Invalid("must be at least 0 and below 1")


def positive_fraction(_: Any, field: Any, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 1:
        raise Invalid("must be above 0 and at most 1")


def text(_: Any, field: Any, value: Any) -> None:
    if not isinstance(value, str):
        raise Invalid("must be text in quotes")


def some_text(_: Any, field: Any, value: Any) -> None:
    if not isinstance(value, str) or not value.strip():
        raise Invalid("must be text in quotes, not empty")


def one_of(*allowed: object) -> Validator:
    def check(_: Any, field: Any, value: Any) -> None:
        if value not in allowed:
            raise Invalid(f"allowed: {', '.join(map(repr, allowed))}")

    return check


def optional(check: Validator) -> Validator:
    def check_unless_none(instance: Any, field: Any, value: Any) -> None:
        if value is not None:
            check(instance, field, value)

    return check_unless_none


def whole(value: Any) -> Any:
    """``2*K`` as well as ``2000`` where a plain count is meant."""
    return value.value if isinstance(value, Count) else value


def number(value: Any) -> Any:
    """Any real number as a float, so that ``1`` and ``1.0`` are the same in the key."""
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def a_count(what: str, example: str) -> Validator:
    def check(_: Any, field: Any, value: Any) -> None:
        if not isinstance(value, Count) or value.value < 1:
            unit = " is memory, not a count" if isinstance(value, Bytes) else " has no unit"
            shown = "must be above 0" if isinstance(value, Count) else f"{value!r}{unit}"
            raise Invalid(f"{what} {shown}", f"write it with a unit, e.g. {example}")

    return check
