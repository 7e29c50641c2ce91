"""Numbers as they are written."""

from __future__ import annotations

import pytest
from effdsl_analysis.text import number


@pytest.mark.parametrize(
    ("value", "half", "expected"),
    [
        (8.5e-6, 3.2e-6, "8.5e-06"),
        (1.17e-5, 3.2e-6, "1.17e-05"),
        (-1.4e-6, 2.5e-5, "-1e-06"),
        (5.03e-10, 3.1e-11, "5.03e-10"),
        (0.0, 3.2e-6, "0"),
        (0.00011, 6.7e-5, "1.10e-04"),
        (0.00011, 0.00067, "0.00011"),
        (0.5, 3.2e-6, "0.5000000"),
        (0.00002, 0.3, "0.00"),
    ],
)
def test_small_numbers_keep_the_digits_that_their_uncertainty_leaves(
    value: float, half: float, expected: str
) -> None:
    """Rates per parameter are far below one, and a row of zeros hides them."""
    assert number(value, half) == expected
