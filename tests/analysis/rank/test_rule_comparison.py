"""Rules of ranking side by side on what was measured at several scales."""

from __future__ import annotations

from typing import Any

import pytest
from effdsl_analysis.ask import UnknownName
from effdsl_analysis.questions.rank.rule_comparison import RuleComparison, RuledRanks, compare_rules

pytestmark = pytest.mark.slow

AXES = {"backbone": "Transformer", "feed_forward": "SwiGLU"}


@pytest.fixture
def two_scales(shelf: Any) -> Any:
    """MHA is a little better at 3M, GQA much better at 6M; MQA has no result at 6M."""
    for technique, scale, ppl in (
        ("MHA", "3M", [10.0, 10.2]),
        ("GQA", "3M", [11.0, 11.2]),
        ("MQA", "3M", [12.0, 12.2]),
        ("MHA", "6M", [9.0, 9.2]),
        ("GQA", "6M", [5.0, 5.2]),
    ):
        shelf.repeats(technique, ppl=ppl, scale=scale, **AXES)
    return shelf


def ruled(found: RuleComparison) -> dict[str, RuledRanks]:
    return {row.technique: row for row in found.rows if row.group == "attention"}


def test_means_over_repeats_are_ranked_at_each_scale_and_over_all(two_scales: Any) -> None:
    found = ruled(compare_rules(two_scales.store))
    averages = {"mean": 1, "median": 1, "geometric_mean": 1, "mean_of_ranks": 1, "normalised": 1}
    assert found["GQA"].ranks == averages
    assert dict(found["GQA"].ranks_by_scale) == {"3M": 2, "6M": 1}
    assert (found["GQA"].averages_agree, found["GQA"].scales_agree) == (True, False)
    # At 3M eq. 10 puts MHA at 1.0 and GQA at 0.55, at 6M MHA at 0.1 and GQA at 1.0.
    assert found["MHA"].ranks == {**averages, "mean": 2, "median": 2, "geometric_mean": 2, "normalised": 2}


def test_a_technique_without_a_value_at_every_scale_has_no_average_and_is_named(two_scales: Any) -> None:
    found = compare_rules(two_scales.store)
    assert ruled(found)["MQA"].ranks == {}
    assert ruled(found)["MQA"].averages_agree is None
    assert dict(ruled(found)["MQA"].ranks_by_scale) == {"3M": 3}
    assert "Left out, for want of a value at every scale: MQA (PPL)." in found._repr_html_()


def test_a_value_of_zero_has_no_geometric_mean(shelf: Any) -> None:
    for scale in ("3M", "6M"):
        shelf.repeats("MHA", pcu=[0.0, 0.0], scale=scale, **AXES)
        shelf.repeats("GQA", pcu=[0.5, 0.5], scale=scale, **AXES)
    found = ruled(compare_rules(shelf.store))
    assert found["MHA"].ranks == {"mean": 2, "median": 2, "mean_of_ranks": 2, "normalised": 2}


def test_results_on_other_data_are_a_group_of_their_own(two_scales: Any) -> None:
    for technique in ("MHA", "GQA"):
        two_scales.repeats(technique, ppl=[3.0, 3.1], data="TinyStories", **AXES)
    groups = {row.group: row.title for row in compare_rules(two_scales.store).rows}
    assert list(groups) == ["attention", "attention-2"]
    assert "Shakespeare" in groups["attention"]
    assert "TinyStories" in groups["attention-2"]


def test_energies_that_different_meters_read_are_not_ranked_together(shelf: Any) -> None:
    shelf.repeats("MHA", aec_w=[50.0, 51.0], ppl=[9.0, 9.1], meter_scope="gpu", **AXES)
    shelf.repeats("GQA", aec_w=[60.0, 61.0], ppl=[9.0, 9.1], meter_scope="package", **AXES)
    found = compare_rules(shelf.store)
    assert {row.metric for row in found.rows} == {"ppl"}
    with pytest.raises(UnknownName, match="aec_w is not ranked"):
        compare_rules(shelf.store, metrics=["aec_w"])


def test_cells_of_one_name_at_one_scale_are_told_apart(shelf: Any) -> None:
    for micro_batch_size in (4, 8):
        shelf.repeats("MHA", ppl=[9.0, 9.1], micro_batch_size=micro_batch_size, **AXES)
    shelf.repeats("GQA", ppl=[9.0, 9.1], **AXES)
    names = set(ruled(compare_rules(shelf.store))) - {"GQA"}
    assert len(names) == 2
    assert all(name.startswith("MHA (cell ") for name in names)


def test_metrics_off_the_default_table_are_ranked_when_named(shelf: Any) -> None:
    for technique in ("MHA", "GQA"):
        shelf.repeats(technique, ppl=[9.0, 9.1], prefill_s=[1.0, 1.1], **AXES)
    found = compare_rules(shelf.store, metrics=["prefill_s"])
    assert {row.metric for row in found.rows} == {"prefill"}
