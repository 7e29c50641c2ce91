"""Pareto sets of the paper's leaderboard against pairwise comparison of the CSV files in exact arithmetic."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Any

import effdsl_registry.published
import pytest
from click.testing import CliRunner, Result
from effdsl_analysis import UnknownName, pareto_published
from effdsl_registry.store import Store

from effdsl.cli import group

FOLDER = Path(effdsl_registry.published.__file__).parent
NOWHERE = Path("/nonexistent/effdsl-store")
HIGHER = {"pcu", "tt_tokens_per_param_s", "st_samples_per_param_s", "it_tokens_per_s", "mcr", "avg_perf"}
# Name: file, quality, least and most billions of parameters.
GROUPS: dict[str, tuple[str, str, float, float]] = {
    "attention": ("table03_attention.csv", "ppl", 0, 99),
    "positional_encoding": ("table04_positional.csv", "ppl", 0, 99),
    "moe": ("table05_moe.csv", "ppl", 0, 99),
    "attention_free": ("table06_attention_free.csv", "ppl", 0, 99),
    "fine_tuning_1b_3b": ("table07_peft_o1sft.csv", "loss", 1, 3),
    "fine_tuning_7b_8b": ("table07_peft_o1sft.csv", "loss", 7, 8),
    "fine_tuning_14b_24b": ("table07_peft_o1sft.csv", "loss", 14, 24),
    "quantization_1.5b_3.8b": ("table09_quantization.csv", "avg_perf", 1.5, 3.8),
    "quantization_7b_8b": ("table09_quantization.csv", "avg_perf", 7, 8),
    "quantization_14b_34b": ("table09_quantization.csv", "avg_perf", 14, 34),
}
METRICS = ("ppl", "loss", "avg_perf", "amu_gb", "pcu", "al_s_per_iter", "tt_tokens_per_param_s", "aec_w")
METRICS += ("mcr", "st_samples_per_param_s", "it_tokens_per_s", "sum_al_s", "gpu_hours_per_gpu")

Values = dict[str, dict[str, Fraction]]


def lines(name: str) -> list[dict[str, str]]:
    """The lines of a group, with what its technique and its scale or model are called."""
    file, _, least, most = GROUPS[name]
    found = []
    for line in csv.DictReader((FOLDER / file).read_text(encoding="utf-8").splitlines()):
        if least <= float(line["parameters_b"]) <= most and line["method"] != "none":
            size = line.get("model") or line["parameters_printed"]
            technique = f"{line['method']} {size}" if name == "moe" else line["method"]
            found.append({**line, "technique": technique, "size": size})
    return found


def means(of: list[dict[str, str]]) -> Values:
    """Exact means by technique and metric, over the lines that print the metric."""
    found: dict[str, dict[str, list[Fraction]]] = defaultdict(lambda: defaultdict(list))
    for line in of:
        for metric in METRICS:
            if line.get(metric):
                found[line["technique"]][metric].append(Fraction(line[metric]))
    return {t: {m: sum(v, Fraction(0)) / len(v) for m, v in by.items()} for t, by in found.items()}


def brute_force(values: Values, on: tuple[str, ...]) -> dict[str, tuple[str, set[str]]]:
    """Place and dominating members of the front of every technique, pair by pair."""
    points = {
        t: [-by[m] if m in HIGHER else by[m] for m in on]
        for t, by in values.items()
        if all(m in by for m in on)
    }
    beaten = {
        a: {b for b, y in points.items() if y != x and all(q <= p for p, q in zip(x, y, strict=True))}
        for a, x in points.items()
    }
    front = {a for a, by in beaten.items() if not by}
    return {
        t: ("not comparable", set())
        if t not in points
        else ("front" if t in front else "dominated", beaten[t] & front)
        for t in values
    }


def pairs_and_triples(name: str) -> Iterator[tuple[str, ...]]:
    printed = [m for m in METRICS if any(line.get(m) for line in lines(name))]
    yield from combinations(printed, 2)
    yield from combinations(printed, 3)


def places(found: Any) -> dict[str, tuple[str, set[str]]]:
    return {cell.technique: (cell.place.value, set(cell.dominated_by)) for cell in found.cells}


@pytest.fixture(scope="module")
def views() -> Iterator[Any]:
    """The views of a store to which nothing was written, opened once."""
    with Store(NOWHERE).reading() as connection:
        yield connection


@pytest.mark.slow
@pytest.mark.parametrize("name", GROUPS)
def test_every_pair_and_triple_of_metrics_has_the_set_that_pairwise_comparison_finds(
    views: Any, name: str
) -> None:
    values = means(lines(name))
    for on in pairs_and_triples(name):
        (found,) = pareto_published(views, on=on, groups=[name]).groups
        assert places(found) == brute_force(values, on), on


@pytest.mark.slow
@pytest.mark.parametrize("name", GROUPS)
def test_each_scale_or_model_has_the_set_of_its_own_lines(views: Any, name: str) -> None:
    everything = lines(name)
    shared = (
        len({line["technique"] for line in everything}) < len(everything) or name == "positional_encoding"
    )
    by_size: dict[str | None, list[dict[str, str]]] = defaultdict(list)
    for line in everything:
        by_size[line["size"] if shared else None].append(line)
    quality = GROUPS[name][1]
    for on in ((quality, "amu_gb"), (quality, "amu_gb", "aec_w")):
        found = pareto_published(views, on=on, groups=[name], each_scale=True)
        assert {one.size: places(one) for one in found.groups} == {
            size: brute_force(means(of), on) for size, of in by_size.items()
        }


@pytest.mark.slow
def test_values_are_the_means_that_the_leaderboard_takes(views: Any) -> None:
    for name in GROUPS:
        quality = GROUPS[name][1]
        (found,) = pareto_published(views, on=["performance", "amu"], groups=[name]).groups
        exact = means(lines(name))
        for cell in found.cells:
            expected = [float(exact[cell.technique][m]) for m in (quality, "amu_gb")]
            assert cell.values == pytest.approx(expected, rel=1e-11)


def test_all_six_metrics_of_fine_tuning_make_a_set_of_six_dimensions(views: Any) -> None:
    on = ("loss", "amu_gb", "pcu", "al_s_per_iter", "st_samples_per_param_s", "aec_w")
    found = pareto_published(views, on=on, groups=["fine_tuning_7b_8b"]).groups[0]
    assert places(found) == brute_force(means(lines("fine_tuning_7b_8b")), on)


def test_the_groups_come_in_the_leaderboards_order_and_small_sizes_first(views: Any) -> None:
    assert [found.name for found in pareto_published(views, on=["performance"]).groups] == list(GROUPS)
    sizes = [
        g.size for g in pareto_published(views, on=["ppl"], groups=["attention"], each_scale=True).groups
    ]
    assert sizes == ["0.5B", "1.5B", "3B"]


def test_one_size_leaves_only_the_groups_that_have_it(views: Any) -> None:
    found = pareto_published(views, on=["ppl"], scale="0.5B").groups
    assert [(one.name, one.size) for one in found] == [("attention", "0.5B"), ("attention_free", "0.5B")]
    at_size = [line for line in lines("attention") if line["size"] == "0.5B"]
    assert places(found[0]) == brute_force(means(at_size), ("ppl",))


def test_a_direction_can_be_turned_round(views: Any) -> None:
    (found,) = pareto_published(views, on=["amu:max"], groups=["attention"]).groups
    assert [cell.technique for cell in found.front] == ["mla"]


def test_a_group_without_a_metric_says_so_and_the_others_are_shown(views: Any) -> None:
    found = pareto_published(views, on=["performance", "pcu"])
    missing = {one.name: [metric.name for metric in one.missing] for one in found.groups}
    assert missing["attention"] == ["pcu"]
    assert missing["fine_tuning_1b_3b"] == []
    assert all(cell.place.value == "not comparable" for cell in found.groups[0].cells)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"on": ["pppl"]}, "did you mean 'ppl'"),
        ({"on": ["fid"]}, "no group of the leaderboard has 'fid'"),
        ({"on": ["amu", "amu_gb"]}, "named twice"),
        ({"on": []}, "0 objectives"),
        ({"on": ["ppl"], "groups": ["atention"]}, "did you mean 'attention'"),
        ({"on": ["ppl"], "scale": "4B"}, "known: 0.5B"),
        ({"on": ["ppl"], "groups": ["moe"], "scale": "phi-4"}, "moe has nothing printed for phi-4"),
    ],
)
def test_what_the_leaderboard_does_not_have_is_refused_with_what_it_has(
    views: Any, asked: dict[str, Any], message: str
) -> None:
    with pytest.raises(UnknownName, match=message):
        pareto_published(views, **asked)


def call(*words: str) -> Result:
    return CliRunner().invoke(group, ["pareto", *words, "--store", str(NOWHERE)])


def test_the_command_prints_the_document_of_the_answer(views: Any) -> None:
    document = json.loads(call("--evidence", "published", "--on", "ppl,amu", "--json").output)
    assert document == json.loads(json.dumps(pareto_published(views, on=["ppl", "amu"]).to_json()))
    assert (document["schema"], document["evidence"]) == ("effdsl/pareto", "published")
    first = document["groups"][0]
    assert (first["group"], first["table"], first["objectives"][1]["metric"]) == ("attention", 3, "amu_gb")
    assert {cell["certain"] for cell in first["cells"]} == {None}


@pytest.mark.slow
def test_the_text_names_who_dominates_and_stays_within_100_columns() -> None:
    shown = call("--evidence", "published", "--on", "performance,amu,st").output
    assert max(map(len, shown.splitlines())) <= 100
    shown = call("--evidence", "published", "--on", "ppl,amu_gb", "--group", "attention").output
    assert "gqa        8.2267  44.643  dominated  dominated by nsa (on the front)" in shown
    assert "3 of 4 are on the front: mla, nsa, mqa." in shown


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "title"),
    [
        (("--group", "attention"), "means over 0.5B, 1.5B, 3B"),
        (("--group", "quantization_14b_34b"), "means over 5 models"),
        (("--group", "positional_encoding"), "1.5B"),
        (("--group", "moe", "--each-size"), "each technique at a size of its own"),
        (("--scale", "phi-4"), "phi-4"),
    ],
)
def test_the_title_says_what_the_values_are_of(words: tuple[str, ...], title: str) -> None:
    shown = call("--evidence", "published", "--on", "performance", *words).output
    assert shown.splitlines()[0].endswith(f" · {title}")


def test_the_text_names_the_groups_that_lack_a_metric() -> None:
    shown = " ".join(call("--evidence", "published", "--on", "performance,pcu").output.split())
    assert "No PCU is printed for: Attention; Positional encoding;" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("small/attention", "--evidence", "published"), "the paper has no studies"),
        (("--group", "attention"), "are for --evidence published"),
        (("--each-size",), "are for --evidence published"),
    ],
)
def test_options_of_the_other_evidence_are_refused(words: tuple[str, ...], message: str) -> None:
    result = call("--on", "ppl", *words)
    assert result.exit_code == 2
    assert message in result.output
