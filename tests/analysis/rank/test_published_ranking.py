"""Rankings of the paper's tables against ranks counted from the CSV files in exact arithmetic."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import duckdb
import effdsl_registry
import pytest
from effdsl_analysis.ask import UnknownName
from effdsl_analysis.queries import define, rows, statement
from effdsl_analysis.questions.rank.published_ranking import rank_published
from effdsl_analysis.questions.rank.rule_comparison import compare_rules
from effdsl_analysis.relations import relation
from effdsl_analysis.text import alike, numbers
from effdsl_analysis.vocabulary import Evidence, Rule
from effdsl_registry.store import Store
from hypothesis import given, settings
from hypothesis import strategies as st

TABLES = Path(effdsl_registry.__file__).parent / "published"

PRETRAINING = {
    "ppl": ("performance", -1),
    "amu_gb": ("amu", -1),
    "al_s_per_iter": ("al", -1),
    "tt_tokens_per_param_s": ("tt", 1),
    "aec_w": ("aec", -1),
}
FINE_TUNING = {
    "loss": ("performance", -1),
    "amu_gb": ("amu", -1),
    "pcu": ("pcu", 1),
    "al_s_per_iter": ("al", -1),
    "st_samples_per_param_s": ("st", 1),
    "aec_w": ("aec", -1),
}
INFERENCE = {
    "avg_perf": ("performance", 1),
    "amu_gb": ("amu", -1),
    "sum_al_s": ("sum_al", -1),
    "it_tokens_per_s": ("it", 1),
    "aec_w": ("aec", -1),
    "mcr": ("mcr", 1),
}


class Leaderboard(NamedTuple):
    file: str
    columns: Mapping[str, tuple[str, int]]
    scales: tuple[str, ...]


GROUPS = {
    "attention": Leaderboard("table03_attention.csv", PRETRAINING, ("0.5B", "1.5B", "3B")),
    "positional_encoding": Leaderboard("table04_positional.csv", PRETRAINING, ("1.5B",)),
    "moe": Leaderboard("table05_moe.csv", PRETRAINING, ()),
    "attention_free": Leaderboard("table06_attention_free.csv", PRETRAINING, ("0.5B", "1.5B", "3B")),
    "fine_tuning_1b_3b": Leaderboard("table07_peft_o1sft.csv", FINE_TUNING, ("llama-3.2-1b", "llama-3.2-3b")),
    "fine_tuning_7b_8b": Leaderboard(
        "table07_peft_o1sft.csv", FINE_TUNING, ("llama-3.1-8b", "qwen2.5-7b", "mistral-7b")
    ),
    "fine_tuning_14b_24b": Leaderboard(
        "table07_peft_o1sft.csv", FINE_TUNING, ("qwen2.5-14b", "mistral-small-24b")
    ),
    "quantization_1.5b_3.8b": Leaderboard(
        "table09_quantization.csv", INFERENCE, ("deepseek-r1-distill-qwen-1.5b", "phi-3.5-mini")
    ),
    "quantization_7b_8b": Leaderboard(
        "table09_quantization.csv", INFERENCE, ("deepseek-r1-distill-llama-8b", "qwen2.5-7b")
    ),
    "quantization_14b_34b": Leaderboard(
        "table09_quantization.csv",
        INFERENCE,
        ("deepseek-r1-distill-qwen-14b", "qwen2.5-14b", "qwen2.5-32b", "phi-4", "yi-34b"),
    ),
}

Values = dict[str, list[Fraction]]
"""Per technique a value for each scale, in the order of the group's scales."""


def printed(group: str) -> Iterator[tuple[str, int, Values]]:
    """Each metric of a group with its sign (1: higher is better) and the values in the CSV file."""
    board = GROUPS[group]
    with (TABLES / board.file).open(encoding="utf-8", newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["method"] != "none"]
    for column, (metric, sign) in board.columns.items():
        values: Values = {}
        for scale in board.scales:
            for line in lines:
                if (line.get("model") or line["parameters_printed"]) == scale:
                    values.setdefault(line["method"], []).append(Fraction(line[column]))
        if not board.scales:
            for line in lines:
                values[f"{line['method']} {line['parameters_printed']}"] = [Fraction(line[column])]
        assert {len(found) for found in values.values()} == {max(len(board.scales), 1)}
        yield metric, sign, values


def competition(values: Mapping[str, Any], sign: int) -> dict[str, int]:
    """1 + how many are strictly better."""
    return {
        name: 1 + sum(sign * other > sign * value for other in values.values())
        for name, value in values.items()
    }


def at_scale(values: Values, place: int) -> dict[str, Fraction]:
    return {name: found[place] for name, found in values.items()}


def places(values: Values) -> range:
    return range(len(next(iter(values.values()))))


def normalised(values: Values, sign: int) -> Values:
    """Eq. 10 where lower is better (sign -1), eq. 11 where higher is."""
    found: Values = {name: [] for name in values}
    for place in places(values):
        here = at_scale(values, place)
        least, greatest = min(here.values()), max(here.values())
        for name, value in here.items():
            distance = greatest - value if sign < 0 else value - least
            found[name].append(Fraction(1, 10) + Fraction(9, 10) * distance / (greatest - least))
    return found


def ruled(rule: Rule, values: Values, sign: int) -> tuple[dict[str, float], dict[str, int]]:
    """Each technique's value and rank by a rule; exact, so that equal is equal."""
    count = len(places(values))
    if rule is Rule.GEOMETRIC_MEAN:
        products = {name: math.prod(found) for name, found in values.items()}
        roots = {name: float(product) ** (1 / count) for name, product in products.items()}
        return roots, competition(products, sign)
    if rule is Rule.MEAN_OF_RANKS:
        ranks: Values = {name: [] for name in values}
        for place in places(values):
            for name, rank in competition(at_scale(values, place), sign).items():
                ranks[name].append(Fraction(rank))
        values, sign = ranks, -1
    if rule is Rule.NORMALISED:
        values, sign = normalised(values, sign), 1
    average = median if rule is Rule.MEDIAN else lambda found: sum(found) / count
    exact = {name: average(found) for name, found in values.items()}
    return {name: float(value) for name, value in exact.items()}, competition(exact, sign)


AVERAGES = [rule for rule in Rule if rule is not Rule.ONE_SCALE]


@pytest.mark.slow
@pytest.mark.parametrize("rule", AVERAGES)
def test_ranks_and_values_of_all_groups_are_those_of_exact_arithmetic(nothing: Store, rule: Rule) -> None:
    found = {
        (row["group"], row["metric"], row["technique"]): row
        for row in rank_published(nothing, rule=rule).to_json()
    }
    expected = {}
    for group in GROUPS:
        for metric, sign, values in printed(group):
            said, ranks = ruled(rule, values, sign)
            expected |= {(group, metric, name): (said[name], ranks[name]) for name in values}
    assert {key: row["rank"] for key, row in found.items()} == {
        key: rank for key, (_, rank) in expected.items()
    }
    for key, (value, _) in expected.items():
        assert found[key]["value"] == pytest.approx(value, rel=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize("scale", sorted({scale for board in GROUPS.values() for scale in board.scales}))
def test_one_scale_ranks_what_is_printed_there(nothing: Store, scale: str) -> None:
    found = {
        (row.group, row.metric, row.technique): (row.value, row.rank)
        for row in rank_published(nothing, scale=scale).ranks
    }
    expected = {}
    for group, board in GROUPS.items():
        if scale in board.scales:
            for metric, sign, values in printed(group):
                here = at_scale(values, board.scales.index(scale))
                ranks = competition(here, sign)
                expected |= {(group, metric, name): (float(here[name]), ranks[name]) for name in here}
    assert found == expected


def test_groups_come_in_the_leaderboards_order_and_metrics_quality_first(nothing: Store) -> None:
    found = rank_published(nothing).ranks
    assert list(dict.fromkeys(row.group for row in found)) == list(GROUPS)
    for group, board in GROUPS.items():
        metrics = dict.fromkeys(row.metric for row in found if row.group == group)
        assert list(metrics) == [metric for metric, _ in board.columns.values()]


def test_means_that_are_equal_share_a_rank_and_the_next_rank_is_left_out(nothing: Store) -> None:
    found = rank_published(nothing, groups=["attention"], metrics=["al"]).ranks
    assert [(row.technique, row.rank) for row in found] == [("gqa", 1), ("mqa", 1), ("mla", 3), ("nsa", 4)]


@pytest.mark.slow
def test_a_metric_is_named_by_its_column_the_papers_word_or_performance(nothing: Store) -> None:
    by_column = rank_published(nothing, metrics=["amu_gb", "ppl"]).ranks
    by_word = rank_published(nothing, metrics=["amu", "performance"], groups=["attention", "moe"]).ranks
    assert set(by_word) <= set(by_column)
    assert {row.metric for row in by_word} == {"amu", "performance"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"groups": ["atention"]}, "did you mean 'attention'"),
        ({"metrics": ["amu_g"]}, "did you mean 'amu_gb'"),
        ({"metrics": ["gpu_hours_per_gpu"]}, "not ranked"),
        ({"scale": "0.7B"}, "did you mean '0.5B'"),
        ({"scale": "0.5B", "rule": Rule.MEAN}, "averages over scales"),
        ({"rule": Rule.ONE_SCALE}, "needs a scale"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(
    nothing: Store, asked: dict[str, Any], message: str
) -> None:
    with pytest.raises(UnknownName, match=message):
        rank_published(nothing, **asked)


@pytest.mark.slow
def test_rules_side_by_side_are_the_rankings_of_each(nothing: Store) -> None:
    found = {
        (row.group, row.metric, row.technique): row
        for row in compare_rules(nothing, evidence=Evidence.PUBLISHED).rows
    }
    count = 0
    for group, board in GROUPS.items():
        for metric, sign, values in printed(group):
            by_rule = {rule.value: ruled(rule, values, sign)[1] for rule in AVERAGES}
            alone = {
                scale: competition(at_scale(values, place), sign) for place, scale in enumerate(board.scales)
            }
            for name in values:
                row = found[group, metric, name]
                assert row.ranks == {rule: ranks[name] for rule, ranks in by_rule.items()}
                assert list(row.ranks_by_scale.items()) == [(s, ranks[name]) for s, ranks in alone.items()]
                assert row.averages_agree == (len(set(row.ranks.values())) == 1)
                every = {*row.ranks.values(), *row.ranks_by_scale.values()}
                assert row.scales_agree == (len(every) == 1)
                count += 1
    assert count == len(found)


def values_at_scales(count: int, techniques: int) -> st.SearchStrategy[list[list[int]]]:
    one = st.lists(st.integers(1, 4), min_size=techniques, max_size=techniques)
    return st.lists(one, min_size=count, max_size=count)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(data=st.data(), count=st.integers(1, 3), techniques=st.integers(2, 5), higher=st.booleans())
def test_every_rule_ranks_any_values_by_competition(
    data: Any, count: int, techniques: int, higher: bool
) -> None:
    drawn = data.draw(values_at_scales(count, techniques))
    values = {f"t{i}": [Fraction(scale[i]) for scale in drawn] for i in range(techniques)}
    sign = 1 if higher else -1
    with duckdb.connect() as connection:
        define(connection, "numbers")
        connection.execute(
            """CREATE TEMP TABLE entries AS
            SELECT 'g' AS "group", 1 AS group_place, 'G' AS title, technique, scale, scale AS scale_place,
                   'm' AS metric, 0 AS metric_place, 'm' AS "column", 'M' AS label, '' AS unit,
                   $better AS better, true AS usual, value
            FROM (SELECT unnest($techniques) AS technique, unnest($scales)::VARCHAR AS scale,
                         unnest($values)::DOUBLE AS value)""",
            {
                "better": "higher" if higher else "lower",
                "techniques": [name for name in values for _ in range(count)],
                "scales": [place for _ in values for place in range(count)],
                "values": [float(value) for found in values.values() for value in found],
            },
        )
        connection.execute(statement("rank/compared"))
        connection.execute(statement("rank/by_rule"))
        for rule in AVERAGES:
            ranked = rows(connection, "rank/one_rule", {"rule": rule.value, "scale": None})
            found = {row["technique"]: row["rank"] for row in ranked}
            level = any(len(set(scale)) == 1 for scale in drawn)
            if rule is Rule.NORMALISED and level:  # eq. 10 and 11 divide by zero there
                apart = [place for place, scale in enumerate(drawn) if len(set(scale)) > 1]
                kept = {name: [value[place] for place in apart] for name, value in values.items()}
                assert found == (ruled(rule, kept, sign)[1] if apart else {})
            else:
                assert found == ruled(rule, values, sign)[1]


def test_numbers_of_a_column_have_the_same_decimals_and_as_many_as_tell_them_apart() -> None:
    assert alike([8.0, 10.25]) == ["8.00", "10.25"]
    assert alike([1.0001, 1.00011]) == ["1.00010", "1.00011"]
    assert alike([3.36e-9, 1.5e-10]) == ["3.36e-09", "1.50e-10"]
    assert alike([0.0, 0.0]) == ["0.000", "0.000"]


def test_a_column_shows_uncertain_values_to_their_uncertainty_and_others_alike() -> None:
    assert numbers([57.0, 57.893, 2.0], [None, None, 0.25]) == ["57.00", "57.89", "2.00"]
    assert numbers([9253.0, 11001.4], [None, None]) == ["9,253", "11,001"]
    assert numbers([512.0, 16.0], [None, 0.0]) == ["512", "16"], "whole numbers need no decimals"
    assert numbers([], []) == []


@pytest.mark.slow
def test_rankings_are_relations_and_notebook_tables_too(nothing: Store) -> None:
    ranked = rank_published(nothing, groups=["attention"])
    best = relation(ranked).filter("rank = 1 AND metric = 'performance'").project("technique, n").fetchall()
    assert best == [("mla", 3)]
    rules = relation(compare_rules(nothing, evidence=Evidence.PUBLISHED, groups=["attention"]))
    assert rules.filter("averages_agree").shape[0] == 16
    assert "mla" in ranked._repr_html_()
