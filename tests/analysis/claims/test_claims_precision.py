"""What the paper claims of inference precision, against cases counted from its tables in plain Python."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import combinations
from statistics import mean
from typing import Any

import pytest
from effdsl_analysis.questions.claims.verdicts import claims

pytestmark = pytest.mark.slow  # every verdict of the paper is computed

Cases = dict[str, bool | None]

EFFICIENCY, BENCHMARKS = "table09_quantization.csv", "table16_benchmarks.csv"
LABELS = {
    "mmlu_pro": "MMLU-Pro",
    "bbh": "BBH",
    "gpqa": "GPQA",
    "ifeval": "IFEval",
    "math": "MATH",
    "musr": "MuSR",
}
POINT = Fraction("0.01")


def lower(paper: Any, a: str, b: str, metric: str, prefix: str = "") -> Cases:
    return {
        prefix + model: block[a][metric] < block[b][metric]
        for model, block in paper.blocks(EFFICIENCY).items()
    }


def higher(paper: Any, a: str, b: str, metric: str, prefix: str = "") -> Cases:
    return lower(paper, b, a, metric, prefix)


def near(value: Fraction, claimed: str) -> bool:
    return abs(value / Fraction(claimed) - 1) <= Fraction("0.1")


def largest_cut(paper: Any, metric: str) -> Fraction:
    return max(
        block["bfloat16"][metric] / block["int4"][metric] for block in paper.blocks(EFFICIENCY).values()
    )


def mean_saving(paper: Any, metric: str) -> Fraction:
    """By how many percent bfloat16 stays below float16, mean over the models."""
    return mean(
        100 * (1 - block["bfloat16"][metric] / block["float16"][metric])
        for block in paper.blocks(EFFICIENCY).values()
    )


def c50(paper: Any) -> Cases:
    return higher(paper, "int4", "bfloat16", "it_tokens_per_s")


def c51(paper: Any) -> Cases:
    return higher(paper, "int4", "bfloat16", "it_tokens_per_s", "higher, ") | {
        f"3x, {model}": near(block["int4"]["it_tokens_per_s"] / block["bfloat16"]["it_tokens_per_s"], "3")
        for model, block in paper.blocks(EFFICIENCY).items()
    }


def c52(paper: Any) -> Cases:
    return lower(paper, "int4", "bfloat16", "amu_gb")


def c53(paper: Any) -> Cases:
    return c52(paper) | {"up to 3.9x": near(largest_cut(paper, "amu_gb"), "3.9")}


def c54(paper: Any) -> Cases:
    return c55(paper) | {"up to 3.9x": near(largest_cut(paper, "aec_w"), "3.9")}


def c55(paper: Any) -> Cases:
    return lower(paper, "int4", "bfloat16", "aec_w")


def c56(paper: Any) -> Cases:
    rates = [row["mcr"] for block in paper.blocks(EFFICIENCY).values() for row in block.values()]
    return {"highest MCR": near(max(rates), "3.9")}


def c57(paper: Any) -> Cases:
    return lower(paper, "int4", "bfloat16", "avg_perf", "lower, ") | {
        f"3-5 points, {model}": Fraction("2.5")
        <= (block["bfloat16"]["avg_perf"] - block["int4"]["avg_perf"]) / POINT
        <= Fraction("5.5")
        for model, block in paper.blocks(EFFICIENCY).items()
    }


def c58(paper: Any) -> Cases:
    return lower(paper, "bfloat16", "float16", "sum_al_s")


def c59(paper: Any) -> Cases:
    return c58(paper) | {"mean about 6%": near(mean_saving(paper, "sum_al_s"), "6")}


def c60(paper: Any) -> Cases:
    return lower(paper, "bfloat16", "float16", "aec_w")


def c61(paper: Any) -> Cases:
    return c60(paper) | {"mean about 9%": near(mean_saving(paper, "aec_w"), "9")}


def c62(paper: Any) -> Cases:
    model = "deepseek-r1-distill-qwen-1.5b"
    return {f"Sum AL, {model}": c58(paper)[model], f"AEC, {model}": c60(paper)[model]}


def c63(paper: Any) -> Cases:
    return {
        model: block["bfloat16"]["avg_perf"] == max(row["avg_perf"] for row in block.values())
        for model, block in paper.blocks(EFFICIENCY).items()
    }


def c64(paper: Any) -> Cases:
    scores = paper.blocks(BENCHMARKS)
    return {
        f"{method}, {model}": abs(row["avg_perf"] - mean(scores[model][method][name] for name in LABELS))
        <= Fraction("0.0001")
        for model, block in paper.blocks(EFFICIENCY).items()
        for method, row in block.items()
    }


def c65(paper: Any) -> Cases:
    scores = paper.blocks(BENCHMARKS)
    sizes = ("qwen2.5-7b", "qwen2.5-14b", "qwen2.5-32b")
    return {
        label: all(
            scores[small]["bfloat16"][name] < scores[large]["bfloat16"][name]
            for small, large in combinations(sizes, 2)
        )
        for name, label in LABELS.items()
    }


def c66(paper: Any) -> Cases:
    found: Cases = {}
    for model, block in paper.blocks(BENCHMARKS).items():
        share = {name: block["int4"][name] / block["bfloat16"][name] for name in LABELS}
        points = {name: block["int4"][name] - block["bfloat16"][name] for name in LABELS}
        found[f"by share, {model}"] = min(share, key=lambda name: share[name]) == "math"
        found[f"in points, {model}"] = min(points, key=lambda name: points[name]) == "math"
    return found


def c67(paper: Any) -> Cases:
    return {
        f"{label}, {model}": abs(block["bfloat16"][name] - block["float16"][name]) <= POINT
        for model, block in paper.blocks(BENCHMARKS).items()
        for name, label in LABELS.items()
    }


def c68(paper: Any) -> Cases:
    def rank(name: str) -> int:
        scores = {model: block["bfloat16"][name] for model, block in paper.blocks(BENCHMARKS).items()}
        assert len(scores) == 9
        return 1 + sum(score > scores["phi-4"] for score in scores.values())

    return {
        "strong on BBH": rank("bbh") <= 3,
        "strong on GPQA": rank("gpqa") <= 3,
        "weak on IFEval": rank("ifeval") >= 7,
    }


ORACLES = {name.upper(): value for name, value in globals().items() if re.fullmatch(r"c\d+", name)}


@pytest.mark.parametrize("claim", ORACLES)
def test_a_claim_has_the_cases_that_the_tables_have(claim: str, paper: Any, published_cases: Any) -> None:
    assert published_cases[claim] == ORACLES[claim](paper)


def at(method: str, size: str = "phi-4", size_b: float | None = 14, **metrics: Any) -> dict[str, Any]:
    """A precision of one model, each metric with its repeats."""
    return {"method": method, "size": size, "size_b": size_b} | metrics


@pytest.mark.parametrize(
    ("rates", "higher_", "tripled"),
    [
        ([149, 150, 151], True, True),
        ([99, 100, 101], True, False),
        ([120, 130, 150], True, None),
        ([35, 50, 65], None, False),
    ],
)
def test_direction_and_size_are_decided_apart(
    cases_of: Any, rates: list[float], higher_: bool | None, tripled: bool | None
) -> None:
    """An interval can decide that throughput is higher and leave open whether it is tripled."""
    found = cases_of(
        "C51",
        at("bfloat16", it_tokens_per_s=[50, 50, 50]),
        at("int4", it_tokens_per_s=rates),
        axis="precision",
    )
    assert found == {"higher, phi-4": higher_, "3x, phi-4": tripled}


def test_the_largest_cut_decides_up_to(cases_of: Any) -> None:
    """One model at 3.9x is enough for "up to 3.9x"; a cut of 6x is beyond it."""
    small = (at("bfloat16", "a", 1, amu_gb=[10, 10]), at("int4", "a", 1, amu_gb=[8, 8]))
    large = (at("bfloat16", "b", 2, amu_gb=[39, 39]), at("int4", "b", 2, amu_gb=[10, 10]))
    both = {"a": True, "b": True}
    assert cases_of("C53", *small, axis="precision") == {"a": True, "up to 3.9x": False}
    assert cases_of("C53", *small, *large, axis="precision") == both | {"up to 3.9x": True}
    huge = (large[0], large[1] | {"amu_gb": [6.5, 6.5]})
    assert cases_of("C53", *small, *huge, axis="precision") == both | {"up to 3.9x": False}


def test_the_mean_over_models_decides_about_six_percent(cases_of: Any) -> None:
    """2% and 10% less time are 6% on average."""
    found = cases_of(
        "C59",
        at("bfloat16", "a", 1, sum_al_s=[98, 98]),
        at("float16", "a", 1, sum_al_s=[100, 100]),
        at("bfloat16", "b", 2, sum_al_s=[90, 90]),
        at("float16", "b", 2, sum_al_s=[100, 100]),
        axis="precision",
    )
    assert found == {"a": True, "b": True, "mean about 6%": True}


def test_a_mean_that_is_not_the_benchmarks_mean_is_found(cases_of: Any) -> None:
    """The benchmarks of the same cell are those that its mean is compared with."""
    right = at("int4", **{name: [0.1 * place] for place, name in enumerate(LABELS)}, avg_perf=[0.25])
    wrong = right | {"method": "bfloat16", "avg_perf": [0.26]}
    assert cases_of("C64", right, wrong, axis="precision") == {"int4, phi-4": True, "bfloat16, phi-4": False}


def test_sensitivity_is_open_while_intervals_overlap(cases_of: Any) -> None:
    """MATH loses most, hardly or by far."""
    before = at("bfloat16", **dict.fromkeys(LABELS, (0.50, 0.51, 0.49)))
    after = at("int4", **dict.fromkeys(LABELS, (0.45, 0.46, 0.44)))
    by_far = after | {"math": [0.10, 0.11, 0.09]}
    hardly = after | {"math": [0.44, 0.46, 0.43]}
    other = after | {"bbh": [0.10, 0.11, 0.09]}
    for found, expected in ((by_far, True), (hardly, None), (other, False)):
        both = {"by share, phi-4": expected, "in points, phi-4": expected}
        assert cases_of("C66", before, found, axis="precision") == both


def test_the_largest_share_lost_need_not_be_the_most_points(cases_of: Any) -> None:
    """A low MATH score that halves loses fewer points than a high BBH score that falls by a third."""
    before = at("bfloat16", **dict.fromkeys(LABELS, (0.60, 0.60)) | {"math": (0.20, 0.20)})
    after = at("int4", **dict.fromkeys(LABELS, (0.59, 0.59)) | {"math": (0.10, 0.10), "bbh": (0.40, 0.40)})
    found = cases_of("C66", before, after, axis="precision")
    assert found == {"by share, phi-4": True, "in points, phi-4": False}


def test_scores_rise_with_size_unless_two_are_tied(cases_of: Any) -> None:
    """A tie between two sizes leaves the benchmark open, and a fall denies it."""
    models = [
        at("bfloat16", "qwen2.5-7b", 7, math=[0.20, 0.21, 0.22]),
        at("bfloat16", "qwen2.5-14b", 14, math=[0.30, 0.31, 0.32]),
        at("bfloat16", "qwen2.5-32b", 32, math=[0.40, 0.41, 0.42]),
    ]
    for middle, expected in (
        ([0.30, 0.31, 0.32], True),
        ([0.19, 0.21, 0.24], None),
        ([0.10, 0.11, 0.12], False),
    ):
        models[1]["math"] = middle
        assert cases_of("C65", *models, axis="precision") == {"MATH": expected}


def test_a_rank_is_open_between_models_that_are_tied(cases_of: Any) -> None:
    """Phi-4 second or first of three is not certainly in the first third."""
    models = [
        at("bfloat16", "phi-4", bbh=[0.60, 0.61, 0.62]),
        at("bfloat16", "yi-34b", 34, bbh=[0.59, 0.61, 0.64]),
        at("bfloat16", "qwen2.5-7b", 7, bbh=[0.40, 0.41, 0.42]),
    ]
    assert cases_of("C68", *models, axis="precision") == {"strong on BBH": None}
    models[1]["bbh"] = [0.50, 0.51, 0.52]
    assert cases_of("C68", *models, axis="precision") == {"strong on BBH": True}


def test_other_evidence_has_no_cases(shelf: Any) -> None:
    """Measured attention says nothing about precision."""
    shelf.repeats("MHA", ppl=[9.0, 9.1, 9.2], al_s_per_iter=[1.0, 1.1, 1.2])
    shelf.repeats("MQA", ppl=[9.5, 9.6, 9.7], al_s_per_iter=[0.8, 0.9, 1.0])
    asked = claims(shelf.store, ids=list(ORACLES))
    assert [claim.id for claim in asked.claims if claim.cases] == []
