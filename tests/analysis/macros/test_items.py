"""Differences item by item against scipy and plain Python."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np
import pytest
from effdsl_analysis.queries import define
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

CON = define(duckdb.connect(config={"threads": 1}), "numbers", "items")
CON.execute("CREATE TABLE items (key VARCHAR, evaluation VARCHAR, item INT, value DOUBLE, weight DOUBLE)")
CON.execute("CREATE TEMP TABLE asked AS SELECT 'e' AS evaluation, 'x' AS x, 'y' AS y")


def compare(
    x: Sequence[float], y: Sequence[float], weights: Sequence[float] = (), others: Sequence[float] = ()
) -> dict[str, Any]:
    """What the macro says of y against x; ``others`` are the weights of y where they differ."""
    CON.execute("DELETE FROM items")
    ones = [1.0] * max(len(x), len(y))
    for key, values, sizes in (("x", x, weights or ones), ("y", y, others or weights or ones)):
        rows = [(key, "e", item, value, sizes[item]) for item, value in enumerate(values)]
        CON.executemany("INSERT INTO items VALUES (?, ?, ?, ?, ?)", rows)
    CON.execute("FROM item_differences('asked')")
    names = [column[0] for column in CON.description or []]
    (row,) = CON.fetchall()
    return dict(zip(names, row, strict=True))


values = st.integers(-1000, 1000).map(lambda n: n / 8)
pairs = st.lists(st.tuples(values, values), min_size=3, max_size=30)
answers = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=60)


@pytest.mark.slow
@given(pairs)
@settings(max_examples=50, deadline=None)
def test_scores_are_compared_as_by_the_paired_t_test_of_scipy(found: list[tuple[float, float]]) -> None:
    """Difference, interval, and whether it is told apart."""
    x, y = zip(*found, strict=True)
    assume(len({b - a for a, b in found}) > 1 and not set(x + y) <= {0, 1})
    test = stats.ttest_rel(y, x)
    low, high = test.confidence_interval(0.95)
    row = compare(x, y)
    assert row["difference"] == pytest.approx(np.mean(y) - np.mean(x), abs=1e-9)
    assert row["half_width"] == pytest.approx((high - low) / 2, rel=1e-6)
    assert row["resolved"] == (test.pvalue < 0.05)


@pytest.mark.slow
@given(answers)
@settings(max_examples=60, deadline=None)
def test_right_and_wrong_answers_are_compared_by_the_binomial_test_of_scipy(
    found: list[tuple[int, int]],
) -> None:
    """Of the items at which one of the two alone is right."""
    x, y = zip(*found, strict=True)
    lost, gained = found.count((1, 0)), found.count((0, 1))
    row = compare(x, y)
    p = stats.binomtest(lost, lost + gained, 0.5).pvalue if lost + gained else 1.0
    assert (row["lost"], row["gained"]) == (lost, gained)
    assert row["p"] == pytest.approx(p, rel=1e-9)
    assert row["resolved"] == (p < 0.05)


@pytest.mark.parametrize(("lost", "gained"), [(0, 0), (1, 0), (700, 500), (3000, 2900), (0, 6)])
def test_the_exact_test_holds_for_few_and_for_many_discordant_items(lost: int, gained: int) -> None:
    """By scipy's binomial test."""
    (p,) = CON.execute("SELECT mcnemar(?, ?)", [lost, gained]).fetchone() or ()
    expected = stats.binomtest(lost, lost + gained, 0.5).pvalue if lost + gained else 1.0
    assert p == pytest.approx(expected, rel=1e-8)


def test_texts_count_by_their_tokens_and_the_error_is_that_of_a_ratio() -> None:
    """Three texts of 10, 20 and 70 tokens, by hand."""
    x, y, weights = [20.0, 50.0, 140.0], [22.0, 49.0, 147.0], [10.0, 20.0, 70.0]
    row = compare(x, y, weights)
    mean = (2.0 - 1.0 + 7.0) / 100
    squares = sum((d - mean * w) ** 2 for d, w in zip((2.0, -1.0, 7.0), weights, strict=True))
    error = math.sqrt(3 / 2 * squares) / 100
    assert (row["score_x"], row["score_y"], row["is_loss"]) == (2.1, 2.18, True)
    assert row["difference"] == pytest.approx(mean)
    assert row["error"] == pytest.approx(error)
    assert row["half_width"] == pytest.approx(stats.t.ppf(0.975, 2) * error)
    assert row["p"] is None


def test_texts_cut_into_other_tokens_are_not_compared() -> None:
    """An item of another weight on the other side is another text."""
    row = compare([1.0, 2.0], [1.0, 3.0], [4.0, 5.0], [4.0, 6.0])
    assert (row["items"], row["unpaired"], row["difference"], row["resolved"]) == (1, 2, None, False)


def test_items_that_are_all_alike_resolve_nothing() -> None:
    """No difference, and one without any spread: neither has an interval that could say so."""
    for x, y, weights in (([1, 0, 1], [1, 0, 1], ()), ([2.0, 4.0], [3.0, 5.0], ()), ([2.0], [3.0], [5.0])):
        row = compare(x, y, weights)
        assert not row["resolved"]
        assert row["needed"] is None


@pytest.mark.parametrize(("lost", "gained", "both"), [(30, 10, 60), (60, 40, 900), (400, 200, 1400)])
def test_so_many_answers_find_the_difference_four_times_out_of_five(
    lost: int, gained: int, both: int
) -> None:
    """By the power of McNemar's test, the asymptotic one that the number is of, in a simulation."""
    x = [1] * lost + [0] * gained + [1] * both
    y = [0] * lost + [1] * gained + [1] * both
    needed, total = compare(x, y)["needed"], lost + gained + both
    drawn = np.random.default_rng(1).multinomial(needed, [lost / total, gained / total, both / total], 4000)
    z = (drawn[:, 0] - drawn[:, 1]) / np.sqrt(np.maximum(drawn[:, 0] + drawn[:, 1], 1))
    assert np.mean(np.abs(z) > stats.norm.ppf(0.975)) == pytest.approx(0.8, abs=0.04)


def test_so_many_texts_find_the_difference_four_times_out_of_five() -> None:
    """By the power of a z-test whose standard error shrinks with the root of the number of items."""
    x, y = [10.0] * 8, [10.0 + d for d in (3.0, -2.0, 1.0, 0.0, 2.5, -1.0, 0.5, 2.0)]
    row = compare(x, y)
    error = row["error"] * math.sqrt(row["items"] / row["needed"])
    assert stats.norm.sf(stats.norm.ppf(0.975) - row["difference"] / error) == pytest.approx(0.8, abs=0.01)
