"""Medians and ranges of what was measured."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import accumulate

import attrs

LOW, HIGH = 0.05, 0.95


@attrs.frozen
class Spread:
    """The median of some values, and the 5th and 95th percentile."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """``None`` for no values."""
        if not values:
            return None
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        twentieths = statistics.quantiles(values, n=20, method="inclusive")
        return cls(statistics.median(values), twentieths[0], twentieths[-1])

    @classmethod
    def weighted(cls, values: Sequence[float], weights: Sequence[float]) -> Spread | None:
        """The same where some values count more than others; ``None`` for no values.

        A value stands in the middle of its weight, and between two of them lies a line (Hazen 1914, for
        equal weights); the median of equal weights is the usual one.
        """
        if not values:
            return None
        ordered = sorted(zip(values, weights, strict=True))
        total = sum(weights)
        places = [
            (upto - weight / 2) / total
            for (_, weight), upto in zip(ordered, accumulate(w for _, w in ordered), strict=True)
        ]
        median, low, high = (_between(places, ordered, place) for place in (0.5, LOW, HIGH))
        return cls(median, low, high)


def _between(places: Sequence[float], ordered: Sequence[tuple[float, float]], wanted: float) -> float:
    after = next((i for i, place in enumerate(places) if place >= wanted), len(places) - 1)
    if after == 0 or places[after] <= wanted:
        return ordered[after][0]
    part = (wanted - places[after - 1]) / (places[after] - places[after - 1])
    return ordered[after - 1][0] * (1 - part) + ordered[after][0] * part
