"""What the paper claims of image and vision-language models, against its tables in plain Python."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import pytest
from effdsl_analysis.questions.claims.verdicts import claims

pytestmark = pytest.mark.slow  # every verdict of the paper is computed

Block = dict[str, dict[str, Any]]
Cases = dict[str, bool | None]

ATTENTION, EXPERTS = "table10_lvm_attention.csv", "table11_lvm_moe.csv"
VLM, LVM = "table12_vlm_peft.csv", "table13_lvm_peft.csv"
AL, ST, TT, AEC, AMU = (
    "al_s_per_iter",
    "st_samples_per_param_s",
    "tt_tokens_per_param_s",
    "aec_w",
    "amu_gb",
)


def ordered(block: Block, metric: str) -> list[tuple[Fraction, str]]:
    return sorted((row[metric], method) for method, row in block.items())


def lowest(block: Block, method: str, metric: str) -> bool:
    return bool(block[method][metric] == ordered(block, metric)[0][0])


def highest(block: Block, method: str, metric: str) -> bool:
    return bool(block[method][metric] == ordered(block, metric)[-1][0])


def c69(paper: Any) -> Cases:
    blocks = paper.blocks(ATTENTION)
    return {model: lowest(blocks[model], "gqa", "fid") for model in ("dit-xl-2", "dit-b-4")}


def c70(paper: Any) -> Cases:
    return {
        f"{model}, {method}": block[method]["fid"] < block["mha"]["fid"]
        for model, block in paper.blocks(ATTENTION).items()
        for method in ("mqa", "gqa")
    }


def c71(paper: Any) -> Cases:
    return {
        model: {method for _, method in ordered(block, "fid")[:2]} == {"mqa", "gqa"}
        for model, block in paper.blocks(ATTENTION).items()
    }


def c72(paper: Any) -> Cases:
    return {"dit-xl-2": lowest(paper.blocks(ATTENTION)["dit-xl-2"], "mqa", AL)}


def c73(paper: Any) -> Cases:
    methods = [method for _, method in ordered(paper.blocks(ATTENTION)["dit-b-4"], "fid")]
    return {"dit-b-4": methods.index("mla") <= 2}


def c74(paper: Any) -> Cases:
    found: Cases = {}
    for model, block in paper.blocks(EXPERTS).items():
        for label, metric in (("FID", "fid"), ("AL", AL)):
            found[f"{label}, {model}"] = block["moe"][metric] < block["dense"][metric]
        for label, metric in (("TT", TT), ("AMU", AMU), ("AEC", AEC)):
            found[f"{label}, {model}"] = block["moe"][metric] > block["dense"][metric]
    return found


def c75(paper: Any) -> Cases:
    block = paper.blocks(EXPERTS)["dit-b-4"]
    gain = 100 * (block["moe"][TT] / block["dense"][TT] - 1)
    return {"higher, dit-b-4": gain > 0, "about 50%, dit-b-4": 45 <= gain <= 55}


def c76(paper: Any) -> Cases:
    winners = {
        "llava-1.5-7b": "lora-plus",
        "qwen2.5-vl-7b": "pissa",
        "internvl-3-38b": "pissa",
        "qvq-72b": "rslora",
    }
    return {model: lowest(paper.blocks(VLM)[model], method, "loss") for model, method in winners.items()}


def c77(paper: Any) -> Cases:
    found: Cases = {}
    for model, block in paper.blocks(VLM).items():
        own = block.pop("lora-plus")
        found[model] = all(
            any(row[metric] >= own[metric] for row in block.values()) for metric in ("loss", AMU, AL, AEC)
        )
    return found


def c78(paper: Any) -> Cases:
    return {model: highest(block, "dora", AL) for model, block in paper.blocks(VLM).items()}


def c79(paper: Any) -> Cases:
    block = paper.blocks(VLM)["qwen2.5-vl-7b"]
    return {
        "AMU, qwen2.5-vl-7b": lowest(block, "full", AMU),
        "AL, qwen2.5-vl-7b": highest(block, "full", AL),
    }


def c80(paper: Any) -> Cases:
    blocks = paper.blocks(LVM)
    return {f"loss, {model}": lowest(block, "full", "loss") for model, block in blocks.items()} | {
        f"AMU, {model}": highest(block, "full", AMU) for model, block in blocks.items()
    }


def c81(paper: Any) -> Cases:
    block = paper.blocks(LVM)["wan-2.1"]
    best = min(row["loss"] for method, row in block.items() if method != "full")
    return {"wan-2.1": block["glora"]["loss"] <= Fraction("1.1") * best}


def c82(paper: Any) -> Cases:
    block = paper.blocks(LVM)["stable-diffusion-3.5-medium"]
    del block["full"]
    two = {method for _, method in ordered(block, "loss")[:2]}
    return {"stable-diffusion-3.5-medium": two == {"loha", "glora"}}


def c83(paper: Any) -> Cases:
    return {model: highest(block, "full", ST) for model, block in paper.blocks(LVM).items()}


ORACLES = {name.upper(): value for name, value in globals().items() if re.fullmatch(r"c\d+", name)}


@pytest.mark.parametrize("claim", ORACLES)
def test_a_claim_has_the_cases_that_the_tables_have(claim: str, paper: Any, published_cases: Any) -> None:
    assert published_cases[claim] == ORACLES[claim](paper)


def drawn(method: str, size: str = "dit-b-4", **metrics: Any) -> dict[str, Any]:
    """A method on one backbone, each metric with its repeats."""
    return {"method": method, "size": size} | metrics


@pytest.mark.parametrize(
    ("mqa", "expected"), [([20, 21, 22], True), ([60, 61, 62], False), ([30, 40, 50], None)]
)
def test_two_methods_lead_together(cases_of: Any, mqa: list[float], expected: bool | None) -> None:
    """GQA leads; MQA leads, trails or is tied with the next."""
    found = cases_of(
        "C71",
        drawn("gqa", fid=[10, 11, 12]),
        drawn("mqa", fid=mqa),
        *(drawn(method, fid=[42, 43, 44]) for method in ("mha", "mla", "nsa")),
        axis="attention",
        modality="image",
    )
    assert found == {"dit-b-4": expected}


def test_leading_together_takes_both(cases_of: Any) -> None:
    """Without GQA it is open whether both lead."""
    found = cases_of(
        "C71",
        drawn("mqa", fid=[10, 11, 12]),
        *(drawn(method, fid=[42, 43, 44]) for method in ("mha", "mla", "nsa")),
        axis="attention",
        modality="image",
    )
    assert found == {"dit-b-4": None}


def test_the_better_half_holds_the_middle_method(cases_of: Any) -> None:
    """With two of four others below it a method performs well; tied with one of three it is open."""
    others = [drawn("mqa", fid=[10, 11, 12]), drawn("gqa", fid=[10, 11, 12]), drawn("mha", fid=[70, 71, 72])]
    mla = drawn("mla", fid=[42, 43, 44])
    for nsa, expected in (([60, 61, 62], True), ([20, 21, 22], False), ([41, 43, 46], None)):
        found = cases_of("C73", mla, *others, drawn("nsa", fid=nsa), axis="attention", modality="image")
        assert found == {"dit-b-4": expected}


@pytest.mark.parametrize(("moe", "size"), [(1.5e-5, True), (1.8e-5, False)])
def test_about_half_as_much_again(cases_of: Any, moe: float, size: bool) -> None:
    """50% more is about 50%, 80% more is not."""
    found = cases_of(
        "C75",
        drawn("dense", tt_tokens_per_param_s=[1e-5, 1e-5]),
        drawn("moe", tt_tokens_per_param_s=[moe, moe]),
        axis="feed_forward",
        modality="image",
    )
    assert found == {"higher, dit-b-4": True, "about 50%, dit-b-4": size}


def test_balance_needs_all_four_metrics(cases_of: Any) -> None:
    """A worst place denies it; a metric that is missing leaves it open."""
    figures = {"loss": [1, 1], "amu_gb": [10, 10], "al_s_per_iter": [2, 2], "aec_w": [300, 300]}
    better = drawn("lora", "qvq-72b", **figures)
    equal = better | {"method": "lora-plus"}
    asked = {"axis": "fine_tuning", "modality": "vision-language"}
    assert cases_of("C77", better, equal, **asked) == {"qvq-72b": True}
    assert cases_of("C77", better, equal | {"loss": [2, 2]}, **asked) == {"qvq-72b": False}
    del equal["aec_w"]
    assert cases_of("C77", better, equal, **asked) == {"qvq-72b": None}


def test_other_evidence_has_no_cases(shelf: Any) -> None:
    """Measured attention in text says nothing about images."""
    shelf.repeats("MHA", ppl=[9.0, 9.1, 9.2], al_s_per_iter=[1.0, 1.1, 1.2])
    shelf.repeats("MQA", ppl=[9.5, 9.6, 9.7], al_s_per_iter=[0.8, 0.9, 1.0])
    asked = claims(shelf.store, ids=list(ORACLES))
    assert [claim.id for claim in asked.claims if claim.cases] == []
