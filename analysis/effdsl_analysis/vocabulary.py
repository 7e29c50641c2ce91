"""The words that questions and answers share: kinds of evidence, contrasts, rules of ranking, severities.

Importing this loads nothing else.
"""

from __future__ import annotations

import enum


class Evidence(enum.Enum):
    """Where values come from. Kinds are never mixed."""

    MEASURED = "measured"
    PUBLISHED = "published"


class Across(enum.Enum):
    """What is compared though it is no technique."""

    MODELS = "models"
    """Fine-tunings of different models: which model and method together?"""


class Contrast(enum.Enum):
    """How one subject compares with another in a metric, as ``sql/evidence/contrasts.sql`` says it."""

    LOWER = "lower"
    HIGHER = "higher"
    EQUAL = "equal"
    TIED = "tied"
    """The interval of the difference holds zero."""
    UNDECIDED = "undecided"
    """There are too few repeats to have an interval."""


class Rule(enum.Enum):
    """How values at several scales become one order of techniques; ``sql/rank/by_rule.sql`` computes it."""

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


class Severity(enum.Enum):
    """How sure a finding is, given what its explanation assumes."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def meaning(self) -> str:
        """What the word stands for."""
        return {
            Severity.ERROR: "impossible, or against a definition",
            Severity.WARNING: "not credible",
            Severity.NOTE: "to be read with care",
        }[self]
