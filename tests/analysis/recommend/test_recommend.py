"""Recommendations on made-up repeats against a search by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import mean
from typing import Any

import attrs
import pytest
from effdsl_analysis.queries import define, session, statement
from effdsl_analysis.questions.recommend.conditions import Condition
from effdsl_analysis.questions.recommend.decisions import Decision, Question
from effdsl_analysis.questions.recommend.recommendation import decide, recommend
from effdsl_registry.store import Store
from hypothesis import given, settings
from hypothesis import strategies as st

from .recommend_by_hand import Candidates, asked, by_hand, difference, holds, next_by_hand

NOTHING: tuple[str, ...] = ()


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A connection with the tables of evidence, to be filled."""
    with session(Store(tmp_path_factory.mktemp("store"))) as connection:
        for name in ("subjects", "observations"):
            connection.execute(statement(f"evidence/published_{name}"))
        yield define(connection)


def lay(connection: Any, found: Candidates) -> None:
    """Fill the tables: one axis, one setting, one size."""
    for name in ("subjects", "observations"):
        connection.execute(f"DELETE FROM {name}")  # noqa: S608 - names of our own
    for technique, metrics in found.items():
        connection.execute(
            "INSERT INTO subjects (cell, axis, technique, method, size, setting, source) "
            "VALUES ($1, 'attention', $1, $1, '3M', 'one', 'made up')",
            [technique],
        )
        for metric, values in metrics.items():
            for seed, value in enumerate(values):
                connection.execute(
                    "INSERT INTO observations (cell, metric, seed, value, exact) VALUES (?, ?, ?, ?, false)",
                    [technique, metric, seed, value],
                )
    connection.execute(statement("evidence/contrasts"))


METRICS = ("ppl", "amu_gb", "tokens_per_s")
TENTHS = st.integers(10, 60).map(lambda n: n / 10)


@st.composite
def evidence(draw: st.DrawFn) -> Candidates:
    """Two to five techniques, one to three repeats of each, on a grid so that ties occur."""
    repeats = draw(st.integers(1, 3))
    values = st.lists(TENTHS, min_size=repeats, max_size=repeats)
    return {name: {metric: draw(values) for metric in METRICS} for name in "ABCDE"[: draw(st.integers(2, 5))]}


@st.composite
def questions(draw: st.DrawFn) -> Question:
    where = [
        f"{metric} {draw(st.sampled_from(['<=', '<', '>=', '>']))} {draw(TENTHS)}"
        for metric in draw(
            st.lists(st.sampled_from(["amu_gb", "tokens_per_s", "ppl"]), max_size=2, unique=True)
        )
    ]
    return asked(
        draw(st.sampled_from(["ppl", "tokens_per_s", "ppl:max"])),
        *where,
        within=draw(st.sampled_from([None, 0.02, 0.3])),
        then=draw(st.sampled_from([None, "amu_gb", "tokens_per_s"])),
    )


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(evidence(), questions())
def test_the_choice_is_that_of_a_search_and_flips_where_it_is_said_to(
    empty: Any, found: Candidates, question: Question
) -> None:
    lay(empty, found)
    (decision,) = decide(empty, question)
    assert set(decision.chosen) == set(by_hand(found, question))
    assert decision.runner_up == next_by_hand(found, question, decision.chosen)
    assert_best(found, question, decision)
    for flip, (condition, edge, is_loosened) in zip(decision.flips, edges_of(decision), strict=True):
        for here, expected in moves(condition, edge, is_loosened, flip.chosen, decision.chosen):
            moved = replaced(question, condition, here)
            assert set(decide(empty, moved)[0].chosen) == set(expected), (flip, moved)


def assert_best(found: Candidates, question: Question, decision: Decision) -> None:
    """What is chosen satisfies every condition, and nothing that does is better than the leader."""
    for name in decision.chosen:
        assert all(holds(condition, found[name][condition.metric.name]) for condition in question.conditions)
    if decision.leader:
        sign, metric = question.best.sign, question.best.metric.name
        for candidate in decision.candidates:
            if candidate.state.value != "ruled out":
                values = found[candidate.technique][metric]
                assert sign * mean(found[decision.leader][metric]) <= sign * mean(values) + 1e-9


def edges_of(decision: Decision) -> Iterator[tuple[Condition | None, float, bool]]:
    """Condition, edge and direction of each flip, from the path."""
    for before, after in zip(decision.path, decision.path[1:], strict=False):
        if before.condition is after.condition and after.edge is not None and 0 in (before.step, after.step):
            yield after.condition, after.edge, before.step == 0


def moves(
    condition: Condition | None,
    edge: float,
    is_loosened: bool,
    flipped: tuple[str, ...],
    chosen: tuple[str, ...],
) -> list[tuple[float, tuple[str, ...]]]:
    """Bounds at the edge and just short of it, and what each should give."""
    tighter = edge - 1e-7 * (condition.sign if condition else 1)
    at, short = (flipped, chosen) if is_loosened else (chosen, flipped)
    return [(edge, at), (tighter, short)] if tighter >= 0 else [(edge, at)]


def replaced(question: Question, condition: Condition | None, bound: float) -> Question:
    if condition is None:
        return attrs.evolve(question, within=bound)
    return attrs.evolve(
        question,
        conditions=tuple(c.allowing(bound) if c is condition else c for c in question.conditions),
    )


def only(connection: Any, found: Mapping[str, Mapping[str, Sequence[float]]], question: Question) -> Decision:
    lay(connection, {name: {m: list(v) for m, v in values.items()} for name, values in found.items()})
    (decision,) = decide(connection, question)
    return decision


@pytest.mark.slow
def test_what_the_repeats_do_not_tell_apart_is_left_open_and_a_second_metric_decides(empty: Any) -> None:
    found = {
        "A": {"ppl": [5.0, 5.2, 5.1], "amu_gb": [3.0, 3.0, 3.0]},
        "B": {"ppl": [5.1, 5.1, 5.2], "amu_gb": [2.0, 2.0, 2.0]},
        "C": {"ppl": [9.0, 9.2, 9.1], "amu_gb": [1.0, 1.0, 1.0]},
    }
    tied = only(empty, found, asked("ppl"))
    assert (tied.verdict.value, tied.chosen, tied.undecided, tied.runner_up) == (
        "tied",
        ("A", "B"),
        False,
        "C",
    )
    decided = only(empty, found, asked("ppl", then="amu_gb"))
    assert (decided.chosen, decided.leader, decided.runner_up) == (("B",), "A", "A")


def test_where_it_is_open_who_is_near_enough_both_answers_are_left(empty: Any) -> None:
    """A technique is not within a share of the best only because the repeats are noisy."""
    found = {
        "A": {"ppl": [10.0, 10.0, 10.0], "amu_gb": [3.0, 3.1, 3.2]},
        "B": {"ppl": [10.2, 10.5, 10.8], "amu_gb": [2.0, 2.1, 2.2]},
    }
    decision = only(empty, found, asked("ppl", then="amu_gb", within=0.0))
    _, half = difference([0.0] * 3, [0.2, 0.5, 0.8], is_exact=False)
    assert half is not None
    assert half > 0.5, "the interval of the difference holds zero"
    assert (decision.verdict.value, decision.chosen, decision.unsure) == ("tied", ("A", "B"), ("B",))


@pytest.mark.slow
def test_a_tolerance_takes_in_what_is_certainly_near_enough(empty: Any) -> None:
    found = {
        "A": {"ppl": [10.0, 10.0, 10.0], "amu_gb": [3.0, 3.1, 3.2]},
        "B": {"ppl": [10.49, 10.5, 10.51], "amu_gb": [2.0, 2.1, 2.2]},
    }
    asking = asked("ppl", then="amu_gb", within=0.04)
    decision = only(empty, found, asking)
    assert (decision.chosen, decision.unsure) == (("A",), ())
    _, half = difference([0.0] * 3, [0.49, 0.5, 0.51], is_exact=False)
    assert half is not None
    assert [(s.edge, s.chosen) for s in decision.path if s.condition is None] == [
        (0, ("A",)),
        (pytest.approx((0.5 - half) / 10), ("A", "B")),
        (pytest.approx((0.5 + half) / 10), ("B",)),
    ]
    assert only(empty, found, attrs.evolve(asking, within=0.06)).chosen == ("B",)


def test_nothing_comes_next_that_is_further_off_than_the_tolerance(empty: Any) -> None:
    """The runner-up is what else could be chosen, not the best of what could not."""
    found = {
        "A": {"ppl": [10.0, 10.0, 10.0], "amu_gb": [3.0, 3.1, 3.2]},
        "B": {"ppl": [10.49, 10.5, 10.51], "amu_gb": [2.0, 2.1, 2.2]},
        "C": {"ppl": [10.09, 10.1, 10.11], "amu_gb": [4.0, 4.1, 4.2]},
    }
    assert only(empty, found, asked("ppl", then="amu_gb", within=0.02)).runner_up == "C"
    assert only(empty, found, asked("ppl", then="amu_gb", within=0.005)).runner_up is None
    assert only(empty, found, asked("ppl", then="amu_gb", within=0.1)).runner_up == "A"


def test_one_repeat_is_too_few_to_choose(empty: Any) -> None:
    found = {name: {"ppl": [value], "amu_gb": [value]} for name, value in (("A", 5.0), ("B", 6.0))}
    decision = only(empty, found, asked("ppl", then="amu_gb", within=0.02))
    assert (decision.verdict.value, decision.undecided) == ("tied", True)


def test_a_condition_that_an_interval_reaches_across_is_marked(empty: Any) -> None:
    found = {
        "A": {"ppl": [5.0, 5.0, 5.0], "amu_gb": [44.0, 45.0, 46.2]},
        "B": {"ppl": [6.0, 6.0, 6.0], "amu_gb": [44.0, 45.0, 45.7]},
        "C": {"ppl": [7.0, 7.0, 7.0], "amu_gb": [40.0, 40.1, 40.2]},
        "D": {"ppl": [4.0, 4.0, 4.0], "amu_gb": [50.0, 50.1, 50.2]},
    }
    decision = only(empty, found, asked("ppl", "amu_gb <= 45"))
    meets = {
        candidate.technique: tuple(meets.value for meets in candidate.meets)
        for candidate in decision.candidates
    }
    assert meets == {"A": ("possibly not",), "B": ("possibly",), "C": ("certainly",), "D": ("no",)}
    assert (decision.chosen, decision.pessimistic, decision.optimistic) == (("B",), ("C",), ("A",))


@pytest.mark.slow
def test_energies_of_different_meters_are_not_compared(shelf: Any) -> None:
    for scope in ("gpu", "package"):
        for place, technique in enumerate(("MHA", "GQA")):
            shelf.repeats(
                technique,
                backbone="Transformer",
                energy_j=[5.0 + place, 5.1 + place],
                seeds=(0, 1),
                micro_batch_size=1 if scope == "gpu" else 2,
                meter_scope=scope,
            )
    found = recommend(shelf.store, best="energy_j", axes=["attention"])
    assert [(d.chosen, d.source.rpartition(" · ")[2]) for d in found.decisions] == [
        (("MHA",), "energy of the gpu"),
        (("MHA",), "energy of the package"),
    ]
