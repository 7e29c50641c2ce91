"""The claims of Tables 9 and 16, asked of precisions that were measured here."""

from __future__ import annotations

from typing import Any

import pytest
from effdsl_analysis.questions.claims.verdicts import claims

from ..inference_results import SHARED, store

pytestmark = pytest.mark.slow

RATE = {"BF16": 100.0, "FP16": 95.0, "INT4": 300.0}
MEMORY = {"BF16": 39.0, "FP16": 39.5, "INT4": 10.0}
POWER = {"BF16": 200.0, "FP16": 220.0, "INT4": 190.0}
SCORES = {"BF16": 0.50, "FP16": 0.50, "INT4": 0.46}
BYTES = {"BF16": 16e9, "FP16": 16e9, "INT4": 4.5e9}


def fill(shelf: Any, precisions: tuple[str, ...] = ("BF16", "FP16", "INT4"), **identity: Any) -> None:
    """Three checkpoints in each precision, a little apart, by the same as the others but for a trace."""
    for precision in precisions:
        trace = [0.0, 1e-3, 3e-3] if precision == "INT4" else [0.0, 0.0, 0.0]
        store(
            shelf,
            precision,
            identity=identity,
            it_tokens_per_s=[RATE[precision] * (1 + n / 1000) for n in range(3)],
            amu_gb=[MEMORY[precision] * (1 + n / 1000) for n in range(3)],
            aec_w=[POWER[precision] * (1 + n / 1000) for n in range(3)],
            avg_perf=[SCORES[precision] + n / 100 + trace[n] for n in range(3)],
            weight_bytes=[BYTES[precision]] * 3,
        )


def outcome(shelf: Any, id_: str) -> tuple[str, int, int, int]:
    (claim,) = claims(shelf.store, ids=[id_]).claims
    return claim.verdict.value, claim.supporting, claim.contradicting, claim.undecided


def test_precisions_have_the_names_that_the_paper_prints(shelf: Any) -> None:
    """Faster, smaller, three times the rate, 3.9 times less memory; energy is hardly cut."""
    fill(shelf)
    assert outcome(shelf, "C50") == ("holds", 1, 0, 0)
    assert outcome(shelf, "C51") == ("holds", 2, 0, 0)
    assert outcome(shelf, "C52") == ("holds", 1, 0, 0)
    assert outcome(shelf, "C53") == ("holds", 2, 0, 0)
    assert outcome(shelf, "C54") == ("fails", 1, 1, 0)
    assert outcome(shelf, "C57") == ("holds", 2, 0, 0)
    assert outcome(shelf, "C60") == ("holds", 1, 0, 0)


def test_the_compression_rate_is_by_bytes_of_the_weights(shelf: Any) -> None:
    """16 / 4.5 is 3.56 and the mean of the kept shares 0.924, so 3.29, well below the 3.7 of nominal bits."""
    fill(shelf)
    (claim,) = claims(shelf.store, ids=["C56"]).claims
    (case,) = claim.cases
    assert case.supports is False
    assert case.shown.startswith("3.2858, INT4")


def test_groups_of_another_size_are_int4_all_the_same(shelf: Any) -> None:
    """A label is no method of its own."""
    fill(shelf, ("BF16",))
    store(shelf, "INT4(group_size=128)", it_tokens_per_s=[300.0, 301.0, 302.0])
    assert outcome(shelf, "C50") == ("holds", 1, 0, 0)


def test_the_score_of_one_checkpoint_decides_nothing_however_often_it_was_repeated(shelf: Any) -> None:
    """A mean over benchmarks has no items of its own, and repeats of the same weights are no sample."""
    fill(shelf, checkpoints=SHARED)
    assert outcome(shelf, "C57")[0] == "undecided"
    assert outcome(shelf, "C50") == ("holds", 1, 0, 0)
