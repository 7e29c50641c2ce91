"""What should be chosen, found by looking at every candidate: a second computation in plain Python."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import mean, stdev

from effdsl_analysis.ask import Objective, parse_objectives
from effdsl_analysis.questions.recommend.conditions import Condition, parse_conditions
from effdsl_analysis.questions.recommend.decisions import Question
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


def tied_with_best(
    found: Candidates, metric: str, sign: int, is_exact: bool, within: Callable[[float, float], bool]
) -> tuple[list[str], bool]:
    """The best mean and those ``within`` reach of it, asked with the ends of the interval of what they are
    worse, as shares of the best; and whether there are too few repeats to say."""
    order = sorted(found, key=lambda name: (sign * rounded(mean(found[name][metric])), name))
    if not order:
        return [], False
    best = found[order[0]][metric]
    kept, undecided = [order[0]], False
    for name in order[1:]:
        apart, half = difference(best, found[name][metric], is_exact)
        if half is None:
            undecided = True
        elif not within(*(rounded((sign * apart + end) / abs(mean(best))) for end in (-half, half))):
            continue
        kept.append(name)
    return kept, undecided


def not_told_apart(least: float, most: float) -> bool:
    return least <= 1e-12


def by_hand(found: Candidates, question: Question, is_exact: bool = False) -> tuple[str, ...]:
    """What should be chosen; more than one where the repeats leave it open."""
    allowed = {
        name: values
        for name, values in found.items()
        if all(holds(condition, values[condition.metric.name]) for condition in question.conditions)
    }
    share = question.within
    if share is None:
        return chosen_of(allowed, question, is_exact, not_told_apart)
    surely = chosen_of(allowed, question, is_exact, lambda least, most: most <= share)
    perhaps = chosen_of(allowed, question, is_exact, lambda least, most: least <= share)
    return tuple({*surely, *perhaps})


def chosen_of(
    allowed: Candidates, question: Question, is_exact: bool, within: Callable[[float, float], bool]
) -> tuple[str, ...]:
    best, then = question.best, question.then
    names, undecided = tied_with_best(allowed, best.metric.name, best.sign, is_exact, within)
    if then and not undecided:
        pool = {name: allowed[name] for name in names}
        names, _ = tied_with_best(pool, then.metric.name, then.sign, is_exact, not_told_apart)
    pool = {name: allowed[name] for name in names}
    return tuple(tied_with_best(pool, best.metric.name, best.sign, is_exact, not_told_apart)[0])


def next_by_hand(found: Candidates, question: Question, chosen: Sequence[str]) -> str | None:
    """What comes after those ``chosen``: nothing whose mean is further from the best than the tolerance."""
    allowed = {
        name: values
        for name, values in found.items()
        if all(holds(condition, values[condition.metric.name]) for condition in question.conditions)
    }
    if not allowed:
        return None
    costs = {name: cost(values, question.best) for name, values in allowed.items()}
    best = min(costs.values())
    if question.within is None:
        near, _ = tied_with_best(
            allowed, question.best.metric.name, question.best.sign, False, not_told_apart
        )
    else:
        near = [name for name in allowed if rounded((costs[name] - best) / abs(best)) <= question.within]
        allowed = {name: allowed[name] for name in near}

    def place(name: str) -> tuple[object, ...]:
        then = cost(allowed[name], question.then) if question.then and name in near else 0
        return name not in near, then, costs[name], name

    return min((name for name in allowed if name not in chosen), key=place, default=None)


def cost(values: dict[str, list[float]], objective: Objective) -> float:
    return objective.sign * rounded(mean(values[objective.metric.name]))


def asked(best: str, *where: str, within: float | None = None, then: str | None = None) -> Question:
    (wanted,) = parse_objectives([best])
    second = parse_objectives([then])[0] if then else None
    return Question(wanted, parse_conditions(where), within, second)
