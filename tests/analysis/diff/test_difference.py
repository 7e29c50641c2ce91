"""What differs between two results, and only that."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
from effdsl_analysis import diff
from effdsl_analysis.questions.diff.difference import Difference, compare
from effdsl_registry.errors import UnknownKey


def changes(found: Difference, part: str) -> dict[str, tuple[str, str]]:
    return {change.name: (change.a, change.b) for change in found.of(part)}


def test_a_result_is_equal_to_itself(shelf: Any) -> None:
    key = shelf.add("MHA", ppl=50.0)
    found = diff(shelf.store, key[:10], key)
    assert found.changes == ()
    assert found.to_json()["equal"] is True
    assert "are equal" in found._repr_html_()


def test_columns_are_named_once_and_other_fields_of_the_task_by_their_path(shelf: Any) -> None:
    tasks = [
        {"$": "task", "cell": {"$": "cell", "recipe": {"$": "adamw", "learning_rate": rate}}, "seed": seed}
        for seed, rate in ((0, 0.001), (1, 0.002))
    ]
    keys = [shelf.add("MHA", seed=task["seed"], canonical=json.dumps(task)) for task in tasks]
    assert changes(diff(shelf.store, *keys), "identity") == {
        "seed": ("0", "1"),
        "recipe.learning_rate": ("0.001", "0.002"),
    }


def test_a_field_that_only_one_task_has_stands_against_a_dash(shelf: Any) -> None:
    mha = shelf.add("MHA", canonical=json.dumps({"cell": {"attention": {"$": "gqa", "kv_heads": 8}}}))
    mla = shelf.add("MLA", canonical=json.dumps({"cell": {"attention": {"$": "mla", "ranks": [4, 2]}}}))
    found = changes(diff(shelf.store, mha, mla), "identity")
    assert found["attention.kv_heads"] == ("8", "–")
    assert found["attention.ranks.1"] == ("–", "2")


@pytest.mark.parametrize(
    ("metric", "a", "b", "verdict"),
    [
        ("ppl", 50.0, 55.0, "+10.00% (worse)"),
        ("ppl", 50.0, 45.0, "-10.00% (better)"),
        ("tokens_per_s", 100.0, 125.0, "+25.00% (better)"),
        ("ppl", 0.0, 1.0, "worse"),
    ],
)
def test_a_metric_says_by_how_much_and_in_which_direction(
    shelf: Any, metric: str, a: float, b: float, verdict: str
) -> None:
    keys = [shelf.add(technique, **{metric: value}) for technique, value in (("MHA", a), ("MQA", b))]
    (change,) = diff(shelf.store, *keys).of("metrics")
    assert change.verdict == verdict
    assert change.relative == (pytest.approx((b - a) / a) if a else None)


def test_a_difference_beyond_the_twelfth_digit_is_none(shelf: Any) -> None:
    keys = [shelf.add(technique, ppl=value) for technique, value in (("MHA", 0.3), ("MQA", 0.1 + 0.2))]
    assert diff(shelf.store, *keys).of("metrics") == []


def test_a_missing_metric_is_shown_with_its_reason_and_never_as_zero(shelf: Any) -> None:
    with_meter = shelf.add("MHA", aec_w=100.0)
    without = shelf.add("MQA", missing={"aec_w": "no power meter"})
    assert changes(diff(shelf.store, with_meter, without), "metrics") == {
        "AEC (W)": ("100", "– (no power meter)")
    }


def test_outcome_and_provenance_are_compared_field_by_field(shelf: Any) -> None:
    a = shelf.store.record(shelf.add("MHA", ppl=50.0))
    b = attrs.evolve(
        a,
        outcome="oom",
        reason="needs 90 GB",
        provenance=attrs.evolve(a.provenance, host="b", libraries={"torch": "2.12.0", "numpy": "2.0"}),
    )
    found = compare(a, b)
    assert changes(found, "outcome") == {"outcome": ("ok", "oom"), "reason": ("–", "needs 90 GB")}
    assert changes(found, "provenance") == {
        "host": ("–", "b"),
        "libraries.torch": ("2.13.0", "2.12.0"),
        "libraries.numpy": ("–", "2.0"),
    }


def test_a_key_that_is_not_there_is_refused(shelf: Any) -> None:
    key = shelf.add("MHA")
    with pytest.raises(UnknownKey):
        diff(shelf.store, key, "0000000000" if key[0] != "0" else "1111111111")


def test_digests_are_shown_by_their_first_digits_and_kept_whole_in_the_document(shelf: Any) -> None:
    """Two whole digests beside each other would be broken in the middle on any usual terminal."""
    one, other = "1234567890" + "a" * 54, "abcdef0123" + "b" * 54
    keys = [shelf.add("MHA", seed=seed, data_revision=text) for seed, text in enumerate((one, other))]
    found = diff(shelf.store, *keys)
    shown = found._repr_html_()
    assert "1234567890…" in shown
    assert "abcdef0123…" in shown
    assert one not in shown
    assert one in json.dumps(found.to_json())
