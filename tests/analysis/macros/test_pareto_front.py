"""The Pareto set in SQL against a brute-force oracle."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import duckdb
import numpy as np
import pytest
from effdsl_analysis.queries import define
from hypothesis import given, settings
from hypothesis import strategies as st

Point = tuple[float | None, ...]

CON = define(duckdb.connect(config={"threads": 1}), "pareto_front")


def front(points: Sequence[Point], groups: Sequence[int] | None = None) -> set[int]:
    """Positions of the points that `pareto_front` returns."""
    groups = groups or [0] * len(points)
    padded = [list(p) + [p[0]] * (6 - len(p)) for p in points]
    numbered = [[i, group, *point] for i, (group, point) in enumerate(zip(groups, padded, strict=True))]
    columns = ", ".join(f"r[{i + 3}]::DOUBLE AS x{i + 1}" for i in range(6))
    CON.execute(  # as JSON text with NaN and infinities spelled out: parameters would be slow
        "CREATE OR REPLACE TEMP TABLE drawn AS"  # noqa: S608
        " WITH row AS (SELECT unnest(from_json($1, '[[\"VARCHAR\"]]')) AS r)"
        f" SELECT r[1]::BIGINT AS point, r[2]::BIGINT AS grp, {columns} FROM row",
        [json.dumps([[None if x is None else repr(x) for x in row] for row in numbered])],
    )
    found = CON.execute("SELECT point FROM pareto_front('drawn')").fetchall()
    assert len(found) == len(set(found))
    return {point for (point,) in found}


def brute_force(points: Sequence[Point], groups: Sequence[int] | None = None) -> set[int]:
    """The definition, pair by pair in numpy."""
    groups = groups or [0] * len(points)
    kept = [i for i, p in enumerate(points) if all(x is not None and math.isfinite(x) for x in p)]
    if not kept:
        return set()
    x = np.array([points[i] for i in kept], dtype=float)
    g = np.array([groups[i] for i in kept])
    return {
        i
        for row, i in enumerate(kept)
        if not ((x <= x[row]).all(1) & (x < x[row]).any(1) & (g == g[row])).any()
    }


coordinate = st.one_of(
    st.integers(-3, 3).map(float),
    st.floats(-1e9, 1e9),
    st.sampled_from([None, math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, 1e300]),
)


@st.composite
def clouds(draw: st.DrawFn) -> tuple[list[Point], list[int]]:
    """Points of 1 to 6 objectives with ties, gaps and duplicates, in 1 to 3 groups."""
    objectives = draw(st.integers(1, 6))
    points = draw(st.lists(st.tuples(*[coordinate] * objectives), min_size=1, max_size=40))
    points += draw(st.lists(st.sampled_from(points), max_size=5))
    groups = draw(st.lists(st.integers(0, 2), min_size=len(points), max_size=len(points)))
    return points, groups


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(clouds())
def test_the_front_is_what_pairwise_comparison_finds(cloud: tuple[list[Point], list[int]]) -> None:
    points, groups = cloud
    assert front(points, groups) == brute_force(points, groups)


@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    objectives=st.integers(1, 6),
    rows=st.integers(600, 3000),
    levels=st.sampled_from([2, 5, 30, 10**6]),
    trade_off=st.booleans(),
)
def test_the_filters_keep_the_front_of_thousands_of_points(
    seed: int, objectives: int, rows: int, levels: int, trade_off: bool
) -> None:
    rng = np.random.default_rng(seed)
    x = np.floor(rng.random((rows, objectives)) * levels) * 10.0 ** rng.integers(-6, 7, objectives)
    if trade_off and objectives > 1:
        x[:, 0] = -x[:, 1:].sum(1)
    x[rng.random(x.shape) < 0.01] = np.nan
    points = [tuple(row) for row in x.tolist()]
    groups = rng.integers(0, 3, rows).tolist()
    assert front(points, groups) == brute_force(points, groups)


def test_exact_duplicates_stay_on_the_front_together() -> None:
    assert front([(1.0, 2.0), (1.0, 2.0), (2.0, 1.0), (2.0, 2.0)]) == {0, 1, 2}


@pytest.mark.parametrize("hole", [None, math.nan, math.inf, -math.inf])
def test_a_point_without_a_finite_objective_neither_joins_the_front_nor_removes_anyone(
    hole: float | None,
) -> None:
    assert front([(0.0, hole), (1.0, 1.0), (2.0, 2.0)]) == {1}


def test_a_repeated_objective_changes_nothing() -> None:
    points = [(float(i * 7919 % 101), float(i * 104729 % 97)) for i in range(200)]
    assert front(points) == front([(a, b, a, b, b) for a, b in points])


def test_each_group_has_a_front_of_its_own() -> None:
    assert front([(1.0,), (2.0,), (3.0,)], [0, 1, 1]) == {0, 1}


def test_this_release_of_duckdb_finds_the_known_front_in_both_spellings() -> None:
    """DuckDB 2.0.0 answers 469 to the second spelling; the truth is 1."""
    CON.execute(
        "CREATE OR REPLACE TEMP TABLE p AS SELECT i AS id, (i*7919%1009)/1009.0 AS x,"
        " (i*104729%1013)/1013.0 AS y, (i*15485863%1019)/1019.0 AS z FROM range(500) t(i)"
    )
    dominates = "b.x<=a.x AND b.y<=a.y AND b.z<=a.z AND (b.x<a.x OR b.y<a.y OR b.z<a.z)"
    exists = f"SELECT count(*) FROM p a WHERE NOT EXISTS (FROM p b WHERE {dominates})"  # noqa: S608
    anti = f"SELECT count(*) FROM p a ANTI JOIN p b ON ({dominates})"  # noqa: S608
    assert CON.execute(exists).fetchall() == CON.execute(anti).fetchall() == [(1,)]
