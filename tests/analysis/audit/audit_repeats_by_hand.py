"""The rules of the audit that look for what repeats, a second time: in plain Python over the CSV files.

Each function returns what its rule should find: (severity, cells) with cells as (table, line, metric).
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any

from .printed_lines import (
    AL,
    METRICS,
    TEXT,
    TIMES,
    TUNED,
    Cell,
    Found,
    Line,
    by,
    digits,
    equal,
    half,
    lines,
    model_of,
    one,
    pairs,
    served,
)


def ratio_too_constant() -> list[Found]:
    """Every ratio of two methods that one constant explains for all of at least five models."""
    ratios: dict[Any, list[tuple[float, float, set[Cell]]]] = defaultdict(list)
    for group in by(model_of, lines(*TUNED, 9)):
        for b, a in itertools.combinations(group, 2):
            for metric in a.tokens.keys() & b.tokens.keys() - {"mcr"}:
                ratio, off = a[metric] / b[metric], a.off(metric) + b.off(metric)
                bounds = (ratio * (1 - off), ratio * (1 + off), a.cells(metric) | b.cells(metric))
                ratios[a.table, metric, a.method, b.method].append(bounds)
    for line, base in served():
        if line.method == "int4":
            ratio = (line["mcr"] * base["avg_perf"] / line["avg_perf"]) / base["mcr"]
            off = line.off("mcr", "avg_perf") + 3 * base.off("avg_perf") + base.off("mcr")
            cells = line.cells("mcr", "avg_perf") | base.cells("mcr", "avg_perf")
            ratios[9, "mcr", "int4", "size"].append((ratio * (1 - off), ratio * (1 + off), cells))
    return [
        ("note" if metric == "mcr" else "warning", frozenset().union(*(cells for *_, cells in found)))
        for (_, metric, _, _), found in ratios.items()
        if len(found) >= 5 and max(low for low, *_ in found) <= min(high for _, high, _ in found)
    ]


def rows_repeated() -> list[Found]:
    found = []
    for a, b in pairs(lines(*TEXT, *TUNED, 9, 10, 11)):
        same = equal(a, b, 3)
        adapters = a.size == b.size and a.table in TUNED and "full" not in (a.method, b.method)
        quantities = {"time" if metric in TIMES else metric for metric in same}
        if len(quantities - ({"time"} if adapters else set())) >= 2:
            found.append(("warning", frozenset(a.cells(*same) | b.cells(*same))))
    return found


def series_repeated() -> list[Found]:
    """Two models that agree for several methods, two techniques that agree at several sizes."""
    cells: dict[Any, list[Cell]] = defaultdict(list)
    for a, b in pairs(lines(*TEXT, *TUNED, 10, 11)):
        for metric in equal(a, b, 3):
            both = [*a.cells(metric), *b.cells(metric)]
            if a.technique == b.technique and a.where != b.where:
                cells[metric, a.table, b.table, "models", a.where, b.where] += both
            if a.technique != b.technique and a.where == b.where and metric not in TIMES:
                cells[metric, a.table, b.table, "techniques", a.technique, b.technique] += both
    return [("warning", frozenset(found)) for found in cells.values() if len(found) >= 4]


def value_repeated() -> list[Found]:
    alone: list[tuple[Line, Line, str]] = []
    for a, b in pairs(lines(*TEXT, *TUNED, 10, 11)):
        same = equal(a, b, 4) - set(TIMES)
        if len(same) == 1:
            (metric,) = same
            enough = metric == "loss" or digits(a.tokens[metric]) >= 5
            if a.where != b.where if a.technique == b.technique else a.where == b.where and enough:
                alone.append((a, b, metric))
    places = Counter((metric, a.where, b.where) for a, b, metric in alone)
    techniques = Counter((metric, a.technique, b.technique) for a, b, metric in alone)
    return [
        ("note", frozenset(a.cells(metric) | b.cells(metric)))
        for a, b, metric in alone
        if a.technique != b.technique or places[metric, a.where, b.where] == 1
        if a.where != b.where or techniques[metric, a.technique, b.technique] == 1
    ]


def printed_twice() -> list[Found]:
    found = []
    runs = [line for line in lines(*TEXT, 10, 11) if line.run]
    for group in by(lambda line: line.run, runs):
        for metric in METRICS:
            having = [line for line in group if metric in line]
            values = {line[metric] for line in having}
            if len(values) > 1:
                found.append(one("warning" if max(values) > 1.02 * min(values) else "note", having, metric))
    return found


def memory_as_share() -> list[Found]:
    """Decimals: is every AMU a multiple of a ten-thousandth of some memory?"""
    found = []
    for group in by(lambda line: line.table, lines(*TEXT, *TUNED, 9, 10, 11)):
        for gb in (192, 141, 96, 94, 80, 64, 48, 40, 32, 24):
            step = Decimal(gb) / 10000
            fine = [line for line in group if Decimal(repr(2 * half(line.tokens["amu_gb"]))) < step]
            whole = [line for line in fine if Decimal(line.tokens["amu_gb"]) % step == 0]
            chance = math.fsum(2 * half(line.tokens["amu_gb"]) / float(step) for line in fine)
            fits = fine and max(line["amu_gb"] for line in fine) <= gb
            if fits and len(fine) >= 20 and len(whole) >= 0.75 * len(fine) and chance < 0.25 * len(fine):
                found.append(one("warning" if group[0].table in (7, 8) else "note", whole, "amu_gb"))
                break
    return found


def latency_from_rate() -> list[Found]:
    """Is each AL above 1 s the inverse of a whole number of thousandths?"""

    def inverse(line: Line) -> bool:
        thousandths = range(1, 1001)
        return any(abs(1000 / k - line[AL]) <= 1.02 * half(line.tokens[AL]) for k in thousandths)

    slow = [line for line in lines(*TEXT, *TUNED, 10, 11) if line[AL] > 1]
    groups = by(lambda line: line.table, slow)
    return [one("note", group, AL) for group in groups if len(group) >= 10 and all(map(inverse, group))]
