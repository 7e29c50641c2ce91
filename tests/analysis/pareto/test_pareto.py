"""Pareto sets on a real store: dominance, certainty, directions, what cannot be compared."""

from __future__ import annotations

import json
import math
from io import StringIO
from typing import Any

import pytest
from effdsl_analysis import UnknownName, pareto
from effdsl_analysis.questions.pareto.paretoset import ParetoCell, ParetoGroup, ParetoSet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

pytestmark = pytest.mark.slow


def only_group(*args: Any, **kwargs: Any) -> ParetoGroup:
    (group,) = pareto(*args, **kwargs).groups
    return group


def by_technique(group: ParetoGroup) -> dict[str, ParetoCell]:
    return {cell.technique: cell for cell in group.cells}


def places(group: ParetoGroup) -> dict[str, tuple[str, bool | None]]:
    return {cell.technique: (cell.place.value, cell.certain) for cell in group.cells}


def printed(found: ParetoSet) -> str:
    console = Console(file=StringIO(), width=1000)
    with console.capture() as captured:
        console.print(found)
    return captured.get()


@pytest.mark.slow
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_sets_of_mixed_directions_and_scales_are_what_pairwise_comparison_finds(
    data: Any, shelf: Any, tmp_path_factory: Any
) -> None:
    metrics = data.draw(st.permutations(["ppl", "amu_gb", "pcu", "al_s_per_iter", "tokens_per_s", "mfu"]))
    directions = data.draw(st.lists(st.sampled_from(["min", "max"]), min_size=1, max_size=6))
    on = list(zip(metrics, directions, strict=False))
    value = st.integers(1, 4).map(float) | st.sampled_from([None, math.nan, math.inf])
    rows = data.draw(
        st.lists(st.tuples(st.sampled_from(["3M", "9M"]), *[value] * len(on)), min_size=1, max_size=14)
    )

    fresh = type(shelf)(tmp_path_factory.mktemp("store"))
    for place, (scale, *values) in enumerate(rows):
        fresh.add(f"T{place:02}", scale=scale, **{name: v for (name, _), v in zip(on, values, strict=True)})
    found = {
        cell.technique: (cell.place.value, set(cell.dominated_by))
        for group in pareto(fresh.store, on=[f"{name}:{way}" for name, way in on]).groups
        for cell in group.cells
    }

    points = {
        f"T{place:02}": (scale, [v if way == "min" else -v for v, (_, way) in zip(values, on, strict=True)])
        for place, (scale, *values) in enumerate(rows)
        if all(v is not None and math.isfinite(v) for v in values)
    }
    beaten_by = {
        a: {
            b
            for b, (other, y) in points.items()
            if other == scale and y != x and all(q <= p for p, q in zip(x, y, strict=True))
        }
        for a, (scale, x) in points.items()
    }
    front = {a for a, by in beaten_by.items() if not by}
    for place in range(len(rows)):
        name = f"T{place:02}"
        if name not in points:
            assert found[name] == ("not comparable", set())
        else:
            assert found[name] == ("front" if name in front else "dominated", beaten_by[name] & front)


@pytest.mark.slow
def test_a_clear_case_is_certain_on_both_sides(shelf: Any) -> None:
    shelf.repeats("MHA", ppl=[50.0, 51.0, 52.0], amu_gb=[3.0, 3.1, 3.2])
    shelf.repeats("MQA", ppl=[60.0, 61.1, 62.0], amu_gb=[1.0, 1.11, 1.2])
    shelf.repeats("NSA", ppl=[70.0, 71.1, 72.0], amu_gb=[4.0, 4.11, 4.2])
    group = only_group(shelf.store, on=["ppl", "amu_gb"])
    assert places(group) == {"MHA": ("front", True), "MQA": ("front", True), "NSA": ("dominated", True)}
    cells = by_technique(group)
    assert cells["NSA"].dominated_by == ("MHA", "MQA")
    assert cells["MHA"].values == (51.0, 3.1)


@pytest.mark.slow
def test_a_difference_within_the_spread_makes_neither_side_certain(shelf: Any) -> None:
    shelf.repeats("MHA", ppl=[50.0, 52.0, 51.0], amu_gb=[3.0, 3.1, 3.2])
    shelf.repeats("GQA", ppl=[51.0, 51.0, 51.5], amu_gb=[3.1, 3.0, 3.3])
    group = only_group(shelf.store, on=["ppl", "amu_gb"])
    assert places(group) == {"MHA": ("front", False), "GQA": ("dominated", False)}
    assert by_technique(group)["MHA"].rivals == ("GQA",)


def test_a_cell_off_the_front_that_certainly_dominates_is_named(shelf: Any) -> None:
    """By the means one dominates, within the spread; the one that does so for certain is off the front."""
    shelf.repeats("ALiBi", ppl=[40.0, 70.0, 46.0], kv_bytes_per_token=100.0)
    shelf.repeats("GQA", ppl=[53.0, 54.0, 55.0], kv_bytes_per_token=100.0)
    shelf.repeats("MoBA", ppl=[63.0, 64.1, 65.0], kv_bytes_per_token=200.0)
    found = pareto(shelf.store, on=["ppl", "kv_bytes_per_token"])
    cells = by_technique(found.groups[0])
    assert (cells["MoBA"].place.value, cells["MoBA"].certain) == ("dominated", True)
    assert cells["MoBA"].dominated_by == ("ALiBi",)
    assert cells["MoBA"].certainly_by == ("GQA",)
    assert cells["GQA"].certainly_by == ()
    assert "dominated by ALiBi (on the front); certainly by GQA" in printed(found)


@pytest.mark.slow
def test_means_over_different_repeats_are_said(shelf: Any) -> None:
    """A cell whose third repeat has not run yet is compared over two seeds, and the answer says so."""
    shelf.repeats("MHA", ppl=[50.0, 51.0, 40.0])
    shelf.repeats("MQA", ppl=[49.0, 50.0])
    assert "Means are over up to 3 repeats, but MQA 2: " in printed(pareto(shelf.store, on=["ppl"]))
    shelf.add("MQA", seed=2, ppl=39.0)
    assert "Means are over" not in printed(pareto(shelf.store, on=["ppl"]))


def test_one_repeat_makes_nothing_certain(shelf: Any) -> None:
    shelf.repeats("MHA", ppl=[50.0])
    shelf.repeats("MQA", ppl=[60.0])
    assert places(only_group(shelf.store, on=["ppl"])) == {
        "MHA": ("front", False),
        "MQA": ("dominated", False),
    }


def test_a_computed_objective_is_certain_after_one_repeat(shelf: Any) -> None:
    shelf.repeats("MHA", kv_bytes_per_token=[4096.0])
    shelf.repeats("MQA", kv_bytes_per_token=[512.0])
    shelf.repeats("MLA", kv_bytes_per_token=[512.0])
    group = only_group(shelf.store, on=["kv_bytes_per_token"])
    assert places(group) == {"MQA": ("front", True), "MLA": ("front", True), "MHA": ("dominated", True)}


def test_a_cell_better_in_one_objective_for_certain_is_certainly_on_the_front(shelf: Any) -> None:
    shelf.repeats("MHA", ppl=[50.0, 52.0, 51.0], kv_bytes_per_token=4096.0)
    shelf.repeats("MQA", ppl=[51.0, 51.0, 51.5], kv_bytes_per_token=512.0)
    group = only_group(shelf.store, on=["ppl", "kv_bytes_per_token"])
    assert places(group) == {"MHA": ("front", False), "MQA": ("front", True)}
    assert by_technique(group)["MHA"].rivals == ("MQA",)


def test_the_direction_is_the_metrics_unless_it_is_given(shelf: Any) -> None:
    shelf.repeats("MHA", tokens_per_s=[100.0, 101.0])
    shelf.repeats("MQA", tokens_per_s=[200.0, 201.5])
    front = [
        [c.technique for c in only_group(shelf.store, on=[on]).front]
        for on in ("tokens_per_s", "tokens_per_s:min")
    ]
    assert front == [["MQA"], ["MHA"]]


@pytest.mark.slow
@pytest.mark.parametrize("gap", [None, math.nan, math.inf])
def test_a_cell_with_a_gap_is_neither_dominated_nor_on_the_front(shelf: Any, gap: float | None) -> None:
    shelf.repeats("MHA", ppl=[50.0, 51.0], amu_gb=[3.0, 3.0])
    shelf.add("MQA", ppl=60.0, amu_gb=gap, missing={"amu_gb": "no reading"} if gap is None else None)
    cell = by_technique(only_group(shelf.store, on=["ppl", "amu_gb"]))["MQA"]
    assert (cell.place.value, cell.certain, cell.values, cell.dominated_by) == (
        "not comparable",
        None,
        None,
        (),
    )
    assert cell.absent == ("amu_gb",)
    assert cell.reason == ("no reading" if gap is None else f"the value was {gap}")


def test_a_cell_that_did_not_end_well_is_listed_with_its_outcome(shelf: Any) -> None:
    shelf.repeats("MHA", ppl=[50.0, 51.0])
    shelf.add("NSA", outcome="oom", reason="needs 90 GB")
    cell = by_technique(only_group(shelf.store, on=["ppl"]))["NSA"]
    assert (cell.place.value, cell.outcomes, cell.reason) == ("not comparable", ("oom",), "needs 90 GB")


def test_each_scale_has_a_set_of_its_own(shelf: Any) -> None:
    shelf.repeats("MHA", ppl=[50.0, 51.0], scale="3M")
    shelf.repeats("MQA", ppl=[20.0, 21.0], scale="30M", parameters=30_000_000)
    groups = pareto(shelf.store, on=["ppl"]).groups
    assert [(g.group.comparison["scale"], [c.technique for c in g.front]) for g in groups] == [
        ("3M", ["MHA"]),
        ("30M", ["MQA"]),
    ]


def test_results_that_both_leave_something_open_share_a_set(shelf: Any) -> None:
    for technique, value in (("MHA", 50.0), ("MQA", 60.0)):
        shelf.repeats(technique, ppl=[value, value + 1], steps=None, batch_size=None)
    shelf.add("NSA", outcome="oom", steps=None, batch_size=None)
    assert places(only_group(shelf.store, on=["ppl"])) == {
        "MHA": ("front", True),
        "MQA": ("dominated", True),
        "NSA": ("not comparable", None),
    }


def test_an_energy_as_objective_keeps_meter_scopes_apart(shelf: Any) -> None:
    shelf.repeats("MHA", ppl=[50.0, 51.0], energy_j=[3.0, 3.0], meter_scope="gpu")
    shelf.repeats("MQA", ppl=[40.0, 41.0], energy_j=[1.0, 1.0], meter_scope="module")
    assert len(pareto(shelf.store, on=["ppl", "energy_j"]).groups) == 2
    assert len(pareto(shelf.store, on=["ppl"]).groups) == 1


def test_six_objectives_are_the_most(shelf: Any) -> None:
    names = ["ppl", "amu_gb", "pcu", "al_s_per_iter", "tokens_per_s", "mfu"]
    shelf.repeats("MHA", **{name: [1.0, 1.0] for name in names})
    assert [c.technique for c in only_group(shelf.store, on=names).front] == ["MHA"]
    with pytest.raises(UnknownName, match="7 objectives; allowed: 1 to 6"):
        pareto(shelf.store, on=[*names, "aec_w"])


@pytest.mark.parametrize(
    ("on", "message"),
    [
        (["pppl"], "did you mean 'ppl'"),
        (["ppl:maximum"], "known: min, max"),
        (["ppl", "ppl:max"], "named twice"),
        ([], "0 objectives"),
    ],
)
def test_objectives_that_make_no_sense_are_refused_with_what_does(
    shelf: Any, on: list[str], message: str
) -> None:
    with pytest.raises(UnknownName, match=message):
        pareto(shelf.store, on=on)


def test_a_set_is_json_and_html(shelf: Any) -> None:
    shelf.repeats("<i>", ppl=[50.0, 51.0])
    found = pareto(shelf.store, on=["ppl"])
    assert (
        json.loads(json.dumps(found.to_json(), allow_nan=False))["groups"][0]["cells"][0]["place"] == "front"
    )
    assert "&lt;i&gt;" in found._repr_html_()
