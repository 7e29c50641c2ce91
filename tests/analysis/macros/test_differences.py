"""The verdicts on pairs of cells against scipy's paired and Welch's intervals."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean, variance

import duckdb
import pytest
from effdsl_analysis.queries import define
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

CON = define(duckdb.connect(config={"threads": 1}), "numbers", "differences")
CON.execute("CREATE TEMP TABLE seen (block INT, cell VARCHAR, seed INT, value DOUBLE, exact BOOL)")
CON.execute("CREATE TEMP TABLE asked AS SELECT 1 AS block, 'a' AS a, 'b' AS b")


def compare(
    a: Mapping[int, float], b: Mapping[int, float], exact: bool = False
) -> tuple[bool, float | None, float | None, str]:
    """(paired, low, high, verdict) of b against a."""
    CON.execute("DELETE FROM seen")
    for cell, values in (("a", a), ("b", b)):
        for seed, value in values.items():
            CON.execute("INSERT INTO seen VALUES (1, ?, ?, ?, ?)", [cell, seed, value, exact])
    row = CON.execute("SELECT paired, low, high, verdict FROM differences('seen', 'asked')").fetchone()
    assert row is not None
    return row


def verdict(a: Mapping[int, float], b: Mapping[int, float], exact: bool = False) -> str:
    return compare(a, b, exact)[3]


values = st.lists(st.integers(1, 10**6).map(lambda n: n / 1000), min_size=2, max_size=8)


@pytest.mark.slow
@given(values, values)
@settings(max_examples=60, deadline=None)
def test_cells_with_the_same_seeds_are_compared_by_the_paired_interval_of_scipy(
    x: list[float], y: list[float]
) -> None:
    n = min(len(x), len(y))
    x, y = x[:n], y[:n]
    assume(len({round(b - a, 6) for a, b in zip(x, y, strict=True)}) > 1)
    paired, low, high, _ = compare(dict(enumerate(x)), dict(enumerate(y)))
    interval = stats.ttest_rel(y, x).confidence_interval(0.95)
    assert paired
    assert (low, high) == pytest.approx(
        (interval.low, interval.high), abs=1e-6 * max(1, interval.high - interval.low)
    )


@pytest.mark.slow
@given(values, values)
@settings(max_examples=60, deadline=None)
def test_cells_with_other_seeds_are_compared_by_welchs_interval_with_whole_degrees(
    x: list[float], y: list[float]
) -> None:
    assume(len(set(x)) > 1 or len(set(y)) > 1)
    x_part, y_part = variance(x) / len(x), variance(y) / len(y)
    df = (x_part + y_part) ** 2 / (x_part**2 / (len(x) - 1) + y_part**2 / (len(y) - 1))
    middle, half = fmean(y) - fmean(x), stats.t.ppf(0.975, int(df + 1e-9)) * (x_part + y_part) ** 0.5
    paired, low, high, _ = compare(dict(enumerate(x)), dict(enumerate(y, start=100)))
    assert not paired
    assert (low, high) == pytest.approx((middle - half, middle + half), abs=1e-6 * max(1, half))


def test_a_constant_shift_shared_by_the_seeds_is_seen_through_their_spread() -> None:
    a, b = {0: 10.0, 1: 20.0, 2: 30.0}, {0: 9.0, 1: 19.1, 2: 28.9}
    assert verdict(a, b) == "better"
    assert verdict(b, a) == "worse"
    assert verdict(a, {seed + 9: value for seed, value in b.items()}) == "tied"


def test_a_lost_repeat_leaves_the_rest_paired() -> None:
    assert compare({0: 1.0, 1: 2.0, 2: 3.0}, {0: 1.5, 1: 2.4})[0]


def test_seeds_that_only_overlap_are_not_paired() -> None:
    assert not compare({0: 1.0, 1: 2.0, 2: 3.0}, {1: 1.5, 2: 2.4, 3: 3.0})[0]


@pytest.mark.parametrize("other", [{0: 1.0}, {0: 1.0, 1: 1.0, 2: 1.1}])
def test_one_repeat_decides_nothing(other: dict[int, float]) -> None:
    assert verdict({0: 2.0}, other) == "undecided"


def test_the_same_number_once_is_a_tie() -> None:
    assert verdict({0: 2.0}, {0: 2.0}) == "tied"


def test_one_repeat_of_a_computed_value_decides() -> None:
    assert verdict({0: 2.0}, {0: 1.0}, exact=True) == "better"
    assert verdict({0: 2.0}, {7: 1.0, 8: 1.0}, exact=True) == "better"
    assert verdict({0: 2.0}, {0: 2.0}, exact=True) == "equal"


def test_values_without_spread_differ_for_certain_or_are_equal() -> None:
    assert verdict({0: 2.0, 1: 2.0}, {5: 1.0, 6: 1.0}) == "better"
    assert verdict({0: 2.0, 1: 2.0}, {5: 2.0, 6: 2.0}) == "equal"
    assert verdict({0: 2.0, 1: 2.0}, {0: 2.0, 1: 2.0}) == "equal"


def test_the_same_mean_of_other_values_is_a_tie() -> None:
    assert verdict({0: 0.1, 1: 0.2, 2: 0.3}, {5: 0.3, 6: 0.2, 7: 0.1}) == "tied"
