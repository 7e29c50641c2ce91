"""The scalar macros against scipy and decimal arithmetic."""

from __future__ import annotations

from decimal import Context
from itertools import permutations

import duckdb
import pytest
from effdsl_analysis.queries import define
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

CON = define(duckdb.connect(config={"threads": 1}), "numbers")


def scalar(expression: str, *values: float) -> float | None:
    row = CON.execute(f"SELECT {expression}", list(values)).fetchone()
    assert row is not None
    return row[0]  # type: ignore[no-any-return]


@pytest.mark.slow
@pytest.mark.parametrize("df", [*range(1, 101), 101, 150, 1000, 10**6])
def test_quantiles_of_t_are_those_of_scipy(df: int) -> None:
    assert scalar("t_quantile(?)", df) == pytest.approx(stats.t.ppf(0.975, df), abs=1e-7)


@pytest.mark.slow
@given(st.floats(1, 500))
@settings(max_examples=50, deadline=None)
def test_a_fraction_of_a_degree_never_narrows_an_interval(df: float) -> None:
    found = scalar("t_quantile(?::DOUBLE)", df)
    assert found is not None
    assert stats.t.ppf(0.975, df) - 1e-7 <= found <= stats.t.ppf(0.975, int(df)) + 1e-7


def test_there_is_no_quantile_below_one_degree() -> None:
    assert scalar("t_quantile(0)") is None


@pytest.mark.slow
@given(st.floats(1e-200, 1e200) | st.floats(-1e200, -1e-200) | st.floats(0.5, 2))
@settings(max_examples=200, deadline=None)
def test_twelve_digits_are_the_nearest_decimal_of_twelve_digits(x: float) -> None:
    nearest = float(Context(prec=12).create_decimal_from_float(x))
    assert scalar("digits12(?::DOUBLE)", x) == pytest.approx(nearest, rel=1.0000001e-12, abs=0)


@pytest.mark.parametrize("x", [0.0, float("inf"), float("-inf"), 5e-324, 1.7e308])
def test_the_ends_of_the_number_line_stay_where_they_are(x: float) -> None:
    assert scalar("digits12(?::DOUBLE)", x) == x


def test_sums_in_any_order_agree_on_twelve_digits() -> None:
    values = [0.1, 0.2, 0.3, 0.3874]
    sums = {((a + b) + c) + d for a, b, c, d in permutations(values)}
    assert len(sums) > 1
    assert len({scalar("digits12(?::DOUBLE)", total) for total in sums}) == 1
