"""Means and integrals over arbitrary windows, against numpy's interpolation and trapezoid rule."""

import numpy as np
import pytest
from effdsl_runtime.probes.integrate import CounterResetError, OutsideTraceError, at, increase, integral, mean
from hypothesis import given
from hypothesis import strategies as st


@st.composite
def traces(draw: st.DrawFn) -> tuple[list[int], list[float], int, int]:
    """Irregular time stamps in ns, values, and a window inside them that is not empty."""
    gaps = draw(st.lists(st.integers(1, 10**10), min_size=1, max_size=40))
    start = draw(st.integers(0, 10**12))
    t_ns = [start]
    for gap in gaps:
        t_ns.append(t_ns[-1] + gap)
    values = draw(st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=len(t_ns), max_size=len(t_ns)))
    low = draw(st.integers(t_ns[0], t_ns[-1] - 1))
    high = draw(st.integers(low + 1, t_ns[-1]))
    return t_ns, values, low, high


def numpys(t_ns: list[int], values: list[float], low: int, high: int) -> float:
    """Integral in value times seconds, on the samples inside and the interpolated edges."""
    origin = t_ns[0]
    shifted = np.array([t - origin for t in t_ns], dtype=np.float64)
    inside = [t - origin for t in t_ns if low < t < high]
    grid = np.array([low - origin, *inside, high - origin], dtype=np.float64)
    return float(np.trapezoid(np.interp(grid, shifted, values), grid)) / 1e9


@given(traces())
def test_the_integral_equals_numpys_trapezoid(trace: tuple[list[int], list[float], int, int]) -> None:
    t_ns, values, low, high = trace
    scale = max(1e-9, max(map(abs, values)) * (high - low) / 1e9)
    assert integral(t_ns, values, low, high) == pytest.approx(numpys(*trace), abs=1e-9 * scale)


@given(traces(), st.data())
def test_integrals_of_neighbouring_windows_add_up(
    trace: tuple[list[int], list[float], int, int], data: st.DataObject
) -> None:
    t_ns, values, low, high = trace
    middle = data.draw(st.integers(low, high))
    whole = integral(t_ns, values, low, high)
    parts = integral(t_ns, values, low, middle) + integral(t_ns, values, middle, high)
    assert parts == pytest.approx(whole, abs=1e-9 * max(1e-9, max(map(abs, values)) * (high - low) / 1e9))


@given(traces())
def test_the_mean_lies_between_the_least_and_the_largest_value(
    trace: tuple[list[int], list[float], int, int],
) -> None:
    t_ns, values, low, high = trace
    slack = 1e-9 * max(1.0, max(map(abs, values)))
    assert min(values) - slack <= mean(t_ns, values, low, high) <= max(values) + slack


def test_late_samples_weigh_by_their_time_and_not_by_their_number() -> None:
    """Nine hurried samples of 0 and one long second of 10: the mean is not 1."""
    t_ns = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10**9]
    values = [0.0] * 8 + [10.0, 10.0]
    assert mean(t_ns, values, 0, 10**9) == pytest.approx(10.0, rel=1e-7)


def test_a_counter_grows_by_its_difference_with_edges_taken_in_proportion() -> None:
    assert increase([0, 10, 20], [5.0, 25.0, 26.0], 5, 15) == pytest.approx(10.0 + 0.5)


def test_a_counter_that_goes_down_inside_the_window_is_refused_and_outside_it_is_not() -> None:
    t_ns, counter = [0, 10, 20, 30, 40], [50.0, 1.0, 2.0, 3.0, 4.0]
    with pytest.raises(CounterResetError):
        increase(t_ns, counter, 5, 25)
    assert increase(t_ns, counter, 10, 40) == pytest.approx(3.0)


@pytest.mark.parametrize(("low", "high"), [(-1, 5), (5, 21), (30, 40)])
def test_a_window_beyond_the_samples_is_refused_and_never_extrapolated(low: int, high: int) -> None:
    with pytest.raises(OutsideTraceError):
        integral([0, 10, 20], [1.0, 1.0, 1.0], low, high)


def test_no_samples_at_all_cover_nothing() -> None:
    with pytest.raises(OutsideTraceError):
        at([], [], 0)


def test_an_empty_window_has_no_mean() -> None:
    with pytest.raises(ValueError, match="empty"):
        mean([0, 10], [1.0, 1.0], 5, 5)
