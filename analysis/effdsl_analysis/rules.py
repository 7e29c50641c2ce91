"""The rules by which values at several scales become one ranking; ``sql/ranks/by_rule.sql`` computes them."""

from __future__ import annotations

import enum


class Rule(enum.Enum):
    """How values at several sizes or models become one order of techniques."""

    MEAN = "mean"
    MEDIAN = "median"
    GEOMETRIC_MEAN = "geometric_mean"
    MEAN_OF_RANKS = "mean_of_ranks"
    NORMALISED = "normalised"
    ONE_SCALE = "one_scale"

    @property
    def words(self) -> str:
        """What a rank by this rule is a rank of."""
        return _WORDS[self]


_WORDS = {
    Rule.MEAN: "Mean of the printed values",
    Rule.MEDIAN: "Median of the printed values",
    Rule.GEOMETRIC_MEAN: "Geometric mean of the printed values",
    Rule.MEAN_OF_RANKS: "Mean of the ranks at each scale",
    Rule.NORMALISED: "Mean of eq. 10 or 11 at each scale, from 0.1 (worst) to 1.0 (best)",
    Rule.ONE_SCALE: "The printed value",
}
