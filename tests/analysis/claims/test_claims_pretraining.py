"""C1 to C29 and C84 to C87 on the paper's tables, against a second computation from the CSV files."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from effdsl_analysis.questions.claims.verdicts import Claim, claims
from effdsl_analysis.vocabulary import Evidence
from effdsl_registry.store import Store

pytestmark = pytest.mark.slow  # every verdict of the paper is computed

Cases = list[bool | None]
Row = dict[str, Any]

NUMBERS = ("parameters_b", "gpu_hours_per_gpu", "gpus", "top_k")
LOWER = ("ppl", "loss", "fid", "amu_gb", "al_s_per_iter", "sum_al_s", "aec_w")
HIGHER = (
    "avg_perf",
    "pcu",
    "tt_tokens_per_param_s",
    "st_samples_per_param_s",
    "it_tokens_per_s",
    "mcr",
)
FILES = (
    "table03_attention",
    "table04_positional",
    "table05_moe",
    "table06_attention_free",
    "table07_peft_o1sft",
    "table08_peft_medical",
    "table09_quantization",
    "table10_lvm_attention",
    "table11_lvm_moe",
    "table12_vlm_peft",
    "table13_lvm_peft",
)
ATTENTION, POSITION, MOE, FREE = FILES[:4]


def table(name: str) -> list[Row]:
    """The rows of a file, numbers exact."""
    with (
        files("effdsl_registry.published").joinpath(f"{name}.csv").open(encoding="utf-8", newline="") as file
    ):
        return [
            {k: Decimal(v) if k in LOWER + HIGHER or k in NUMBERS else v for k, v in row.items() if v}
            for row in csv.DictReader(file)
        ]


def value(name: str, method: str, size: str, metric: str) -> Decimal:
    """One cell."""
    (found,) = [
        row[metric] for row in table(name) if (row["method"], row["parameters_printed"]) == (method, size)
    ]
    return Decimal(found)


def sizes(name: str) -> list[str]:
    return list(dict.fromkeys(row["parameters_printed"] for row in table(name)))


def best(name: str, method: str, metric: str, pick: Callable[..., Decimal] = min) -> Cases:
    """Per size: does the method have the extreme value?"""
    return [
        value(name, method, size, metric)
        == pick(row[metric] for row in table(name) if row["parameters_printed"] == size)
        for size in sizes(name)
    ]


def below(name: str, a: str, b: str, metric: str) -> Cases:
    """Per size: is the value of a lower than that of b?"""
    return [value(name, a, size, metric) < value(name, b, size, metric) for size in sizes(name)]


def about(found: Decimal, claimed: str, digit: str) -> bool:
    """Within 10%, or within half a step of the last printed digit."""
    return abs(found - Decimal(claimed)) <= max(Decimal(claimed) / 10, Decimal(digit) / 2)


def least_amu() -> Cases:
    least = min(table(ATTENTION), key=lambda row: row["amu_gb"])
    return [least["method"] == "mqa", least["amu_gb"] == Decimal("42.24")]


def least_power() -> Cases:
    least = min(row["aec_w"] for row in table(ATTENTION))
    return [*best(ATTENTION, "nsa", "aec_w"), least == Decimal("594.23")]


def least_energy() -> Cases:
    energy = {
        (row["method"], row["parameters_printed"]): row["aec_w"] * row["gpu_hours_per_gpu"] * row["gpus"]
        for row in table(ATTENTION)
    }
    return [
        energy["nsa", size] == min(joules for (_, other), joules in energy.items() if other == size)
        for size in sizes(ATTENTION)
    ]


def relative_leads() -> Cases:
    lowest = [case for m in ("amu_gb", "al_s_per_iter", "aec_w") for case in best(POSITION, "relative", m)]
    return [*lowest, *best(POSITION, "relative", "tt_tokens_per_param_s", max)]


def none_trails() -> Cases:
    highest = ("ppl", "amu_gb", "al_s_per_iter", "aec_w")
    cases = [case for m in highest for case in best(POSITION, "none", m, max)]
    return [*cases, *best(POSITION, "none", "tt_tokens_per_param_s")]


def learnable_beats_absolute() -> Cases:
    a, b = "learnable_absolute", "absolute"
    lower = [case for m in ("ppl", "amu_gb", "al_s_per_iter", "aec_w") for case in below(POSITION, a, b, m)]
    return [*lower, *below(POSITION, b, a, "tt_tokens_per_param_s")]


def moe_ppl(moe: str, *dense: str) -> Cases:
    return [value(MOE, "moe", moe, "ppl") < value(MOE, "dense", size, "ppl") for size in dense]


def moe_memory() -> Cases:
    cases: Cases = []
    for moe in (row for row in table(MOE) if row["method"] == "moe"):
        for dense in (row for row in table(MOE) if row["method"] == "dense"):
            if moe["parameters_b"] * moe["top_k"] == dense["parameters_b"]:
                more = 100 * (moe["amu_gb"] / dense["amu_gb"] - 1)
                cases += [more > 0, about(more, "40", "1")]
    return cases


def moe_against_dense(*metrics: str) -> Cases:
    rows = table(MOE)
    return [
        moe[metric] > dense[metric]
        for metric in metrics
        for moe in rows
        for dense in rows
        if (moe["method"], dense["method"]) == ("moe", "dense")
    ]


def mamba_saves(metric: str) -> list[Decimal]:
    """Percent less than the transformer, per size."""
    return [
        100 * (1 - value(FREE, "mamba", size, metric) / value(FREE, "qwen2.5", size, metric))
        for size in sizes(FREE)
    ]


def mamba_memory() -> Cases:
    saved = mamba_saves("amu_gb")
    return [*(s > 0 for s in saved), *(about(s, "25", "1") for s in saved)]


def mamba_power() -> Cases:
    saved = mamba_saves("aec_w")
    between = [22 <= round(s) <= 25 for s in saved]
    return [*(s > 0 for s in saved), *(about(s, "25", "1") for s in saved), *between]


def mamba_quality() -> Cases:
    lost = [value(FREE, "mamba", s, "ppl") - value(FREE, "qwen2.5", s, "ppl") for s in sizes(FREE)]
    return [*(points > 0 for points in lost), *(about(points, "1", "1") for points in lost)]


def blocks() -> Iterator[tuple[list[str], list[Row]]]:
    """Metrics and rows of every block: a scale or model of a table; Table 5 whole."""
    for name in FILES:
        rows = table(name)
        metrics = [metric for metric in LOWER + HIGHER if metric in rows[0]]
        keys = ["" if name == MOE else row.get("model") or row["parameters_printed"] for row in rows]
        for key in dict.fromkeys(keys):
            yield metrics, [row for row, its in zip(rows, keys, strict=True) if its == key]


def beats(a: Row, b: Row, metric: str) -> bool:
    return bool(a[metric] < b[metric] if metric in LOWER else a[metric] > b[metric])


def none_is_best_on_all(names: tuple[str, ...] = FILES) -> Cases:
    found = [block for block in blocks() if names == FILES or block[1][0] in table(names[0])]
    return [
        not any(not any(beats(b, a, metric) for b in rows for metric in metrics) for a in rows)
        for metrics, rows in found
    ]


def none_is_worse_on_all() -> Cases:
    return [
        not any(all(beats(b, a, metric) for metric in metrics) for a in rows for b in rows if a is not b)
        for metrics, rows in blocks()
    ]


def covered() -> Cases:
    found = [row["parameters_b"] for name in FILES[:7] for row in table(name)]
    return [min(found) <= Decimal("0.5"), max(found) >= 72]


EXPECTED: dict[str, Callable[[], Cases]] = {
    "C1": lambda: best(ATTENTION, "mqa", "amu_gb"),
    "C2": lambda: best(ATTENTION, "mqa", "al_s_per_iter"),
    "C3": least_amu,
    "C4": lambda: best(ATTENTION, "gqa", "al_s_per_iter")[1:2],
    "C5": lambda: best(ATTENTION, "mla", "ppl"),
    "C6": least_power,
    "C7": least_energy,
    "C8": lambda: none_is_best_on_all((ATTENTION,)),
    "C9": lambda: best(POSITION, "rope", "ppl"),
    "C10": relative_leads,
    "C11": none_trails,
    "C12": learnable_beats_absolute,
    "C13": lambda: moe_ppl("1.5B×8", "1.5B", "3B"),
    "C14": lambda: moe_ppl("0.5B×8", "1.5B"),
    "C15": moe_memory,
    "C16": lambda: moe_against_dense("amu_gb", "al_s_per_iter", "aec_w"),
    "C17": lambda: moe_against_dense("tt_tokens_per_param_s"),
    "C18": lambda: [None],
    "C19": lambda: [None],
    "C20": lambda: [None],
    "C21": mamba_memory,
    "C22": mamba_power,
    "C23": mamba_quality,
    "C24": lambda: best(FREE, "mamba", "al_s_per_iter")[1:2],
    "C25": lambda: best(FREE, "rwkv", "amu_gb"),
    "C26": lambda: best(FREE, "pythia", "al_s_per_iter"),
    "C27": lambda: best(FREE, "qwen2.5", "ppl"),
    "C28": lambda: below(FREE, "rwkv", "qwen2.5", "amu_gb") + below(FREE, "rwkv", "qwen2.5", "aec_w"),
    "C29": lambda: below(FREE, "qwen2.5", "pythia", "ppl") + below(FREE, "mamba", "pythia", "ppl"),
    "C84": none_is_best_on_all,
    "C85": none_is_worse_on_all,
    "C86": lambda: [sum(len(table(name)) for name in FILES) > 100],
    "C87": covered,
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Claim]:
    """Every claim of this file, tested on the paper's tables without any store."""
    store = Store(Path(tmp_path_factory.mktemp("none")) / "store")
    return {
        claim.id: claim for claim in claims(store, evidence=Evidence.PUBLISHED, ids=list(EXPECTED)).claims
    }


@pytest.mark.parametrize("id_", EXPECTED)
def test_cases_are_those_computed_from_the_csv_files(found: dict[str, Claim], id_: str) -> None:
    cases = EXPECTED[id_]()
    claim = found[id_]
    assert (claim.supporting, claim.contradicting) == (cases.count(True), cases.count(False))
    assert len(claim.cases) == len(cases)


@pytest.mark.parametrize(("id_", "said"), [("C15", "+74.2%"), ("C23", "+1.58"), ("C87", "34B: yi-34b")])
def test_a_case_shows_the_number_that_decides_it(found: dict[str, Claim], id_: str, said: str) -> None:
    assert any(said in case.shown for case in found[id_].cases)


def test_cases_of_several_tables_say_which(found: dict[str, Claim]) -> None:
    names = [case.case for case in found["C85"].cases]
    assert len(set(names)) == len(names)
    assert {"attention 3B · Table 3", "feed-forward · Table 5"} <= set(names)


def test_a_block_names_who_is_worse_than_whom(found: dict[str, Claim]) -> None:
    (moe,) = [case for case in found["C85"].cases if case.case == "feed-forward · Table 5"]
    assert moe.shown == "on all 5: dense 1.5B is worse than dense 3B"
