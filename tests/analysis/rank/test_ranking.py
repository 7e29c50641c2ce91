"""Rankings on a real store: ties, missing values, comparison groups, repeats."""

from __future__ import annotations

import json
import math
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from effdsl_analysis import UnknownName, pareto, rank
from effdsl_analysis.questions.rank.ranking import RankBlock, RankedCell
from effdsl_registry.store import StudyTask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console
from scipy import stats


def only_block(*args: Any, **kwargs: Any) -> RankBlock:
    (block,) = rank(*args, **kwargs).blocks
    return block


def by_technique(block: RankBlock) -> dict[str, RankedCell]:
    return {cell.technique: cell for cell in block.cells}


@pytest.mark.slow
def test_a_certain_order_is_numbered_from_the_best(shelf: Any) -> None:
    shelf.repeats("MHA", ppl=[50.0, 51.0, 52.0])
    shelf.repeats("MQA", ppl=[53.0, 54.1, 55.0])
    shelf.repeats("GQA", ppl=[51.0, 52.1, 53.0])
    block = only_block(shelf.store, metrics=["ppl"])
    assert [(c.technique, c.rank, c.rank_hi) for c in block.cells] == [
        ("MHA", 1, 1),
        ("GQA", 2, 2),
        ("MQA", 3, 3),
    ]
    assert block.pairs == (3, 3)


@pytest.mark.slow
def test_where_higher_is_better_the_largest_is_first(shelf: Any) -> None:
    shelf.repeats("MHA", tokens_per_s=[100.0, 101.0, 102.0])
    shelf.repeats("MQA", tokens_per_s=[200.0, 201.5, 202.0])
    block = only_block(shelf.store, metrics=["tokens_per_s"])
    assert [(c.technique, c.rank) for c in block.cells] == [("MQA", 1), ("MHA", 2)]
    assert by_technique(block)["MQA"].mean == pytest.approx(201.166666667)


def test_tied_techniques_share_a_rank_and_the_next_is_counted_after_them(shelf: Any) -> None:
    shelf.repeats("MHA", ppl=[50.0, 52.0, 51.0])
    shelf.repeats("GQA", ppl=[51.0, 51.0, 51.5])
    shelf.repeats("MQA", ppl=[60.0, 62.0, 61.0])
    block = only_block(shelf.store, metrics=["ppl"])
    assert [(c.technique, c.rank, c.rank_lo, c.rank_hi) for c in block.cells] == [
        ("GQA", 1, 1, 2),
        ("MHA", 1, 1, 2),
        ("MQA", 3, 3, 3),
    ]
    assert [c.tied_with for c in block.cells] == [("MHA",), ("GQA",), ()]


@pytest.mark.slow
def test_the_interval_is_that_of_scipy_over_the_repeats(shelf: Any) -> None:
    values = [50.0, 52.0, 51.5, 49.0, 50.5]
    shelf.repeats("MHA", ppl=values)
    (cell,) = only_block(shelf.store, metrics=["ppl"]).cells
    interval = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (cell.low, cell.high) == pytest.approx((interval.low, interval.high), rel=1e-8)
    assert cell.n == 5
    assert cell.sd == pytest.approx(stats.tstd(values), rel=1e-10)


@pytest.mark.slow
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), n=st.integers(2, 4), higher=st.booleans())
def test_ranks_follow_from_all_paired_tests_of_scipy(
    data: Any, n: int, higher: bool, tmp_path_factory: Any, shelf: Any
) -> None:
    cells = data.draw(
        st.lists(
            st.lists(st.integers(1000, 1200).map(lambda v: v / 10), min_size=n, max_size=n),
            min_size=2,
            max_size=6,
            unique_by=tuple,
        )
    )
    fresh = type(shelf)(tmp_path_factory.mktemp("store"))
    metric = "tokens_per_s" if higher else "ppl"
    for place, values in enumerate(cells):
        fresh.repeats(f"T{place}", **{metric: values})
    found = by_technique(only_block(fresh.store, metrics=[metric]))

    better = {place: set() for place in range(len(cells))}
    for a, b in combinations(range(len(cells)), 2):
        gaps = [round((x - y) * 10) * (-1 if higher else 1) for x, y in zip(cells[a], cells[b], strict=True)]
        if len(set(gaps)) == 1:
            low = high = gaps[0]
        else:
            low, high = stats.ttest_1samp(gaps, 0).confidence_interval(0.95)
        if high < 0:
            better[b].add(a)
        elif low > 0:
            better[a].add(b)
    for place in better:
        cell = found[f"T{place}"]
        beats = sum(place in others for others in better.values())
        tied = {f"T{o}" for o in better if o != place and o not in better[place] and place not in better[o]}
        assert cell.rank == 1 + len(better[place])
        assert cell.rank_hi == len(cells) - beats
        assert set(cell.tied_with) == tied


def test_one_repeat_ranks_nobody_above_anybody(shelf: Any) -> None:
    shelf.repeats("MHA", ppl=[50.0])
    shelf.repeats("MQA", ppl=[60.0])
    block = only_block(shelf.store, metrics=["ppl"])
    assert [(c.rank, c.rank_hi, c.undecided_with, c.low) for c in block.cells] == [
        (1, 2, ("MQA",), None),
        (1, 2, ("MHA",), None),
    ]
    assert block.pairs == (0, 1)


@pytest.mark.slow
def test_one_repeat_is_enough_for_a_value_that_is_computed(shelf: Any) -> None:
    for technique, size in (("MHA", 4096.0), ("MQA", 512.0), ("MLA", 512.0)):
        shelf.repeats(technique, kv_bytes_per_token=[size])
    block = only_block(shelf.store, metrics=["kv_bytes_per_token"])
    assert [(c.technique, c.rank, c.sd) for c in block.cells] == [("MLA", 1, 0), ("MQA", 1, 0), ("MHA", 3, 0)]


@pytest.mark.slow
def test_means_that_differ_beyond_the_twelfth_digit_only_are_tied(shelf: Any) -> None:
    """MQA and GQA of a published table: 0.3874 / 3, summed in two orders."""
    shelf.repeats("MQA", al_s_per_iter=[0.1127, 0.1283, 0.1464])
    shelf.repeats("GQA", al_s_per_iter=[0.1464 + 1e-15, 0.1127, 0.1283], seeds=[7, 8, 9])
    block = only_block(shelf.store, metrics=["al_s_per_iter"])
    assert [(c.rank, c.mean) for c in block.cells] == [(1, 0.129133333333)] * 2


@pytest.mark.slow
def test_a_missing_value_is_listed_without_rank_with_its_reason(shelf: Any) -> None:
    shelf.repeats("MHA", aec_w=[100.0, 101.0])
    shelf.add("MQA", missing={"aec_w": "no power meter"}, ppl=50.0)
    block = only_block(shelf.store, metrics=["aec_w"])
    cell = by_technique(block)["MQA"]
    assert (cell.rank, cell.mean, cell.low, cell.n, cell.reason) == (None, None, None, 0, "no power meter")
    assert by_technique(block)["MHA"].rank_hi == 1


@pytest.mark.slow
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_missing(shelf: Any, value: float) -> None:
    shelf.add("MHA", ppl=value)
    shelf.repeats("MQA", ppl=[60.0, 61.0])
    cells = by_technique(only_block(shelf.store, metrics=["ppl"]))
    assert (cells["MHA"].rank, cells["MHA"].mean) == (None, None)
    assert str(value) in cells["MHA"].reason
    assert cells["MQA"].rank == 1


@pytest.mark.slow
@pytest.mark.parametrize("outcome", ["oom", "timeout", "diverged", "failed", "unsupported"])
def test_a_cell_that_did_not_end_well_appears_with_its_outcome(shelf: Any, outcome: str) -> None:
    shelf.repeats("MHA", ppl=[50.0, 51.0])
    shelf.add("NSA", outcome=outcome, reason="because", ppl=1.0)
    cell = by_technique(only_block(shelf.store, metrics=["ppl"]))["NSA"]
    assert (cell.rank, cell.mean, cell.outcomes, cell.reason) == (None, None, (outcome,), "because")


@pytest.mark.slow
def test_a_repeat_that_failed_is_told_beside_the_others(shelf: Any) -> None:
    shelf.repeats("MHA", ppl=[50.0, 51.0])
    shelf.add("MHA", seed=2, outcome="oom", reason="needs 90 GB")
    (cell,) = only_block(shelf.store, metrics=["ppl"]).cells
    assert (cell.n, cell.ok, cell.repeats, cell.outcomes, cell.reason) == (2, 2, 3, ("oom",), "needs 90 GB")


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"scale": "30M"},
        {"hardware": "GH200"},
        {"hardware_count": 8},
        {"data": "FineWeb-Edu"},
        {"data_revision": "def"},
        {"tokenizer": "bytes"},
        {"context_length": 512},
        {"batch_size": 16},
        {"steps": 600},
        {"dtype": "float32"},
        {"evidence": "published"},
        {"stage": "fine-tuning"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_only_results_that_agree_in_all_but_the_technique_are_compared(shelf: Any, change: Any) -> None:
    shelf.repeats("MHA", ppl=[50.0, 51.0])
    shelf.add("MQA", ppl=1.0, **change)
    ranking = rank(shelf.store, metrics=["ppl"])
    assert [[cell.technique for cell in block.cells] for block in ranking.blocks] in (
        [["MHA"], ["MQA"]],
        [["MQA"], ["MHA"]],
    )
    assert len({block.group.title for block in ranking.blocks}) == 2


@pytest.mark.slow
def test_results_that_both_leave_something_open_are_compared(shelf: Any) -> None:
    for technique, value in (("MHA", 50.0), ("MQA", 60.0)):
        shelf.repeats(technique, ppl=[value, value + 1], steps=None, batch_size=None)
    shelf.add("NSA", outcome="oom", steps=None, batch_size=None)
    block = only_block(shelf.store, metrics=["ppl"])
    assert [(cell.technique, cell.rank) for cell in block.cells] == [("MHA", 1), ("MQA", 2), ("NSA", None)]


def test_energies_of_two_meter_scopes_are_never_in_one_ranking(shelf: Any) -> None:
    shelf.repeats("MHA", aec_w=[300.0, 301.0], ppl=[50.0, 51.0], meter_scope="gpu")
    shelf.repeats("MQA", aec_w=[200.0, 201.0], ppl=[52.0, 53.5], meter_scope="module")
    shelf.add("NSA", outcome="oom")
    ranking = rank(shelf.store, metrics=["aec_w", "ppl"])
    assert [
        (b.metric.name, b.group.energy_scope, [c.technique for c in b.cells]) for b in ranking.blocks
    ] == [
        ("aec_w", "gpu", ["MHA", "NSA"]),
        ("aec_w", "module", ["MQA", "NSA"]),
        ("ppl", "", ["MHA", "MQA", "NSA"]),
    ]


@pytest.mark.slow
def test_two_cells_of_one_technique_are_named_by_what_differs(shelf: Any) -> None:
    shelf.repeats("MHA", ppl=[50.0, 51.0], position="RoPE")
    shelf.repeats("MHA", ppl=[60.0, 61.5], position="NoPE")
    block = only_block(shelf.store, metrics=["ppl"])
    assert [c.technique for c in block.cells] == ["MHA (position RoPE)", "MHA (position NoPE)"]


@pytest.mark.slow
def test_a_study_is_ranked_without_the_rest_of_the_store(shelf: Any) -> None:
    shelf.repeats("MHA", ppl=[50.0, 51.0], study="small/attention")
    shelf.repeats("MQA", ppl=[52.0, 53.5], study="other")
    shelf.task("small/attention", "NSA")
    for name in ("small/attention", "studies/small/attention.py", "attention"):
        ranking = rank(shelf.store, name, metrics=["ppl"])
        assert ranking.scope.study == "small/attention"
        assert [cell.technique for cell in ranking.blocks[0].cells] == ["MHA"]
        assert (ranking.scope.results, ranking.scope.missing) == (2, 1)


@pytest.mark.slow
def test_a_bare_name_that_ends_two_studies_must_be_made_precise(shelf: Any) -> None:
    for study in ("a/x", "b/x"):
        shelf.add("MHA", study=study, ppl=1.0)
    with pytest.raises(UnknownName, match="a/x or b/x"):
        rank(shelf.store, "x")


def test_unasked_only_metrics_of_the_default_table_that_have_a_value_are_shown(shelf: Any) -> None:
    shelf.repeats("MHA", ppl=[50.0, 51.0], held_out_loss=[3.9, 3.95], amu_gb=[1.0, 1.1])
    assert [block.metric.name for block in rank(shelf.store).blocks] == ["ppl", "amu_gb"]


@pytest.mark.slow
def test_metrics_of_the_default_table_without_a_value_are_named_with_the_reason(shelf: Any) -> None:
    shelf.repeats("MHA", ppl=[50.0, 51.0], missing={"aec_w": "no power meter"})
    without = {metric.name: reason for metric, reason in rank(shelf.store).without_value}
    assert without["aec_w"] == "no power meter"
    assert without["mfu"] == "not measured"
    assert "ppl" not in without
    assert rank(shelf.store, metrics=["ppl"]).without_value == ()
    console = Console(width=200, record=True)
    console.print(rank(shelf.store))
    assert "AEC (no power meter)" in console.export_text()


@pytest.mark.slow
def test_techniques_that_ran_as_plain_code_are_named_below_rankings_and_fronts(shelf: Any) -> None:
    shelf.add("GQA", al_s_per_iter=1.0, ppl=50.0)
    shelf.add("NSA", al_s_per_iter=2.0, ppl=40.0, kernel="reference")
    for answer in (rank(shelf.store), pareto(shelf.store, on=["ppl", "al_s_per_iter"])):
        console = Console(width=200, record=True)
        console.print(answer)
        assert "Plain code, slower than a tuned kernel would be: NSA." in console.export_text()


@pytest.mark.slow
def test_techniques_that_ran_with_other_numbers_of_threads_are_named(shelf: Any) -> None:
    """Below what compares them: rankings and fronts; where all ran with as many nothing is said."""
    shelf.add("GQA", al_s_per_iter=1.0, ppl=50.0, threads=2)
    shelf.add("GQA", seed=1, al_s_per_iter=1.2, ppl=50.5, threads=1)
    shelf.add("NSA", al_s_per_iter=2.0, ppl=40.0, threads=2)
    shelf.add("NSA", scale="9M", parameters=9_000_000, al_s_per_iter=2.0, ppl=40.0, threads=4)
    said = "Times are of different numbers of CPU threads: GQA with 1 and 2, NSA with 2."
    for scale, expected in (("3M", True), ("9M", False)):
        for answer in (
            rank(shelf.store, scale=scale),
            pareto(shelf.store, scale=scale, on=["ppl", "al_s_per_iter"]),
        ):
            console = Console(width=200, record=True)
            console.print(answer)
            assert (said in console.export_text()) is expected


@pytest.mark.slow
def test_a_file_does_not_stand_for_another_file_of_the_same_name(shelf: Any, tmp_path: Path) -> None:
    """`rank FILE` is about that file: one of the same name that ran since is refused, with the reason."""
    mine, other = tmp_path / "mine" / "one.py", tmp_path / "other" / "one.py"
    for file in (mine, other):
        file.parent.mkdir()
        file.write_text("study = ...")
    key = shelf.add("GQA", ppl=50.0)
    shelf.store.remember_study("one", str(other), [StudyTask(key, "c" * 64, "GQA", "3M")])
    assert rank(shelf.store, str(other)).scope.study == "one"
    with pytest.raises(UnknownName, match="last executed under the name 'one'"):
        rank(shelf.store, str(mine))


@pytest.mark.slow
def test_a_study_with_a_name_of_its_own_is_known_by_it_and_by_its_file(shelf: Any, tmp_path: Path) -> None:
    file = tmp_path / "studies" / "mine.py"
    file.parent.mkdir()
    file.write_text("study = ...")
    key = shelf.add("GQA", ppl=50.0)
    shelf.store.remember_study("my best study", str(file), [StudyTask(key, "c" * 64, "GQA", "3M")])
    for asked in ("my best study", str(file), "mine"):
        assert rank(shelf.store, asked).scope.study == "my best study"
    shelf.store.remember_study("mine", str(file), [StudyTask(key, "c" * 64, "GQA", "3M")])
    assert rank(shelf.store, "mine").scope.study == "mine", "a name comes before a file's"
    with pytest.raises(UnknownName, match="may be mine or my best study; say which"):
        rank(shelf.store, str(file))


@pytest.mark.slow
def test_where_nothing_ended_well_a_ranking_says_how_each_ended(shelf: Any) -> None:
    shelf.add("GQA", study="one", outcome="diverged", reason="the loss is nan at step 3")
    shelf.add("MQA", study="one", outcome="oom", reason="needs 90 GB")
    (block,) = rank(shelf.store, "one").blocks
    assert [(cell.technique, cell.rank, cell.outcomes) for cell in block.cells] == [
        ("GQA", None, ("diverged",)),
        ("MQA", None, ("oom",)),
    ]


@pytest.mark.slow
def test_a_cell_is_called_as_the_study_that_is_asked_calls_it(shelf: Any) -> None:
    shelf.add("GQA", study="position", called="RoPE", ppl=50.0)
    assert [c.technique for c in only_block(shelf.store, "position", metrics=["ppl"]).cells] == ["RoPE"]
    assert [c.technique for c in only_block(shelf.store, metrics=["ppl"]).cells] == ["GQA"]


@pytest.mark.slow
def test_small_scales_come_first_within_a_metric_and_metrics_in_the_order_asked(shelf: Any) -> None:
    for scale, size in (("10M", 10_000_000), ("3M", 3_000_000)):
        shelf.add("MHA", scale=scale, parameters=size, ppl=50.0, amu_gb=1.0)
    found = [
        (b.metric.name, b.group.comparison["scale"])
        for b in rank(shelf.store, metrics=["amu_gb", "ppl"]).blocks
    ]
    assert found == [("amu_gb", "3M"), ("amu_gb", "10M"), ("ppl", "3M"), ("ppl", "10M")]
    assert only_block(shelf.store, metrics=["ppl"], scale="10M").group.comparison["scale"] == "10M"


def test_a_ranking_is_json_and_html_that_escapes_what_a_store_says(shelf: Any) -> None:
    shelf.add("<script>alert(1)</script>[red]", ppl=50.0, outcome="failed", reason="\x1b[2J<b>")
    ranking = rank(shelf.store, metrics=["ppl"])
    document = json.loads(json.dumps(ranking.to_json(), allow_nan=False))
    assert document["blocks"][0]["cells"][0]["technique"] == "<script>alert(1)</script>[red]"
    page = ranking._repr_html_()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "[red]" in page
    assert "\x1b" not in page


def test_an_empty_store_gives_an_empty_ranking(shelf: Any) -> None:
    assert rank(shelf.store).blocks == ()
    assert not shelf.root.exists()


def test_a_users_connection_is_asked_and_left_as_it_was(shelf: Any) -> None:
    shelf.repeats("MHA", ppl=[50.0, 51.0])
    with shelf.store.reading() as connection:
        assert only_block(connection, metrics=["ppl"]).cells[0].mean == 50.5
        macros = connection.execute(
            "SELECT count(*) FROM duckdb_functions() WHERE function_name = 'pareto_front'"
        ).fetchall()
    assert macros == [(0,)]
