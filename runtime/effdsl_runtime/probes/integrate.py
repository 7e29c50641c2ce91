"""Means and integrals of sampled quantities over any window, by the trapezoid rule.

Samples come at the times they come (a busy interpreter delays them), so the real time stamps are used
and never a nominal rate; at the edges of the window the quantity is interpolated.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise

NS = 1e-9


class OutsideTraceError(ValueError):
    """The window reaches beyond the first or last sample."""


class CounterResetError(ValueError):
    """A counter that may only grow went down inside the window, e.g. when a driver was reloaded."""


def at(t_ns: Sequence[int], values: Sequence[float], when_ns: int) -> float:
    """The quantity at ``when_ns``, linear between the samples around it.

    Raises:
        OutsideTraceError: when there is no sample on one of the sides.
    """
    if not t_ns or not t_ns[0] <= when_ns <= t_ns[-1]:
        raise OutsideTraceError("no samples there")
    right = bisect_left(t_ns, when_ns)
    if t_ns[right] == when_ns:
        return values[right]
    left = right - 1
    share = (when_ns - t_ns[left]) / (t_ns[right] - t_ns[left])
    return values[left] + share * (values[right] - values[left])


def integral(t_ns: Sequence[int], values: Sequence[float], start_ns: int, end_ns: int) -> float:
    """Integral of the quantity from ``start_ns`` to ``end_ns``, in its unit times seconds."""
    times = [start_ns, *t_ns[bisect_right(t_ns, start_ns) : bisect_left(t_ns, end_ns)], end_ns]
    inner = values[bisect_right(t_ns, start_ns) : bisect_left(t_ns, end_ns)]
    heights = [at(t_ns, values, start_ns), *inner, at(t_ns, values, end_ns)]
    doubled = sum(
        (b - a) * (u + v) for a, b, u, v in zip(times[:-1], times[1:], heights[:-1], heights[1:], strict=True)
    )
    return doubled / 2 * NS


def mean(t_ns: Sequence[int], values: Sequence[float], start_ns: int, end_ns: int) -> float:
    """Time average of the quantity over a window that is not empty."""
    if end_ns <= start_ns:
        raise ValueError(f"the window from {start_ns} to {end_ns} ns is empty")
    return integral(t_ns, values, start_ns, end_ns) / ((end_ns - start_ns) * NS)


def increase(t_ns: Sequence[int], counter: Sequence[float], start_ns: int, end_ns: int) -> float:
    """How much a counter grew over a window.

    Raises:
        CounterResetError: when it went down inside the window.
    """
    first = max(0, bisect_right(t_ns, start_ns) - 1)
    seen = counter[first : bisect_left(t_ns, end_ns) + 1]
    if any(later < earlier for earlier, later in pairwise(seen)):
        raise CounterResetError("the counter went down")
    return at(t_ns, counter, end_ns) - at(t_ns, counter, start_ns)
