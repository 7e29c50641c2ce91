"""A limit picks tasks in the plan's order, repeat by repeat, and says what it leaves out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from effdsl import (
    GH200,
    GQA,
    MHA,
    MQA,
    Attention,
    Budget,
    FineTuning,
    Full,
    LoRA,
    M,
    Recipe,
    Shakespeare,
    Study,
    Sweep,
    Trained,
)
from effdsl.costs import Price, together
from effdsl.declare import Invalid
from effdsl.hardware import Hardware
from effdsl.key import canonical_json
from effdsl.limit import advice, limit_from, within
from effdsl.outcome import Outcome
from effdsl.plan import History, PastResult, Plan, TaskRole, TaskState
from effdsl.planner import make_plan

LAPTOP = Hardware(name="a laptop", kind="cpu")
STUDY = Study(
    Attention([MHA, MQA, GQA]),
    [1 * M, 10 * M],
    hw=GH200,
    budget=Budget(steps=1000),
    price_per_device_hour=3.6,
)
PLAN = make_plan(STUDY, LAPTOP)


def picked(plan: Plan) -> list[tuple[int, int]]:
    """Seed and cell of every task that is to run."""
    return [(task.task.seed, id(task.task.cell)) for task in plan.to_run()]


def test_time_energy_and_money_are_read_with_their_units() -> None:
    price = Price(seconds=7200, joules=3.6e6, usd=5)
    assert [limit_from(text).spent(price) for text in ("2h", "50kWh", "$100")] == [7200, 3.6e6, 5]
    assert [limit_from(text).most for text in ("90s", "90m", "2h", "1.5d", "50kWh", "$0.5")] == [
        90, 5400, 7200, 129_600, 1.8e8, 0.5,
    ]  # fmt: skip
    assert [limit_from(text).most for text in ("2h30m", "1,111h06m", "2,500 kWh", "1 Wh", "$1,234.50")] == [
        9000, 3_999_960, 9e9, 3600, 1234.5,
    ]  # fmt: skip
    assert [str(limit_from(text)) for text in ("2h", "50kWh", "$100")] == ["2h00m", "50 kWh", "$100.00"]


@pytest.mark.parametrize("text", ["2", "2 hours", "-1h", "100$", "kWh", ""])
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(Invalid, match="is not a limit"):
        limit_from(text)


@given(st.floats(0, 1.2))
def test_a_limit_is_never_exceeded_and_no_cell_runs_twice_before_all_run_once(part: float) -> None:
    whole = together(t.price for t in PLAN.to_run()).usd or 0.0
    plan = within(PLAN, limit_from(f"${part * whole:.12f}"))
    assert (together(t.price for t in plan.to_run()).usd or 0) <= part * whole + 1e-6
    seeds = [seed for seed, _ in picked(plan)]
    complete = {seed for seed in (0, 1, 2) if seeds.count(seed) == 6}
    assert all(earlier in complete for seed in set(seeds) for earlier in range(seed))


@given(st.floats(0, 1.2))
def test_within_a_repeat_nothing_is_left_out_that_would_still_have_fitted(part: float) -> None:
    whole = together(t.price for t in PLAN.to_run()).usd or 0.0
    limit = limit_from(f"${part * whole:.12f}")
    plan = within(PLAN, limit)
    left_out = [t for t in plan.tasks if t.state is TaskState.LEFT_OUT]
    if left_out:
        left = limit.most - sum(t.price.usd or 0 for t in plan.to_run())
        first = [t for t in left_out if t.task.seed == left_out[0].task.seed]
        assert all((t.price.usd or 0) > left - 1e-6 for t in first)


def test_a_limit_for_everything_leaves_nothing_out() -> None:
    assert picked(within(PLAN, limit_from("1000d"))) == picked(PLAN)


def test_the_last_line_counts_what_is_left_out() -> None:
    plan = within(PLAN, limit_from("0s"))
    assert plan.summary().startswith("Plan: 0 new, 0 cached")
    assert plan.summary().endswith("18 left out")
    assert plan.tasks[0].reason == "not within 0s"
    assert plan.to_run() == ()


def test_cached_tasks_cost_nothing() -> None:
    known = {
        t.address.key: PastResult(Outcome.OK, canonical_json(t.task)) for t in PLAN.tasks if t.task.seed == 0
    }
    plan = make_plan(STUDY, LAPTOP, lambda addresses: History(known))
    one = plan.tasks[0].price.usd or 0.0
    limited = within(plan, limit_from(f"${20 * one:.9f}"))
    assert limited.counts()[TaskState.CACHED] == 6
    assert {seed for seed, _ in picked(limited)} <= {1, 2}


@pytest.mark.parametrize(("budget", "says"), [("2h", "time"), ("2kWh", "energy"), ("$2", "cost")])
def test_a_limit_of_something_unknown_is_refused_with_what_to_do(budget: str, says: str) -> None:
    plan = make_plan(Study(Attention([GQA]), [1 * M]), LAPTOP)
    with pytest.raises(Invalid, match=f"needs the {says} of GQA 1M") as refused:
        within(plan, limit_from(budget))
    assert refused.value.hint


def test_more_is_promised_only_when_the_same_limit_would_run_more() -> None:
    """The next run pays for what this one left out, with the same limit."""
    dearest = max(price.usd or 0 for price in (cell.price for cell in PLAN.cells))
    cheapest = min(price.usd or 0 for price in (cell.price for cell in PLAN.cells))
    for most in (dearest, cheapest, cheapest / 2):
        limit = limit_from(f"${most:.12f}")
        first = within(PLAN, limit)
        ran = {task.address.key for task in first.to_run()}
        known = {t.address.key: PastResult(Outcome.OK, canonical_json(t.task)) for t in PLAN.tasks}
        rest = make_plan(
            STUDY,
            LAPTOP,
            lambda addresses: History({k: v for k, v in known.items() if k in ran}),  # noqa: B023
        )
        more = bool(within(rest, limit).to_run())
        assert (advice(first, limit) == "run again for more") is more
        assert ("give a larger --limit" in advice(first, limit)) is not more


def test_what_is_to_run_elsewhere_is_limited_in_a_plan() -> None:
    plan = make_plan(STUDY, LAPTOP, unavailable=lambda cell: "needs a GPU")
    whole = together(t.price for t in PLAN.to_run()).usd or 0.0
    half = within(plan, limit_from(f"${whole / 2:.9f}"))
    states = half.counts()
    assert states[TaskState.LEFT_OUT] > 0
    assert states[TaskState.UNAVAILABLE] + states[TaskState.LEFT_OUT] == 18
    assert (together(t.price for t in half.to_price()).usd or 0) <= whole / 2


BASE = STUDY.derive(axis=Attention([GQA]), scales=[10 * M], name="base")
TUNED = Study(
    FineTuning([LoRA, Full]), models=Trained(BASE), hw=GH200, data=Shakespeare(), budget=Budget(steps=1000),
    price_per_device_hour=3.6,
)  # fmt: skip
WAVES = make_plan(TUNED, LAPTOP)
SWEPT = make_plan(TUNED.derive(recipe=Recipe(learning_rate=Sweep([1e-4, 1e-3]))), LAPTOP)


def usd(plan: Plan) -> float:
    """What a plan takes, now and later."""
    return together(task.price for task in plan.to_price()).usd or 0.0


@pytest.mark.parametrize("whole", [WAVES, SWEPT], ids=["no sweep", "sweep"])
@given(part=st.floats(0, 1.2))
def test_what_waits_is_paid_for_too_and_nothing_without_what_it_waits_for(whole: Plan, part: float) -> None:
    plan = within(whole, limit_from(f"${part * usd(whole):.12f}"))
    assert usd(plan) <= part * usd(whole) + 1e-6
    left_out = {task.address.key for task in plan.tasks if task.state is TaskState.LEFT_OUT}
    for task in plan.tasks:
        if task.state is TaskState.WAITING:
            assert left_out.isdisjoint(task.upstream)
    if any(task.role is TaskRole.TRIAL and task.state is TaskState.LEFT_OUT for task in plan.tasks):
        assert {task.state for task in plan.open_tasks} <= {TaskState.LEFT_OUT}
    if part >= 1:
        assert plan == whole


def test_a_limit_for_the_weights_alone_leaves_out_all_that_starts_from_them() -> None:
    weights = together(task.price for task in WAVES.to_run()).usd or 0.0
    plan = within(WAVES, limit_from(f"${weights:.12f}"))
    assert plan.to_run() == WAVES.to_run()
    assert plan.counts()[TaskState.WAITING] == 0
    assert plan.counts()[TaskState.LEFT_OUT] == 6
    assert advice(plan, limit_from(f"${weights:.12f}")) == "run again for more"


def test_what_waits_and_has_no_price_yet_goes_on_waiting() -> None:
    """On hardware whose speed only a task can tell: the first wave is not kept from running by the second."""
    known = Study(Attention([GQA]), [10 * M], hw=GH200, budget=Budget(steps=10), repeats=1, name="known")
    plan = make_plan(Study(FineTuning([LoRA]), models=Trained(known), data=Shakespeare(), repeats=1), LAPTOP)
    limited = within(plan, limit_from("100d"))
    assert limited.counts()[TaskState.WAITING] == 1
