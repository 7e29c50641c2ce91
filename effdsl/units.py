"""Sizes with a unit: ``0.5*B`` parameters, ``350*B`` tokens, ``80*GB`` of memory.

A bare number says nothing about its unit, so the language refuses ``3`` where ``3*M`` or ``3*B`` was
meant. Products are rounded to an exact integer, so that ``1.1*B`` is 1,100,000,000 and not a float
beside it.
"""

from __future__ import annotations

import math
import numbers
from functools import total_ordering
from typing import Any, ClassVar, Self

import attrs


def plain(value: Any) -> Any:
    """The number, truth value or text of Python that a scalar is, be it numpy's or of whoever else registers
    with ``numbers``; other values as they are."""
    if value is None or type(value) in (str, int, float, bool):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return as_float(value)
    return value.item() if _is_scalar_of_numpy(type(value)) else value


def as_float(value: Any) -> float:
    """``value`` as a float: infinite, which every field refuses, where it is larger than floats go."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _is_scalar_of_numpy(cls: type) -> bool:
    """Known by its name, since importing numpy takes longer than most commands."""
    return cls.__module__ == "numpy" and cls.__name__ in ("bool", "bool_", "str_")  # numpy 1 says bool_


def _whole(number: float, unit: int) -> int:
    """``number * unit`` to 12 significant digits, which removes float noise and nothing else."""
    return round(float(f"{number * unit:.12g}"))


@total_ordering
@attrs.frozen(eq=False)
class Quantity:
    """A whole number of something; compares and hashes by value within its own type."""

    value: int
    suffixes: ClassVar[tuple[tuple[str, int], ...]] = ()

    def __rmul__(self, number: float) -> Self:
        number = plain(number)
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            return NotImplemented
        if not math.isfinite(number):
            raise ValueError(f"{number} of something is no quantity; write a finite number before the unit")
        return type(self)(_whole(number, self.value))

    def __int__(self) -> int:
        return self.value

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.value == other.value

    def __lt__(self, other: object) -> bool:
        if isinstance(other, (int, float)):
            raise TypeError(f"{self} has a unit and {other} has none: write e.g. 2*M")
        if type(other) is not type(self):
            return NotImplemented
        return self.value < other.value

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.value))

    def __str__(self) -> str:
        for suffix, unit in self.suffixes:
            if self.value >= unit:
                return f"{self.value / unit:.6g}{suffix}"
        return str(self.value)

    def __repr__(self) -> str:
        for suffix, unit in self.suffixes:
            if self.value >= unit:
                return f"{self.value / unit:.12g}*{suffix}"
        return str(self.value)


class Count(Quantity):
    """Parameters or tokens. ``str`` gives the short name, e.g. ``0.5B``."""

    suffixes: ClassVar[tuple[tuple[str, int], ...]] = (
        ("T", 10**12),
        ("B", 10**9),
        ("M", 10**6),
        ("K", 10**3),
    )

    def __str__(self) -> str:
        # Model sizes are spoken in billions from half a billion on: 0.5B, not 500M.
        if 5 * 10**8 <= self.value < 10**9:
            return f"{self.value / 10**9:.6g}B"
        return super().__str__()


class Bytes(Quantity):
    """Memory, in powers of ten as vendors print it."""

    suffixes: ClassVar[tuple[tuple[str, int], ...]] = (
        ("TB", 10**12),
        ("GB", 10**9),
        ("MB", 10**6),
        ("KB", 10**3),
    )


K = Count(10**3)
M = Count(10**6)
B = Count(10**9)
T = Count(10**12)
KB = Bytes(10**3)
MB = Bytes(10**6)
GB = Bytes(10**9)
TB = Bytes(10**12)
