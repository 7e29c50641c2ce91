"""Kinds of evidence, and what it says of two subjects. Importing this loads nothing else."""

from __future__ import annotations

import enum


class Evidence(enum.Enum):
    """Where values come from. Kinds are never mixed."""

    MEASURED = "measured"
    PUBLISHED = "published"


class Contrast(enum.Enum):
    """How one subject compares with another in a metric, as ``sql/evidence/contrasts.sql`` says it."""

    LOWER = "lower"
    HIGHER = "higher"
    EQUAL = "equal"
    TIED = "tied"
    """The interval of the difference holds zero."""
    UNDECIDED = "undecided"
    """There are too few repeats to have an interval."""
