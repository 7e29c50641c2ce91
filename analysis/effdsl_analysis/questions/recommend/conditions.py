"""Conditions that an answer must satisfy, and tolerances: read strictly from what was typed."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import attrs

from effdsl.metrics import Metric
from effdsl_analysis.ask import UnknownName, named_metrics

_CONDITION = re.compile(
    r"\s*([A-Za-z]\w*)\s*(<=|>=|<|>)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*)", re.S
)
_TOLERANCE = re.compile(r"(\d+\.?\d*|\.\d+)\s*%")
_AND = re.compile(r"\s+and\s+", re.IGNORECASE)


@attrs.frozen
class Condition:
    """A bound on a metric, e.g. ``amu_gb <= 45``.

    Attributes:
        relation: ``<=``, ``<``, ``>=`` or ``>``.
        bound: in the metric's unit.
    """

    metric: Metric
    relation: str
    bound: float

    @property
    def sign(self) -> int:
        """1 for an upper bound, -1 for a lower one."""
        return 1 if self.relation[0] == "<" else -1

    @property
    def is_strict(self) -> bool:
        """Whether the bound itself is out."""
        return len(self.relation) == 1

    def allowing(self, value: float) -> Condition:
        """The condition moved so that ``value`` just satisfies it."""
        return attrs.evolve(self, relation=self.relation[0] + "=", bound=value)

    def refusing(self, value: float) -> Condition:
        """The condition moved so that ``value`` just fails it."""
        return attrs.evolve(self, relation=self.relation[0], bound=value)

    def to_json(self) -> dict[str, Any]:
        return {"metric": self.metric.name, "relation": self.relation, "bound": self.bound}

    def __str__(self) -> str:
        return f"{self.metric.name} {self.relation} {self.bound:.12g}"


def parse_conditions(texts: Sequence[str]) -> tuple[Condition, ...]:
    """The conditions in ``texts``, each once; several in one text are joined by AND.

    Raises:
        UnknownName: for a metric that does not exist, with the nearest one, and for anything else that
            is not ``METRIC <= NUMBER`` with one of the four relations.
    """
    parts = [part for text in texts for part in _AND.split(text)]
    return tuple(dict.fromkeys(map(_condition, parts)))


def _condition(text: str) -> Condition:
    found = _CONDITION.fullmatch(text)
    if not found:
        raise UnknownName(
            f'{text.strip()!r} is no condition; write METRIC <= NUMBER, e.g. "amu_gb <= 45" (or <, >=, >)'
        )
    (metric,) = named_metrics([found[1]])
    if found[4]:
        unit = f"{metric.name} is in {metric.unit}" if metric.unit else f"{metric.name} has no unit"
        raise UnknownName(
            f"{found[4].strip()!r} after {found[3]} in {text.strip()!r}: write the number alone; {unit}"
        )
    bound = float(found[3])
    if not math.isfinite(bound):
        raise UnknownName(f"{found[3]} in {text.strip()!r} is too large to be a bound")
    return Condition(metric, found[2], bound)


def parse_tolerance(text: str) -> float:
    """``2%`` as 0.02.

    Raises:
        UnknownName: for anything but a number with a percent sign.
    """
    found = _TOLERANCE.fullmatch(text.strip())
    if not found:
        raise UnknownName(f"{text!r} is no tolerance; write a share of the best value as 2%")
    return float(found[1]) / 100


def percent(share: float) -> str:
    """A share exactly, as a tolerance is typed: 0.025 as ``2.5%``."""
    return f"{float(Decimal(repr(share)) * 100):.12g}%"
