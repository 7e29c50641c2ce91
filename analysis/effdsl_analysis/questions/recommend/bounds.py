"""Bounds as they are shown: on few digits, rounded so that what is said of them holds for what is shown."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

from effdsl_analysis.questions.recommend.decisions import BoundSegment

MOST_DIGITS = 12
"""On which values of the evidence are compared."""

FEWEST = 7
"""Digits of a bound: whatever the paper printed is shown as it is."""

FEWEST_PERCENT = 3


def bounds(segments: Sequence[BoundSegment], within: float | None) -> list[str]:
    """Where each segment lies, e.g. ``from 43.57``, from tight to loose.

    At the bound that is shown the choice is the one that is said of it: a bound is rounded towards the
    loose side, on as many digits as keep it before the next one and before the bound that was asked for.

    Args:
        segments: of one condition, or of the tolerance.
        within: the tolerance asked for, as a share.
    """
    edges = [None if s.edge is None else _exact(s, s.edge) for s in segments]
    return [
        _between(segment, edge, following, within)
        for segment, edge, following in zip(segments, edges, [*edges[1:], None], strict=True)
    ]


def _between(
    segment: BoundSegment, edge: Decimal | None, following: Decimal | None, within: float | None
) -> str:
    """From its own edge on, or, for the tightest, up to that of the next."""
    if edge is not None:
        asked = within if segment.condition is None else segment.condition.bound
        most = None if asked is None or segment.step > 0 else _exact(segment, asked)
        loose = _spelled(segment, _loosened(edge, following, most, _fewest(segment)))
        return _FROM[_sign(segment), _is_strict(segment)].format(loose)
    if following is not None:
        tight = _spelled(segment, _rounded(following, _fewest(segment), ROUND_FLOOR))
        return _BEFORE[_sign(segment), _is_strict(segment)].format(tight)
    return ""


# By the sign of the condition, and whether it is strict: then its bound itself is out.
_FROM = {(1, False): "from {}", (1, True): "above {}", (-1, False): "from {} down", (-1, True): "below {}"}
_BEFORE = {(1, False): "below {}", (1, True): "up to {}", (-1, False): "above {}", (-1, True): "down to {}"}


def _loosened(edge: Decimal, following: Decimal | None, most: Decimal | None, fewest: int) -> Decimal:
    for digits in range(fewest, MOST_DIGITS):
        shown = _rounded(edge, digits, ROUND_CEILING)
        if (following is None or shown < following) and (most is None or shown <= most):
            return shown
    return edge


def _exact(segment: BoundSegment, bound: float) -> Decimal:
    """A bound, turned so that larger is looser; tolerances in percent."""
    return Decimal(repr(bound)) * (100 if segment.condition is None else _sign(segment))


def _sign(segment: BoundSegment) -> int:
    return 1 if segment.condition is None else segment.condition.sign


def _is_strict(segment: BoundSegment) -> bool:
    return segment.condition is not None and segment.condition.is_strict


def _fewest(segment: BoundSegment) -> int:
    return FEWEST_PERCENT if segment.condition is None else FEWEST


def _rounded(exact: Decimal, digits: int, rounding: str) -> Decimal:
    return Context(prec=digits, rounding=rounding).plus(exact)


def _spelled(segment: BoundSegment, bound: Decimal) -> str:
    spelled = f"{float(bound * _sign(segment)):.{MOST_DIGITS}g}"
    return f"{spelled}%" if segment.condition is None else spelled
