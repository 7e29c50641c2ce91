"""What request times say, of requests whose times are known exactly."""

from __future__ import annotations

import pytest
from effdsl_runtime.generating.request_times import Request, summary
from hypothesis import given
from hypothesis import strategies as st

MS = 1_000_000


def request(arrival: int, first: int, *gaps: int) -> Request:
    """In milliseconds."""
    times = [arrival + first]
    for gap in gaps:
        times.append(times[-1] + gap)
    return Request(arrival * MS, tuple(time * MS for time in times))


def test_a_request_by_hand() -> None:
    """First token after 50 ms, then gaps of 10, 30 and 20: the first is in none of the gaps."""
    one = request(7, 50, 10, 30, 20)
    assert one.first_token_s == pytest.approx(0.050)
    assert one.between_s == pytest.approx([0.010, 0.030, 0.020])
    assert one.per_token_s == pytest.approx(0.020)
    assert one.latency_s == pytest.approx(0.110)


def test_two_requests_by_hand() -> None:
    """Medians, means over requests and sums over the whole time."""
    found = summary([request(0, 40, 10, 10), request(20, 60, 40)], prompt_tokens=100, seconds=0.2)
    assert found["ttft_s"] == pytest.approx(0.050)
    assert found["tpot_s"] == pytest.approx((0.010 + 0.040) / 2)
    assert found["itl_p50_s"] == pytest.approx(0.010)
    assert found["it_tokens_per_s"] == pytest.approx(5 / 0.2)
    assert found["prefill_tokens_per_s"] == pytest.approx(200 / 0.1)
    assert found["decode_tokens_per_s"] == pytest.approx(3 / 0.060)


def test_a_stall_shows_in_the_highest_gaps_alone() -> None:
    """One gap of a second among 100 of a millisecond."""
    found = summary([request(0, 5, *[1] * 50, 1000, *[1] * 50)], prompt_tokens=1, seconds=2)
    assert found["itl_p50_s"] == found["itl_p95_s"] == pytest.approx(0.001)
    assert found["tpot_s"] == pytest.approx(1.1 / 101)


def test_a_single_token_has_no_gaps() -> None:
    """What needs two tokens is absent, not zero."""
    assert request(0, 5).per_token_s is None
    assert not {"tpot_s", "itl_p50_s", "decode_tokens_per_s"} & set(summary([request(0, 5)], 10, 1.0))


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20), st.integers(1, 8))
def test_a_batch_counts_for_each_of_its_sequences(gaps: list[int], size: int) -> None:
    """Eight sequences computed together make eight times the tokens in the same time, each as late."""
    alone, together = (summary([request(0, 9, *gaps)], 16, 1.0, alike) for alike in (1, size))
    for rate in ("it_tokens_per_s", "prefill_tokens_per_s", "decode_tokens_per_s"):
        assert together[rate] == pytest.approx(size * alone[rate])
    for wait in ("ttft_s", "tpot_s", "itl_p99_s"):
        assert together[wait] == alone[wait]
