"""How a training is parted: what is warm-up, where it is evaluated, which points of a curve are kept."""

from __future__ import annotations

import math
from itertools import pairwise

from effdsl_runtime.observation import Iteration, Point

PARTS = 4  # evaluated at the end of each part but the last, which the final evaluation follows
CURVE_POINTS = 64
CURVE_DECIMALS = 6  # a loss in single precision has no more


def warmup_iterations(steps: int) -> int:
    """Iterations left out of metrics: 5% of them, at least 5 and at most 20, and never all."""
    return min(max(5, min(20, math.ceil(0.05 * steps))), steps - 1)


def parts(steps: int, warmup: int) -> list[tuple[int, int]]:
    """The warm-up, then the measured iterations in up to ``PARTS`` runs of about equal length."""
    measured = steps - warmup
    count = min(PARTS, measured)
    edges = [warmup + measured * part // count for part in range(count + 1)]
    runs = list(pairwise(edges))
    return [(0, warmup), *runs] if warmup else runs


def thinned(iterations: list[Iteration]) -> tuple[Point, ...]:
    """At most ``CURVE_POINTS`` points of the training loss, the last among them, by steps done.

    The table of iterations has them all, so the record can do with few.
    """
    stride = math.ceil(len(iterations) / CURVE_POINTS)
    kept = iterations[::-1][::stride][::-1]
    return tuple(Point(one.step + 1, round(one.loss, CURVE_DECIMALS)) for one in kept if one.loss is not None)
