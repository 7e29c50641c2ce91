"""Validators and converters of the study language; each refusal says what is allowed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from effdsl.declare import Invalid
from effdsl.units import Bytes, Count, as_float, plain

Validator = Callable[[Any, Any, Any], None]


def positive_int(_: Any, field: Any, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Invalid("must be a whole number of at least 1")


def _number_that(allowed: str, holds: Callable[[float], bool]) -> Validator:
    def check(_: Any, field: Any, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not holds(value):
            raise Invalid(f"must be {allowed}")
        if isinstance(value, float) and math.isinf(value):
            raise Invalid(f"must be {allowed}, and finite")

    return check


at_least_zero = _number_that("a number of at least 0", lambda value: value >= 0)
positive = _number_that("a number above 0", lambda value: value > 0)
fraction = _number_that("between 0 and 1", lambda value: 0 <= value <= 1)
below_one = _number_that("at least 0 and below 1", lambda value: 0 <= value < 1)
positive_fraction = _number_that("above 0 and at most 1", lambda value: 0 < value <= 1)


def text(_: Any, field: Any, value: Any) -> None:
    if not isinstance(value, str):
        raise Invalid("must be text in quotes")


def some_text(_: Any, field: Any, value: Any) -> None:
    if not isinstance(value, str) or not value.strip():
        raise Invalid("must be text in quotes, not empty")


def one_of(*allowed: object) -> Validator:
    def check(_: Any, field: Any, value: Any) -> None:
        if not any(type(value) is type(each) and value == each for each in allowed):  # 1 is not True
            raise Invalid(f"allowed: {', '.join(map(repr, allowed))}")

    return check


def optional(check: Validator) -> Validator:
    def check_unless_none(instance: Any, field: Any, value: Any) -> None:
        if value is not None:
            check(instance, field, value)

    return check_unless_none


def whole(value: Any) -> Any:
    """``2*K`` as well as ``2000`` where a plain count is meant."""
    return value.value if isinstance(value, Count) else plain(value)


def number(value: Any) -> Any:
    """Any real number as a float, so that ``1`` and ``1.0`` are the same in the key."""
    value = plain(value)
    return as_float(value) if type(value) is int else value


def made_of_a_class(kind: Any) -> Callable[[Any], Any]:
    """Converter: a class of ``kind``, or of a union of kinds, stands for its defaults."""
    return lambda value: value() if isinstance(value, type) and issubclass(value, kind) else value


def a_count(what: str, example: str) -> Validator:
    def check(_: Any, field: Any, value: Any) -> None:
        if not isinstance(value, Count) or value.value < 1:
            unit = " is memory, not a count" if isinstance(value, Bytes) else " has no unit"
            shown = "must be above 0" if isinstance(value, Count) else f"{value!r}{unit}"
            raise Invalid(f"{what} {shown}", f"write it with a unit, e.g. {example}")

    return check
