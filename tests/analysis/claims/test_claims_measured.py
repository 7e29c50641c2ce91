"""The same claims, asked of what was measured: verdicts of its own, with intervals, and open cases."""

from __future__ import annotations

from typing import Any

import pytest
from effdsl_analysis.questions.claims.verdicts import Claim, claims

pytestmark = pytest.mark.slow  # every verdict of the paper is computed

TRANSFORMER = {"backbone": "Transformer", "feed_forward": "SwiGLU"}


def asked(shelf: Any, id_: str) -> Claim:
    (claim,) = claims(shelf.store, ids=[id_]).claims
    return claim


def outcome(shelf: Any, id_: str) -> tuple[str, int, int, int]:
    claim = asked(shelf, id_)
    return claim.verdict.value, claim.supporting, claim.contradicting, claim.undecided


def attention(shelf: Any, metric: str, scale: str = "3M", **values: Any) -> None:
    """Three repeats of each technique, one per value or around it; values are hundreds apart from noise."""
    for technique, value in values.items():
        repeats = value if isinstance(value, list) else [value - 0.01, value, value + 0.01]
        shelf.repeats(technique, scale=scale, **{metric: repeats}, **TRANSFORMER)


def moe(shelf: Any, metric: str, dense: list[float], mixture: list[float], **columns: Any) -> None:
    shared = {"attention": "GQA", "backbone": "Transformer", "active_parameters": 3_000_000}
    shelf_add = {"SwiGLU": dense, "MoE": mixture}
    for technique, values in shelf_add.items():
        for seed, value in enumerate(values):
            shelf.add(technique, feed_forward=technique, seed=seed, **{metric: value}, **shared, **columns)


def shapes(shelf: Any, **losses: list[float]) -> None:
    """Shapes named like ``_4x256``."""
    for name, values in losses.items():
        layers, width = map(int, name.strip("_").split("x"))
        for seed, value in enumerate(values):
            shelf.add(
                "GQA",
                aspect=f"{layers} x {width}",
                layers=layers,
                hidden_size=width,
                seed=seed,
                held_out_loss=value,
                **TRANSFORMER,
            )


def test_a_claim_holds_when_every_rival_is_certainly_beyond(shelf: Any) -> None:
    attention(shelf, "amu_gb", MQA=1.0, GQA=2.0, MLA=3.0, NSA=4.0)
    assert outcome(shelf, "C1") == ("holds", 1, 0, 0)


def test_it_fails_when_a_rival_is_certainly_lower_even_one_that_the_paper_does_not_name(shelf: Any) -> None:
    attention(shelf, "amu_gb", MQA=2.0, MoBA=1.0)
    assert outcome(shelf, "C1") == ("fails", 0, 1, 0)


def test_it_is_undecided_when_intervals_overlap(shelf: Any) -> None:
    attention(shelf, "amu_gb", MQA=[1.0, 2.0, 3.0], GQA=[1.5, 1.0, 3.5], MLA=9.0, NSA=9.0)
    assert outcome(shelf, "C1") == ("undecided", 0, 0, 1)
    assert "GQA 2 (tied)" in asked(shelf, "C1").cases[0].shown


def test_it_is_undecided_when_a_rival_that_the_paper_names_is_missing(shelf: Any) -> None:
    attention(shelf, "amu_gb", MQA=1.0, GQA=2.0, MLA=3.0)
    assert outcome(shelf, "C1") == ("undecided", 0, 0, 1)
    assert asked(shelf, "C1").cases[0].shown.endswith("missing: nsa")


def test_it_is_undecided_when_there_is_one_repeat_only(shelf: Any) -> None:
    for technique, gb in {"MQA": 1.0, "GQA": 2.0, "MLA": 3.0, "NSA": 4.0}.items():
        shelf.add(technique, amu_gb=gb, **TRANSFORMER)
    assert outcome(shelf, "C1") == ("undecided", 0, 0, 1)


def test_every_scale_is_a_case_and_scales_are_never_mixed(shelf: Any) -> None:
    attention(shelf, "amu_gb", MQA=1.0, GQA=2.0, MLA=3.0, NSA=4.0)
    attention(shelf, "amu_gb", scale="9M", MQA=8.0, GQA=7.0, MLA=9.0, NSA=10.0)
    assert outcome(shelf, "C1") == ("partly", 1, 1, 0)
    assert [case.case for case in asked(shelf, "C1").cases] == ["3M", "9M"]


def test_cases_of_different_data_say_which(shelf: Any) -> None:
    for data in ("Shakespeare", "TinyStories"):
        for technique, gb in {"MQA": 1.0, "GQA": 2.0}.items():
            shelf.repeats(technique, data=data, amu_gb=[gb, gb + 0.01], **TRANSFORMER)
    names = [case.case for case in asked(shelf, "C1").cases]
    assert [name for name in names if "Shakespeare" in name]
    assert [name for name in names if "TinyStories" in name]


def test_what_was_measured_nowhere_is_open_and_named(shelf: Any) -> None:
    attention(shelf, "amu_gb", MQA=1.0, GQA=2.0, MLA=3.0, NSA=4.0)
    assert outcome(shelf, "C6") == ("undecided", 0, 0, 2)
    shown = [case.shown for case in asked(shelf, "C6").cases]
    assert shown == ["missing: AEC of NSA", "missing: a size of 0.5B to 3B"]


def test_a_study_without_the_technique_says_nothing(shelf: Any) -> None:
    attention(shelf, "amu_gb", GQA=2.0, MLA=3.0)
    assert outcome(shelf, "C1") == ("undecided", 0, 0, 0)
    assert outcome(shelf, "C30") == ("undecided", 0, 0, 0)


@pytest.mark.parametrize(("lowest", "expected"), [(42.24, ("holds", 2, 0, 0)), (41.0, ("fails", 1, 1, 0))])
def test_a_number_is_tested_beside_whose_it_is(shelf: Any, lowest: float, expected: Any) -> None:
    repeats = [lowest - 0.0001, lowest, lowest + 0.0001]
    attention(shelf, "amu_gb", scale="1.5B", MQA=repeats, GQA=50.0, MLA=51.0, NSA=52.0)
    assert outcome(shelf, "C3") == expected


def test_the_energy_of_a_run_is_compared_where_it_was_measured(shelf: Any) -> None:
    for technique, joules in {"NSA": 1.0, "MQA": 2.0, "GQA": 3.0, "MLA": 4.0}.items():
        values = [joules, joules + 0.01]
        shelf.repeats(technique, energy_j_per_token=values, meter_scope="package", **TRANSFORMER)
    assert outcome(shelf, "C7") == ("holds", 1, 0, 0)


FIVE = ("ppl", "amu_gb", "al_s_per_iter", "aec_w")


def five(shelf: Any, technique: str, value: float, without: str = "") -> None:
    metrics = {name: [value, value + 0.01] for name in FIVE if name != without}
    shelf.repeats(technique, tt_tokens_per_param_s=[9 - value, 9.01 - value], **metrics, **TRANSFORMER)


def test_a_method_that_is_best_on_all_metrics_contradicts_that_there_is_none(shelf: Any) -> None:
    five(shelf, "MQA", 1.0)
    five(shelf, "GQA", 2.0)
    assert outcome(shelf, "C8") == outcome(shelf, "C84") == ("fails", 0, 1, 0)
    assert outcome(shelf, "C85") == ("fails", 0, 1, 0)


def test_best_on_all_metrics_but_one_that_was_not_measured_is_open(shelf: Any) -> None:
    five(shelf, "MQA", 1.0, without="aec_w")
    five(shelf, "GQA", 2.0, without="aec_w")
    for id_ in ("C8", "C84", "C85"):
        assert outcome(shelf, id_) == ("undecided", 0, 0, 1)


def test_each_being_better_at_something_supports_it_whatever_was_not_measured(shelf: Any) -> None:
    shelf.repeats("MQA", ppl=[2.0, 2.01], amu_gb=[1.0, 1.01], **TRANSFORMER)
    shelf.repeats("GQA", ppl=[1.0, 1.01], amu_gb=[2.0, 2.01], **TRANSFORMER)
    for id_ in ("C8", "C84", "C85"):
        assert outcome(shelf, id_) == ("holds", 1, 0, 0)


@pytest.mark.parametrize(
    ("mixture", "expected"),
    [
        ([1.40, 1.41, 1.42], ("holds", 2, 0, 0)),
        ([1.70, 1.71, 1.72], ("fails", 1, 1, 0)),
        ([1.40, 1.30, 1.50], ("undecided", 1, 0, 1)),  # higher, but 15% to 65% is not certainly about 40%
        ([0.90, 0.91, 0.92], ("fails", 0, 2, 0)),
    ],
)
def test_direction_and_size_of_an_effect_are_cases_of_their_own(
    shelf: Any, mixture: list[float], expected: Any
) -> None:
    moe(shelf, "amu_gb", [1.0, 1.001, 1.002], mixture)
    assert outcome(shelf, "C15") == expected


def test_memory_is_compared_at_the_same_active_size_only(shelf: Any) -> None:
    moe(shelf, "amu_gb", [1.0, 1.001], [1.4, 1.401])
    for seed in (0, 1):
        shelf.add(
            "MoE(top_k=4)",
            attention="GQA",
            backbone="Transformer",
            feed_forward="MoE(top_k=4)",
            active_parameters=6_000_000,
            amu_gb=9.0 + seed / 1000,
            seed=seed,
        )
    assert outcome(shelf, "C15") == ("holds", 2, 0, 0)


@pytest.mark.parametrize(
    ("gain", "verdict"), [(0.035, "holds"), (0.05, "fails"), (0.01, "fails"), (-0.035, "fails")]
)
def test_a_gain_in_accuracy_is_tested_where_it_was_measured(shelf: Any, gain: float, verdict: str) -> None:
    moe(shelf, "mmlu_pro", [0.5, 0.5001, 0.5002], [0.5 + gain, 0.5001 + gain, 0.5002 + gain])
    assert asked(shelf, "C18").verdict.value == verdict


def test_dense_models_much_larger_than_an_expert_are_not_compared(shelf: Any) -> None:
    moe(shelf, "tt_tokens_per_param_s", [1.0, 1.01], [2.0, 2.01])
    for seed in (0, 1):
        shelf.add(
            "SwiGLU",
            attention="GQA",
            backbone="Transformer",
            feed_forward="SwiGLU",
            scale="30M",
            tt_tokens_per_param_s=5.0 + seed / 100,
            seed=seed,
        )
    assert outcome(shelf, "C17") == ("holds", 1, 0, 0)


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ({"_8x256": [3.0, 3.1, 3.2], "_7x256": [3.2, 3.1, 3.1]}, ("holds", 1, 0, 0)),
        ({"_8x256": [3.0, 3.01, 3.02], "_7x256": [3.3, 3.31, 3.32]}, ("fails", 0, 1, 0)),
        ({"_8x256": [3.0, 3.1, 3.2], "_2x512": [3.2, 3.1, 3.1]}, ("undecided", 0, 0, 1)),
        ({"_8x256": [3.0], "_7x256": [3.2]}, ("undecided", 0, 0, 1)),
    ],
)
def test_shapes_near_the_best_ratio_are_compared_with_it(shelf: Any, losses: Any, expected: Any) -> None:
    shapes(shelf, **losses)
    assert outcome(shelf, "C20") == expected


def test_a_small_study_neither_shows_nor_contradicts_how_much_the_paper_covers(shelf: Any) -> None:
    attention(shelf, "amu_gb", MQA=1.0, GQA=2.0)
    assert outcome(shelf, "C86") == ("undecided", 0, 0, 1)
    assert outcome(shelf, "C87") == ("undecided", 0, 0, 2)


def test_only_the_study_that_was_asked_for_counts(shelf: Any) -> None:
    for study, gb in (("small/one", 9.0), ("small/two", 1.0)):
        for technique, more in {"MQA": 0.0, "GQA": 1.0, "MLA": 2.0, "NSA": 3.0}.items():
            values = [gb + more, gb + more + 0.01]
            shelf.repeats(technique, study=study, data=study, amu_gb=values, **TRANSFORMER)
    (both,) = claims(shelf.store, ids=["C1"]).claims
    (one,) = claims(shelf.store, ids=["C1"], study="small/one").claims
    assert (len(both.cases), len(one.cases)) == (2, 1)
    assert one.cases[0].shown.startswith("MQA 9.005")
