"""The audit of weights in fewer bits: silent on what fits together, loud on each kind that does not."""

from __future__ import annotations

from typing import Any

import pytest
from effdsl_analysis.questions.audit.auditing import audit
from effdsl_analysis.vocabulary import Severity

from effdsl.hardware import H200

from ..inference_results import store

OF_INFERENCE = {"decode_above_bandwidth", "items_all_equal", "nominal_compression", "unequal_work"}
"""The rules that are made to fire here."""
BYTES = {"BF16": 2e9, "INT8": 1.1e9, "INT4": 7e8}
LOSSES = {"BF16": 2.0, "INT8": 2.001, "INT4": 2.04}
IDENTITY = {"hardware": H200.name, "parameters": 1_000_000_000, "model": "1B"}


def usual(precision: str, **changed: Any) -> dict[str, Any]:
    """Metrics and items of a precision that fit together: half of the bandwidth is used in decoding."""
    loss = LOSSES[precision]
    assert H200.bandwidth is not None
    return {
        "held_out_loss": loss,
        "weight_bytes": BYTES[precision],
        "peak_memory_gb": 3.0,
        "it_tokens_per_s": 0.4 * H200.bandwidth / BYTES[precision],
        "decode_tokens_per_s": 0.5 * H200.bandwidth / BYTES[precision],
        "items": [{"perplexity": [(10 * loss, 10.0), (20 * loss, 20.0)], "cloze": [1.0] * 120}],
        "identity": IDENTITY,
    } | changed


def findings(shelf: Any, *rules: str) -> list[tuple[str, Severity, str]]:
    return [(f.rule, f.severity, f.explanation) for f in audit(shelf.store, names=rules).findings]


def fill(shelf: Any, **changed: dict[str, Any]) -> None:
    for precision in BYTES:
        store(shelf, precision, **usual(precision, **changed.get(precision, {})))


def test_results_that_fit_together_raise_a_note_at_most(shelf: Any) -> None:
    """That the answers of all precisions are the same is to be looked at."""
    fill(shelf)
    assert {(rule, severity) for rule, severity, _ in findings(shelf)} == {("items_all_equal", Severity.NOTE)}


@pytest.mark.parametrize(
    ("load", "metric", "sequences", "times", "severity"),
    [
        ("batch 1, 8", "decode_tokens_per_s", 1, 1.5, Severity.WARNING),
        ("batch 4, 8", "it_tokens_per_s", 4, 2.5, Severity.ERROR),
        ("batch 4, 16, 8", "batched_tokens_per_s", 16, 1.5, Severity.WARNING),
        ("64 requests, 8 at a time", "it_tokens_per_s", 8, 3.0, Severity.ERROR),
        ("64 requests, 8 at a time", "decode_tokens_per_s", 1, 3.0, Severity.ERROR),
    ],
)
def test_a_rate_that_reads_weights_faster_than_the_memory_can_is_found(
    shelf: Any, load: str, metric: str, sequences: int, times: float, severity: Severity
) -> None:
    """A step reads all weights once for all sequences."""
    assert H200.bandwidth is not None
    rate = times * sequences * H200.bandwidth / BYTES["INT4"]
    store(shelf, "INT4", **usual("INT4", identity=IDENTITY | {"load": load}, **{metric: rate}))
    ((rule, seen, said),) = findings(shelf, "decode_above_bandwidth")
    assert (rule, seen) == ("decode_above_bandwidth", severity)
    assert said.startswith(f"{metric} is {rate:.5g} with {sequences} sequences at once")


def test_weights_that_a_cache_may_hold_and_arrivals_at_random_are_left_out(shelf: Any) -> None:
    """Of the latter nobody knows how many come together."""
    store(shelf, "INT4", **usual("INT4", weight_bytes=1e8, it_tokens_per_s=1e9))
    arriving = IDENTITY | {"load": "64 requests, 4 per second"}
    store(shelf, "INT8", **usual("INT8", it_tokens_per_s=1e9, identity=arriving))
    assert findings(shelf, "decode_above_bandwidth") == []


def test_a_compression_rate_of_nominal_bits_is_a_warning_and_of_nothing_an_error(shelf: Any) -> None:
    """INT4 is 2e9 / 7e8 by bytes and 4 by bits; both times the share of the perplexity that is kept."""
    ppl = {"BF16": {"ppl": 10.0}, "INT4": {"ppl": 12.5, "mcr": 4 * 0.8}, "INT8": {"ppl": 10.0, "mcr": 3.0}}
    fill(shelf, **ppl)
    found = {severity: said for _, severity, said in findings(shelf, "nominal_compression")}
    assert (
        found[Severity.WARNING]
        == "MCR is 3.2, of nominal bits; by bytes against BF16 and 1/ppl it is 2.2857."
    )
    assert found[Severity.ERROR].startswith(
        "MCR is 3; against BF16 and 1/ppl it is 1.8182 by bytes, 2 by nominal bits"
    )


def test_a_compression_rate_by_bytes_is_right(shelf: Any) -> None:
    fill(shelf, BF16={"ppl": 10.0}, INT4={"ppl": 12.5, "mcr": 2e9 / 7e8 * 0.8})
    assert findings(shelf, "nominal_compression") == []


def test_a_precision_that_was_measured_at_other_work_alone_is_found(shelf: Any) -> None:
    """INT4 at batch 8 beside two at batch 1; measured at both, it is beside them."""
    fill(shelf, INT4={"identity": IDENTITY | {"load": "batch 8"}})
    ((_, severity, said),) = findings(shelf, "unequal_work")
    assert severity is Severity.WARNING
    assert said.startswith(
        "INT4 was measured with 128 prompt tokens, 48 new, batch 8, transformers alone; BF16 ("
    )
    store(shelf, "INT4", **usual("INT4"))
    store(shelf, "INT8", **usual("INT8", identity=IDENTITY | {"load": "batch 8"}))
    assert findings(shelf, "unequal_work") == []


def test_losses_that_are_the_same_on_every_item_are_an_error(shelf: Any) -> None:
    """The same weights under two names; one last digit is enough to tell them apart."""
    same = {"perplexity": [(20.0, 10.0), (40.0, 20.0)]}
    fill(shelf, BF16={"items": [same]}, INT4={"items": [same]})
    ((_, severity, said),) = findings(shelf, "items_all_equal")
    assert severity is Severity.ERROR
    assert "gave the same on all 2 items of perplexity, which rounding cannot" in said


def test_memory_below_what_the_stored_weights_take_is_found(shelf: Any) -> None:
    """Of weights in four bits, less than two bytes for each is no mistake."""
    fill(shelf, INT4={"peak_memory_gb": 0.8}, INT8={"peak_memory_gb": 1.0})
    ((_, _, said),) = findings(shelf, "memory_below_weights")
    assert said == "Peak memory is 1 GB on each of 1 devices, but 1000000000 parameters take 1.1 GB."
