"""The paper's scores against its equations, computed from the CSV files in exact arithmetic."""

from __future__ import annotations

import csv
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Any

import effdsl_registry
import pytest
from effdsl_analysis.ask import UnknownName
from effdsl_analysis.questions.scores.scoring import Scores, TechniqueScores, scores
from effdsl_analysis.relations import relation
from effdsl_analysis.vocabulary import Evidence
from effdsl_registry.store import Store

from effdsl.metrics import BY_NAME, BY_SHORT, METRICS

TABLES = Path(effdsl_registry.__file__).parent / "published"
FINE_TUNED = {
    "llama-3.2-1b": "fine_tuning_1b_3b",
    "llama-3.2-3b": "fine_tuning_1b_3b",
    "llama-3.1-8b": "fine_tuning_7b_8b",
    "qwen2.5-7b": "fine_tuning_7b_8b",
    "mistral-7b": "fine_tuning_7b_8b",
    "qwen2.5-14b": "fine_tuning_14b_24b",
    "mistral-small-24b": "fine_tuning_14b_24b",
}
COLUMNS = {
    "performance": ("loss", "lower"),
    "amu": ("amu_gb", "lower"),
    "pcu": ("pcu", "higher"),
    "al": ("al_s_per_iter", "lower"),
    "st": ("st_samples_per_param_s", "higher"),
    "aec": ("aec_w", "lower"),
}
FIFTH = Fraction(1, 5)

Printed = dict[str, dict[str, Fraction]]
"""Metric to technique to value."""


def lines(file: str) -> list[dict[str, str]]:
    with (TABLES / file).open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def table_7(model: str) -> Printed:
    rows = [row for row in lines("table07_peft_o1sft.csv") if row["model"] == model]
    return {
        metric: {row["method"]: Fraction(row[column]) for row in rows}
        for metric, (column, _) in COLUMNS.items()
    }


def equation_10_or_11(values: dict[str, Fraction], better: str) -> dict[str, Fraction]:
    least, greatest = min(values.values()), max(values.values())
    return {
        name: Fraction(1, 10)
        + Fraction(9, 10)
        * ((greatest - value) if better == "lower" else (value - least))
        / (greatest - least)
        for name, value in values.items()
    }


def as_printed(found: Printed, name: str) -> Fraction:
    """Eq. 12 as it is printed."""
    amu, pcu, al, st, aec = (found[metric] for metric in ("amu", "pcu", "al", "st", "aec"))
    return (
        FIFTH * min(amu.values()) / amu[name]
        + FIFTH * min(pcu.values()) / pcu[name]
        + FIFTH * al[name] / min(al.values())
        + FIFTH * min(st.values()) / st[name]
        + FIFTH * min(aec.values()) / aec[name]
    )


def by_arrows(found: Printed, name: str) -> Fraction:
    """Eq. 12 with every term at most 1 and largest for the value that the arrow prefers."""
    return FIFTH * sum(
        min(found[metric].values()) / found[metric][name]
        if COLUMNS[metric][1] == "lower"
        else found[metric][name] / max(found[metric].values())
        for metric in ("amu", "pcu", "al", "st", "aec")
    )


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Scores:
    return scores(Store(tmp_path_factory.mktemp("nothing") / "store"), evidence=Evidence.PUBLISHED)


def at(found: Scores, group: str, scale: str | None) -> dict[str, TechniqueScores]:
    return {row.technique: row for row in found.scores if (row.group, row.scale) == (group, scale)}


@pytest.mark.parametrize("model", FINE_TUNED)
def test_normalised_values_are_those_of_equations_10_and_11(published: Scores, model: str) -> None:
    found = at(published, FINE_TUNED[model], model)
    for metric, values in table_7(model).items():
        expected = equation_10_or_11(values, COLUMNS[metric][1])
        for name, value in expected.items():
            assert found[name].normalised[metric] == pytest.approx(float(value), rel=1e-11)


@pytest.mark.parametrize("model", FINE_TUNED)
def test_both_forms_of_equation_12_and_their_orders_are_exact(published: Scores, model: str) -> None:
    printed = table_7(model)
    found = at(published, FINE_TUNED[model], model)
    names = list(printed["amu"])
    assert sorted(found) == sorted(names)
    said = {name: as_printed(printed, name) for name in names}
    turned_round = {name: by_arrows(printed, name) for name in names}
    turned: dict[str, list[str]] = {name: [] for name in names}
    for a, b in combinations(sorted(names), 2):
        if (said[a] - said[b]) * (turned_round[a] - turned_round[b]) < 0:
            turned[a].append(b)
            turned[b].append(a)
    for name in names:
        score = found[name].efficiency
        assert score is not None
        assert score.as_printed == pytest.approx(float(said[name]), rel=1e-11)
        assert score.by_arrows == pytest.approx(float(turned_round[name]), rel=1e-11)
        assert score.rank_as_printed == 1 + sum(other > said[name] for other in said.values())
        assert score.rank_by_arrows == 1 + sum(other > turned_round[name] for other in turned_round.values())
        assert sorted(score.turned) == sorted(turned[name])


def test_the_slowest_method_scores_highest_as_printed_and_lowest_by_arrows_at_7b_and_8b(
    published: Scores,
) -> None:
    for model in ("llama-3.1-8b", "qwen2.5-7b", "mistral-7b"):
        score = at(published, "fine_tuning_7b_8b", model)["dora"].efficiency
        assert score is not None
        assert (score.rank_as_printed, score.rank_by_arrows) == (1, 7)


def test_equation_12_stays_empty_where_the_tables_print_no_utilisation_or_samples(published: Scores) -> None:
    for row in published.scores:
        if row.group.startswith("quantization"):
            assert row.missing == ("pcu", "al", "st")
        elif not row.group.startswith("fine_tuning"):
            assert row.missing == ("pcu", "st")
        else:
            assert row.missing == ()
        assert (row.efficiency is None) == bool(row.missing)


def test_dense_and_moe_are_scaled_over_the_whole_table(published: Scores) -> None:
    found = at(published, "moe", None)
    values = {
        f"{row['method']} {row['parameters_printed']}": Fraction(row["ppl"])
        for row in lines("table05_moe.csv")
    }
    expected = equation_10_or_11(values, "lower")
    assert {name: row.normalised["performance"] for name, row in found.items()} == pytest.approx(
        {name: float(value) for name, value in expected.items()}, rel=1e-11
    )


@pytest.mark.slow
def test_measured_means_are_scaled_and_scored_alike(shelf: Any) -> None:
    measured = {
        "MHA": {
            "amu_gb": 4.0,
            "pcu": 0.5,
            "al_s_per_iter": 0.2,
            "st_samples_per_param_s": 2e-6,
            "aec_w": 80.0,
        },
        "GQA": {
            "amu_gb": 3.0,
            "pcu": 0.8,
            "al_s_per_iter": 0.1,
            "st_samples_per_param_s": 4e-6,
            "aec_w": 60.0,
        },
    }
    for technique, values in measured.items():
        shelf.repeats(
            technique,
            backbone="Transformer",
            feed_forward="SwiGLU",
            meter_scope="gpu",
            **{name: [value, value] for name, value in values.items()},
        )
    found = at(scores(shelf.store), "attention", "3M")
    assert found["GQA"].normalised["amu"] == 1.0
    assert found["MHA"].normalised["amu"] == pytest.approx(0.1)
    best, other = found["GQA"].efficiency, found["MHA"].efficiency
    assert best is not None
    assert other is not None
    assert best.by_arrows == pytest.approx(1.0)
    assert other.by_arrows == pytest.approx(0.2 * (3 / 4 + 5 / 8 + 1 / 2 + 1 / 2 + 60 / 80))
    assert other.as_printed == pytest.approx(0.2 * (3 / 4 + 1 + 2 + 1 + 60 / 80))
    assert best.as_printed == pytest.approx(0.2 * (1 + 5 / 8 + 1 + 1 / 2 + 1))
    assert best.turned == ("MHA",)


@pytest.mark.slow
def test_a_metric_in_which_all_are_equal_is_left_out(shelf: Any) -> None:
    for technique, ppl in (("MHA", 9.0), ("GQA", 8.0)):
        shelf.repeats(
            technique, ppl=[ppl, ppl], amu_gb=[2.0, 2.0], backbone="Transformer", feed_forward="SwiGLU"
        )
    found = at(scores(shelf.store), "attention", "3M")
    assert dict(found["GQA"].normalised) == {"ppl": 1.0}


def test_scores_are_a_relation_with_both_forms_as_columns(published: Scores) -> None:
    rows = relation(published).filter("rank_as_printed = 1 AND scale = 'mistral-7b'")
    assert rows.project("technique, rank_by_arrows").fetchall() == [("dora", 7)]
    assert relation(published).filter("as_printed IS NULL AND len(missing) > 0").shape[0] == 59
    assert "as printed" in published._repr_html_()


def test_an_unknown_group_is_refused_with_the_nearest(shelf: Any) -> None:
    with pytest.raises(UnknownName, match="did you mean 'fine_tuning_7b_8b'"):
        scores(shelf.store, evidence=Evidence.PUBLISHED, groups=["fine_tuning_7b"])


def test_what_rankings_call_a_metric_names_that_one_only() -> None:
    """Full and short names can both be typed, so no name may mean two metrics."""
    assert len(BY_SHORT) == len(METRICS)
    assert all(BY_NAME.get(metric.short, metric) is metric for metric in METRICS)


def test_the_metrics_of_equation_12_are_called_what_its_sql_calls_them() -> None:
    """Another name would leave the equation without a value, and nothing else would say so."""
    assert {BY_SHORT[name].name for name in ("amu", "pcu", "al", "st", "aec")} == {
        "amu_gb",
        "pcu",
        "al_s_per_iter",
        "st_samples_per_param_s",
        "aec_w",
    }
