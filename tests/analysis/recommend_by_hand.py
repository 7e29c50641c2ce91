"""What should be chosen, found by looking at every candidate: a second computation in plain Python."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean, stdev

from effdsl_analysis.ask import parse_objectives
from effdsl_analysis.recommendations.conditions import Condition, parse_conditions
from effdsl_analysis.recommendations.decisions import Question
from scipy.stats import t as student

Candidates = dict[str, dict[str, list[float]]]
"""Repeats by technique and metric."""


def rounded(x: float) -> float:
    return float(f"{x:.12g}")


def holds(condition: Condition, values: Sequence[float]) -> bool:
    value = rounded(mean(values))
    tests = {"<=": value <= condition.bound, "<": value < condition.bound, ">=": value >= condition.bound}
    return tests.get(condition.relation, value > condition.bound)


def difference(a: Sequence[float], b: Sequence[float], is_exact: bool) -> tuple[float, float | None]:
    """Mean of b less a, paired, and half of its 95% interval."""
    apart = [y - x for x, y in zip(a, b, strict=True)]
    if is_exact:
        return apart[0], 0.0
    if len(apart) == 1:
        return apart[0], None
    return mean(apart), float(student.ppf(0.975, len(apart) - 1)) * stdev(apart) / math.sqrt(len(apart))


def near_best(
    found: Candidates, metric: str, sign: int, share: float | None, is_exact: bool
) -> tuple[list[str], bool]:
    """Those that are not certainly worse than the best mean, or possibly within a share of it."""
    order = sorted(found, key=lambda name: (sign * rounded(mean(found[name][metric])), name))
    if not order:
        return [], False
    best = found[order[0]][metric]
    kept, undecided = [order[0]], False
    for name in order[1:]:
        apart, half = difference(best, found[name][metric], is_exact)
        least = sign * apart - (half or 0.0)
        if half is None:
            undecided = True
        elif least > 1e-12 and not (share is not None and rounded(least / abs(mean(best))) <= share):
            continue
        kept.append(name)
    return kept, undecided


def by_hand(found: Candidates, question: Question, is_exact: bool = False) -> tuple[str, ...]:
    """What should be chosen."""
    allowed = {
        name: values
        for name, values in found.items()
        if all(holds(condition, values[condition.metric.name]) for condition in question.conditions)
    }
    best = question.best
    names, undecided = near_best(allowed, best.metric.name, best.sign, question.within, is_exact)
    if question.then and not undecided:
        pool = {name: found[name] for name in names}
        names, _ = near_best(pool, question.then.metric.name, question.then.sign, None, is_exact)
    pool = {name: found[name] for name in names}
    return tuple(near_best(pool, best.metric.name, best.sign, None, is_exact)[0])


def asked(best: str, *where: str, within: float | None = None, then: str | None = None) -> Question:
    (wanted,) = parse_objectives([best])
    second = parse_objectives([then])[0] if then else None
    return Question(wanted, parse_conditions(where), within, second)
