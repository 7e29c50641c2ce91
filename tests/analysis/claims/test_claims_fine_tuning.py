"""What the paper claims of fine-tuning, against cases counted from its tables in plain Python."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from statistics import median
from typing import Any

import pytest
from effdsl_analysis.questions.claims.verdicts import claims

pytestmark = pytest.mark.slow  # every verdict of the paper is computed

Block = dict[str, dict[str, Any]]
Cases = dict[str, bool | None]

OPENO1, MEDICAL = "table07_peft_o1sft.csv", "table08_peft_medical.csv"
AL, ST, AEC, AMU = "al_s_per_iter", "st_samples_per_param_s", "aec_w", "amu_gb"


def peft(block: Block) -> Block:
    return {method: row for method, row in block.items() if method != "full"}


def first(block: Block, method: str, metric: str, least: bool = True) -> bool:
    """Is no other method of the block beyond this one?"""
    values = [row[metric] for row in block.values()]
    return bool(block[method][metric] == (min(values) if least else max(values)))


def billions(block: Block) -> Fraction:
    (value,) = {row["parameters_b"] for row in block.values()}
    return Fraction(value)


def models(paper: Any, file: str, sizes: Callable[[Fraction], bool] = lambda _: True) -> dict[str, Block]:
    return {model: block for model, block in paper.blocks(file).items() if sizes(billions(block))}


def rslora_against_lora(paper: Any, metric: str) -> Cases:
    return {
        model: block["rslora"][metric] < block["lora"][metric]
        for model, block in models(paper, OPENO1, lambda b: b >= 14).items()
    }


def c30(paper: Any) -> Cases:
    found = {}
    for model, block in models(paper, OPENO1, lambda b: b in (1, 3)).items():
        light = {method: row for method, row in peft(block).items() if row[AMU] < 60}
        found[model] = first(light, "lora-plus", "loss")
    return found


def c31(paper: Any) -> Cases:
    return {"llama-3.2-3b": first(peft(paper.blocks(OPENO1)["llama-3.2-3b"]), "pissa", "loss")}


def c32(paper: Any) -> Cases:
    return rslora_against_lora(paper, "loss")


def c33(paper: Any) -> Cases:
    large = models(paper, OPENO1, lambda b: b >= 14)
    return {model: first(peft(block), "rslora", "loss") for model, block in large.items()}


def c34(paper: Any) -> Cases:
    return rslora_against_lora(paper, AL)


def c35(paper: Any) -> Cases:
    return rslora_against_lora(paper, AEC)


def c36(paper: Any) -> Cases:
    return {
        f"{name}, {model}": block["rslora"][metric] >= block["lora"][metric]
        for name, metric in (("loss", "loss"), ("AL", AL), ("AEC", AEC))
        for model, block in models(paper, OPENO1, lambda b: b < 14).items()
    }


def in_both_tables(paper: Any, method: str, least: bool) -> Cases:
    return {
        f"{model} · Table {number}": first(block, method, AL, least)
        for number, file in ((7, OPENO1), (8, MEDICAL))
        for model, block in paper.blocks(file).items()
    }


def c37(paper: Any) -> Cases:
    return in_both_tables(paper, "freeze", least=True)


def c38(paper: Any) -> Cases:
    found: Cases = {}
    for model, block in paper.blocks(OPENO1).items():
        nearest = min(row[AL] for method, row in peft(block).items() if method != "freeze")
        found[f"faster, {model}"] = nearest > block["freeze"][AL]
        found[f"at least 3x, {model}"] = nearest >= 3 * block["freeze"][AL]
    return found


def c39(paper: Any) -> Cases:
    return {
        model: block["freeze"]["loss"]
        > min(block[method]["loss"] for method in ("lora", "lora-plus", "rslora", "dora", "pissa"))
        for model, block in paper.blocks(OPENO1).items()
    }


def c40(paper: Any) -> Cases:
    return in_both_tables(paper, "dora", least=False)


def c41(paper: Any) -> Cases:
    latencies = [block["dora"][AL] for block in paper.blocks(OPENO1).values()]
    return {
        "from 2.1505": min(latencies) == Fraction("2.1505"),
        "to 6.0606": max(latencies) == Fraction("6.0606"),
    }


def c42(paper: Any) -> Cases:
    return {
        model: block["dora"]["loss"] <= Fraction("1.1") * block["lora"]["loss"]
        for model, block in paper.blocks(OPENO1).items()
    }


def c43(paper: Any) -> Cases:
    largest = models(paper, OPENO1, lambda b: b == 24)
    return {model: first(block, "full", "loss", least=False) for model, block in largest.items()}


def c44(paper: Any) -> Cases:
    assert not models(paper, OPENO1, lambda b: b > 24)
    return {"above 24B": None}


def c45(paper: Any) -> Cases:
    found: Cases = {}
    for model, block in paper.blocks(OPENO1).items():
        samples = {method: row[ST] * row[AL] * row["parameters_b"] * 10**9 for method, row in block.items()}
        share = samples.pop("full") / median(samples.values())
        found[f"fewer, {model}"] = share < Fraction("0.99")
        found[f"half, {model}"] = Fraction("0.45") <= share <= Fraction("0.55")
    return found


def c46(paper: Any) -> Cases:
    return {
        f"{label}, {model}": first(block, "freeze", metric, least)
        for label, metric, least in (("loss", "loss", True), ("AL", AL, True), ("ST", ST, False))
        for model, block in paper.blocks(MEDICAL).items()
    }


def c47(paper: Any) -> Cases:
    block = peft(paper.blocks(MEDICAL)["llama-3.2-1b"])
    own = block.pop("lora-plus")[AEC]
    return {"llama-3.2-1b": 2 * sum(row[AEC] < own for row in block.values()) <= len(block)}


def c48(paper: Any) -> Cases:
    block = paper.blocks(MEDICAL)["llama-3.1-8b"]
    return {
        f"{label}, llama-3.1-8b": first(block, "full", metric, least=False)
        for label, metric in (("AMU", AMU), ("AEC", AEC))
    }


def c49(paper: Any) -> Cases:
    block = paper.blocks(MEDICAL)["llama-3.2-3b"]
    return {
        "AL, llama-3.2-3b": first(block, "dora", AL, least=False),
        "AEC, llama-3.2-3b": first(block, "dora", AEC, least=False),
        "no loss advantage, llama-3.2-3b": min(row["loss"] for row in peft(block).values())
        < block["dora"]["loss"],
    }


ORACLES = {name.upper(): value for name, value in globals().items() if re.fullmatch(r"c\d+", name)}


@pytest.mark.parametrize("claim", ORACLES)
def test_a_claim_has_the_cases_that_the_tables_have(claim: str, paper: Any, published_cases: Any) -> None:
    assert published_cases[claim] == ORACLES[claim](paper)


def tuned(method: str, size_b: float = 24, **metrics: Any) -> dict[str, Any]:
    """A method on one model of Table 7's data, each metric with its repeats."""
    return {"method": method, "size": f"{size_b:g}B", "size_b": size_b, "dataset": "openo1-sft"} | metrics


def test_an_interval_that_holds_zero_decides_nothing(cases_of: Any) -> None:
    """Repeats that overlap leave it open which of two methods is faster."""
    found = cases_of(
        "C34",
        tuned("rslora", al_s_per_iter=[1.0, 1.3, 1.1]),
        tuned("lora", al_s_per_iter=[1.1, 1.0, 1.4]),
        axis="fine_tuning",
    )
    assert found == {"24B": None}


def test_the_lowest_needs_every_rival(cases_of: Any) -> None:
    """Rivals that are missing leave open whether a loss is the lowest; one lower loss denies it."""
    low = tuned("rslora", loss=[0.40, 0.41, 0.42])
    high = tuned("lora", loss=[0.50, 0.51, 0.52])
    assert cases_of("C33", low, high, axis="fine_tuning") == {"24B": None}
    swapped = (low | {"method": "lora"}, high | {"method": "rslora"})
    assert cases_of("C33", *swapped, axis="fine_tuning") == {"24B": False}


def test_to_beat_is_to_win_by_loss_latency_or_power(cases_of: Any) -> None:
    """Each of the three denies the claim by itself; what is not told apart leaves it open."""
    slow = tuned("lora", 7, loss=[0.5, 0.6, 0.7], al_s_per_iter=[2.0, 2.1, 2.2], aec_w=[600, 601, 602])
    fast = tuned("rslora", 7, loss=[0.5, 0.7, 0.6], al_s_per_iter=[1.0, 1.1, 1.2], aec_w=[700, 701, 702])
    found = cases_of("C36", slow, fast, axis="fine_tuning")
    assert found == {"loss, 7B": None, "AL, 7B": False, "AEC, 7B": True}


def test_freezing_is_three_times_as_fast_as_the_next(cases_of: Any) -> None:
    """The size is decided by the nearest rival, and full fine-tuning is none."""
    frozen = tuned("freeze", al_s_per_iter=[1.0, 1.0, 1.0])
    rivals = [tuned(method, al_s_per_iter=[4.0, 4.1, 4.2]) for method in ("lora", "dora", "rslora", "pissa")]
    rivals.append(tuned("full", al_s_per_iter=[0.5, 0.5, 0.5]))
    for nearest, expected in (([3.2, 3.3, 3.4], True), ([2.2, 2.3, 2.4], False), ([2.5, 3.0, 3.5], None)):
        plus = tuned("lora-plus", al_s_per_iter=nearest)
        found = cases_of("C38", frozen, plus, *rivals, axis="fine_tuning")
        assert found == {"faster, 24B": True, "at least 3x, 24B": expected}


@pytest.mark.parametrize(("loss", "gains_little"), [(0.495, True), (0.51, True), (0.40, False)])
def test_a_model_above_24b_decides_what_full_fine_tuning_gains(
    cases_of: Any, loss: float, gains_little: bool
) -> None:
    """The gain over LoRA and the doubled power are cases of their own once there is a model above 24B."""
    found = cases_of(
        "C44",
        tuned("lora", 32, loss=[0.5, 0.501, 0.502], aec_w=[500, 501, 502]),
        tuned("full", 32, loss=[loss, loss + 0.001, loss + 0.002], aec_w=[1000, 1002, 1004]),
        axis="fine_tuning",
    )
    assert found == {"loss, 32B": gains_little, "AEC, 32B": True, "doubles, 32B": True}


def test_half_the_batch_is_half_the_samples_of_an_iteration(cases_of: Any) -> None:
    """Samples of an iteration are ST x AL x parameters."""
    found = cases_of(
        "C45",
        tuned("full", printed="2.0", al_s_per_iter=[2.0], st_samples_per_param_s=[1e-9]),
        tuned("lora", printed="2.0", al_s_per_iter=[2.0], st_samples_per_param_s=[2e-9]),
        axis="fine_tuning",
    )
    assert found == {"fewer, 24B": True, "half, 24B": True}


def test_other_evidence_has_no_cases(shelf: Any) -> None:
    """Measured attention says nothing about fine-tuning."""
    shelf.repeats("MHA", ppl=[9.0, 9.1, 9.2], al_s_per_iter=[1.0, 1.1, 1.2])
    shelf.repeats("MQA", ppl=[9.5, 9.6, 9.7], al_s_per_iter=[0.8, 0.9, 1.0])
    asked = claims(shelf.store, ids=list(ORACLES))
    assert [claim.id for claim in asked.claims if claim.cases] == []
