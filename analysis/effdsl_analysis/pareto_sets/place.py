"""Where a technique stands among those that it is compared with."""

from __future__ import annotations

import enum


class Place(enum.Enum):
    """Its place by several objectives at once."""

    FRONT = "front"
    """No other dominates it."""
    DOMINATED = "dominated"
    NOT_COMPARABLE = "not comparable"
    """It has no value of one of the objectives."""
