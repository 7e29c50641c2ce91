"""Laws of growth against scipy's regression, and crossings against the curves themselves."""

from __future__ import annotations

import csv
import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import effdsl_registry.published as published
import pytest
from click.testing import CliRunner
from effdsl_analysis.ask import UnknownName
from effdsl_analysis.questions.scaling.laws import Crossing, Law, Scaling, scaling
from effdsl_analysis.vocabulary import Evidence
from effdsl_registry.store import Store
from scipy.optimize import brentq
from scipy.stats import linregress
from scipy.stats import t as student

from effdsl.cli import group

PRINTED = {
    3: ("table03_attention.csv", ("ppl", "amu_gb", "al_s_per_iter", "gpu_hours_per_gpu")),
    6: ("table06_attention_free.csv", ("ppl", "aec_w", "tt_tokens_per_param_s")),
    7: ("table07_peft_o1sft.csv", ("loss", "al_s_per_iter")),
    9: ("table09_quantization.csv", ("avg_perf", "amu_gb", "mcr")),
    11: ("table11_lvm_moe.csv", ("fid", "amu_gb")),
}

LAWS = {"MHA": (5.0, -0.3), "GQA": (8.0, -0.1), "MLA": (5.2, -0.28)}
NOISE = (1.001, 0.998, 1.0015, 0.9995)
SIZES = (1_000_000, 3_000_000, 10_000_000, 30_000_000)


def read(file: str, metric: str) -> dict[str, list[tuple[float, float]]]:
    """Points (parameters, value) by technique."""
    found = defaultdict(list)
    with (Path(published.__file__).parent / file).open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            found[row["method"]].append((float(row["parameters_b"]) * 1e9, float(row[metric])))
    return found


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Scaling:
    metrics = sorted({metric for _, metrics in PRINTED.values() for metric in metrics})
    return scaling(Store(tmp_path_factory.mktemp("store")), evidence=Evidence.PUBLISHED, metrics=metrics)


def laws(found: Scaling, source: str) -> dict[tuple[str, str], Law]:
    return {(law.metric, law.technique): law for g in found.groups if g.source == source for law in g.laws}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "metric"), [(number, metric) for number, (_, metrics) in PRINTED.items() for metric in metrics]
)
def test_the_laws_of_what_is_printed_are_those_of_scipys_regression(
    paper: Scaling, number: int, metric: str
) -> None:
    file, _ = PRINTED[number]
    by_technique = read(file, metric)
    assert len(by_technique) >= 2
    for technique, points in by_technique.items():
        law = laws(paper, f"Table {number}")[metric, technique]
        check(law, points)


def check(law: Law, points: list[tuple[float, float]]) -> None:
    x, y = ([math.log(value) for value in column] for column in zip(*points, strict=True))
    expected = linregress(x, y)
    error = expected.stderr if len(set(y)) > 1 else 0.0  # scipy has none for a constant
    half = student.ppf(0.975, len(points) - 2) * error
    assert law.verdict.value == "fitted"
    assert (law.points, law.sizes) == (len(points), len({n for n, _ in points}))
    assert law.exponent == pytest.approx(expected.slope, rel=1e-9, abs=1e-12)
    assert (law.low, law.high) == (
        pytest.approx(expected.slope - half, rel=1e-6, abs=1e-9),
        pytest.approx(expected.slope + half, rel=1e-6, abs=1e-9),
    )
    at_a_billion = math.exp(expected.intercept + expected.slope * math.log(1e9))
    assert law.predicted(1e9) == pytest.approx(at_a_billion, rel=1e-9)
    if law.r2 is None:
        assert len(set(y)) == 1
        assert law.trend.value == "the same"
    else:
        assert law.r2 == pytest.approx(expected.rvalue**2, rel=1e-9)
        assert law.trend.value == (
            "unclear" if abs(expected.slope) < half else "grows" if expected.slope > 0 else "falls"
        )


def test_fewer_than_three_sizes_have_no_law_and_say_how_many_they_have(paper: Scaling) -> None:
    table5 = laws(paper, "Table 5")
    assert {technique: (law.verdict.value, law.sizes) for (_, technique), law in table5.items()} == {
        "dense": ("too few sizes", 2),
        "moe": ("too few sizes", 2),
    }
    assert {law.verdict.value for law in laws(paper, "Table 4").values()} == {"too few sizes"}
    assert {law.verdict.value for law in laws(paper, "Table 10").values()} == {"no parameters"}
    assert {law.exponent for law in [*table5.values(), *laws(paper, "Table 10").values()]} == {None}


def test_where_the_exponents_are_not_told_apart_no_crossing_is_claimed(paper: Scaling) -> None:
    seen = 0
    for found in paper.groups:
        of = laws(paper, found.source)
        for pair in found.crossings:
            a, b = of[pair.metric, pair.a], of[pair.metric, pair.b]
            assert None not in (a.low, a.high, b.low, b.high)
            assert pair.resolved == (a.high < b.low or b.high < a.low)  # type: ignore[operator]
            if not pair.resolved:
                seen += 1
                assert (pair.crossing, pair.place, pair.lower_below) == (None, None, None)
    assert seen > 100


# ------------------------------------------------------------------ measured


def ppl(technique: str, place: int) -> float:
    c, k = LAWS[technique]
    return c * (SIZES[place] / 1e9) ** k * NOISE[(place + len(technique) * ord(technique[0])) % len(NOISE)]


@pytest.fixture(scope="module")
def trained(shared_shelf: Any) -> Any:
    """Three attentions at four scales, two repeats each around the mean."""
    for technique in LAWS:
        for place, parameters in enumerate(SIZES):
            value = ppl(technique, place)
            shared_shelf.repeats(
                technique,
                backbone="Transformer",
                feed_forward="SwiGLU",
                scale=f"{parameters // 1_000_000}M",
                parameters=parameters + 12_345,
                ppl=[value * 1.01, value * 0.99],
                kv_bytes_per_token=[64.0, 64.0],
                dropped_tokens=[0.0, 0.0],
            )
    return shared_shelf.store


def found_for(store: Any, metric: str) -> tuple[dict[str, Law], dict[tuple[str, str], Crossing]]:
    (found,) = scaling(store, metrics=[metric], axes=["attention"]).groups
    return {law.technique: law for law in found.laws}, {(c.a, c.b): c for c in found.crossings}


@pytest.mark.slow
def test_measured_laws_are_of_the_means_and_the_exact_parameters(trained: Any) -> None:
    found, _ = found_for(trained, "ppl")
    for technique in LAWS:
        check(found[technique], [(n + 12_345, ppl(technique, i)) for i, n in enumerate(SIZES)])


def test_one_choice_at_several_sizes_is_nothing_to_compare(trained: Any) -> None:
    """All three share position, feed-forward and backbone: these axes have no laws."""
    assert {found.axis for found in scaling(trained, metrics=["ppl"]).groups} == {"attention"}


def line(technique: str) -> tuple[list[float], Any, float]:
    x = [math.log(n + 12_345) for n in SIZES]
    fit = linregress(x, [math.log(ppl(technique, i)) for i in range(len(SIZES))])
    mean = sum(x) / len(x)
    return x, fit, mean


def variance(technique: str, at: float) -> float:
    """Of the law at ``at``, weighted with its t squared."""
    x, fit, mean = line(technique)
    spread = sum((value - mean) ** 2 for value in x)
    residual = fit.stderr**2 * spread
    return float(student.ppf(0.975, len(x) - 2) ** 2 * residual * (1 / len(x) + (at - mean) ** 2 / spread))


@pytest.mark.slow
@pytest.mark.parametrize(("a", "b"), [("GQA", "MHA"), ("GQA", "MLA")])
def test_a_crossing_is_where_the_laws_meet_and_its_interval_where_they_are_not_told_apart(
    trained: Any, a: str, b: str
) -> None:
    found, crossings = found_for(trained, "ppl")
    pair = crossings[a, b]
    assert pair.resolved
    assert pair.crossing is not None
    assert found[a].predicted(pair.crossing) == pytest.approx(found[b].predicted(pair.crossing))

    def slack(at: float) -> float:
        (_, first, _), (_, second, _) = line(a), line(b)
        gap = first.intercept + first.slope * at - second.intercept - second.slope * at
        return float(gap**2 - variance(a, at) - variance(b, at))

    middle = math.log(pair.crossing)
    assert pair.low == pytest.approx(math.exp(brentq(slack, middle - 20, middle)), rel=1e-5)
    assert pair.high == pytest.approx(math.exp(brentq(slack, middle, middle + 20)), rel=1e-5)


def test_a_crossing_says_where_it_lies_and_who_is_lower_on_either_side(trained: Any) -> None:
    found, crossings = found_for(trained, "ppl")
    pair = crossings["GQA", "MHA"]
    assert pair.crossing is not None
    assert (pair.place.value, pair.lower_below, pair.lower_above) == ("above", "GQA", "MHA")
    assert pair.beyond == pytest.approx(pair.crossing / (SIZES[-1] + 12_345))
    below, above = pair.crossing / 2, pair.crossing * 2
    assert (found["GQA"].predicted(below) or 0) < (found["MHA"].predicted(below) or 0)
    assert (found["MHA"].predicted(above) or 0) < (found["GQA"].predicted(above) or 0)


@pytest.mark.slow
def test_a_crossing_among_the_sizes_is_inside(shelf: Any) -> None:
    for technique, k in (("MHA", -0.3), ("GQA", -0.1)):
        for place, n in enumerate(SIZES):
            value = 50 * (n / 5e6) ** k * NOISE[place]
            shelf.repeats(
                technique,
                backbone="Transformer",
                scale=f"{n // 1_000_000}M",
                parameters=n,
                ppl=[value, value],
            )
    _, crossings = found_for(shelf.store, "ppl")
    pair = crossings["GQA", "MHA"]
    assert (pair.place.value, pair.beyond) == ("inside", None)
    assert pair.crossing == pytest.approx(5e6, rel=0.01)
    shown = CliRunner().invoke(group, ["scaling", "--metric", "ppl", "--store", str(shelf.store.root)])
    text = " ".join(shown.output.split())
    assert "PPL: GQA and MHA cross at 5M [" in text
    assert "inside the range of sizes; GQA is lower below, MHA above" in text


@pytest.mark.slow
def test_what_does_not_vary_is_the_same_and_what_has_no_logarithm_has_no_law(trained: Any) -> None:
    same, crossings = found_for(trained, "kv_bytes_per_token")
    assert {(law.trend.value, law.exponent, law.r2) for law in same.values()} == {("the same", 0.0, None)}
    assert not any(pair.resolved for pair in crossings.values())
    without, _ = found_for(trained, "dropped_tokens")
    assert {(law.verdict.value, law.exponent, law.c) for law in without.values()} == {
        ("not positive", None, None)
    }


# ------------------------------------------------------------------ what is typed


@pytest.mark.slow
def test_the_command_shows_laws_and_gives_json(tmp_path: Path) -> None:
    call = ["scaling", "--evidence", "published", "--axis", "attention", "--store", str(tmp_path)]
    shown = CliRunner().invoke(group, call)
    assert shown.exit_code == 0, shown.output
    text = " ".join(shown.output.split())
    assert "attention · Table 3 · at 0.5B, 1.5B, 3B" in text
    assert "gqa -0.102 [-0.104, -0.100] -6.82% >0.9999 falls" in text
    assert "The micro-batch differs between sizes (4, 2, 1), so memory and time" in text
    assert "Crossings: 18 of 18 pairs not resolved" in text
    assert "No parameters are known: attention (Table 10)." in text
    assert max(map(len, shown.output.splitlines())) <= 100
    document = json.loads(CliRunner().invoke(group, [*call, "--json"]).output)
    assert (document["schema"], document["metrics"]) == (
        "effdsl/scaling", ["ppl", "fid", "amu_gb", "al_s_per_iter"]
    )  # fmt: skip
    (table3,) = [found for found in document["groups"] if found["source"] == "Table 3"]
    assert len(table3["laws"]) == 4 * 3


@pytest.mark.slow
def test_a_study_of_one_scale_is_told_how_to_get_laws(shelf: Any) -> None:
    for technique in ("MHA", "GQA"):
        shelf.repeats(technique, backbone="Transformer", ppl=[5.0, 5.1])
    shown = CliRunner().invoke(group, ["scaling", "--store", str(shelf.store.root)])
    text = " ".join(shown.output.split())
    assert "1 size, and a law needs three: attention (AMD EPYC x2 · Shakespeare" in text
    assert "scales=[1*M, 3*M, 10*M]" in text


@pytest.mark.slow
def test_names_that_do_not_exist_are_refused_with_advice(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(UnknownName, match="did you mean 'attention'"):
        scaling(store, evidence=Evidence.PUBLISHED, axes=["attentoin"])
    with pytest.raises(UnknownName, match="no published value of mfu; there are: "):
        scaling(store, evidence=Evidence.PUBLISHED, metrics=["mfu"])


@pytest.mark.slow
def test_an_empty_store_has_an_empty_answer(tmp_path: Path) -> None:
    words = ["scaling", "--store", str(tmp_path)]
    assert json.loads(CliRunner().invoke(group, [*words, "--json"]).output)["groups"] == []
    shown = CliRunner().invoke(group, words)
    assert (shown.exit_code, shown.output[:34]) == (0, "Nothing here can be compared yet: ")


def test_it_shows_itself_in_a_notebook_and_gives_rows(paper: Scaling) -> None:
    assert "<table>" in paper._repr_html_()
    (row,) = [
        dict(row)
        for row in paper.to_rows().records
        if (row["source"], row["technique"], row["metric"]) == ("Table 3", "gqa", "ppl")
    ]
    assert row["trend"] == "falls"
