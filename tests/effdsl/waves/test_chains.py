"""Studies that follow one another, wave by wave."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effdsl import (
    GQA,
    MLA,
    Attention,
    Budget,
    DoRA,
    FineTuning,
    Full,
    LoRA,
    Study,
    Trained,
)
from effdsl.outcome import Outcome
from effdsl.plan import TaskRole, TaskState

from .conftest import (
    BASE,
    SWEEP,
    TEXT,
    Known,
    name,
    of_role,
    planned,
    rate_of,
    run_wave,
    states,
    tuned,
    without_rate,
)


def test_a_chain_is_planned_wave_by_wave() -> None:
    first = tuned(Trained(BASE), LoRA, Full, recipe=SWEEP, repeats=1, name="first")
    study = tuned(Trained(first), DoRA, recipe=SWEEP, repeats=2)
    store = Known()
    waves = []
    while (plan := planned(study, store)).to_run():
        assert plan.counts()[TaskState.INFEASIBLE] == 0
        waves.append(Counter(map(without_rate, run_wave(plan, store))))
    assert waves == [
        Counter({"GQA 3M 0": 1}),
        Counter({"LoRA, trial GQA 3M 0": 2, "Full, trial GQA 3M 0": 2}),
        # what is tuned again is decided now, and with it what leaves the weights of every repeat
        Counter({"LoRA GQA 3M 0": 1, "Full GQA 3M 0": 1, "GQA 3M 1": 1}),
        Counter({"DoRA, trial LoRA GQA 3M 0": 2, "DoRA, trial Full GQA 3M 0": 2,
                 "LoRA GQA 3M 1": 1, "Full GQA 3M 1": 1}),
        Counter({f"DoRA {of} GQA 3M {seed}": 1 for of in ("LoRA", "Full") for seed in (0, 1)}),
    ]  # fmt: skip
    assert states(plan) == {"cached": sum(map(Counter.total, waves))}
    assert plan.open_tasks == ()


def test_a_chain_breaks_where_a_task_ended_badly() -> None:
    first = tuned(Trained(BASE), repeats=1, name="first")
    study, store = tuned(Trained(first), repeats=1), Known()
    run_wave(planned(study, store), store)
    (middle,) = planned(study, store).to_run()
    store.has_run(middle, Outcome.OOM)
    (result,) = of_role(planned(study, store), TaskRole.RESULT)
    assert (result.state, result.reason) == (
        TaskState.INFEASIBLE,
        "starts from the weights of LoRA GQA 3M seed 0, which ended as oom",
    )


def test_a_chain_waits_along_its_whole_length() -> None:
    first = tuned(Trained(BASE), repeats=1, name="first")
    plan = planned(tuned(Trained(first), repeats=1))
    assert [task.state for task in plan.tasks] == [TaskState.NEW, TaskState.WAITING, TaskState.WAITING]
    assert plan.tasks[-1].reason == "starts from the weights of LoRA GQA 3M seed 0"


FIRST = tuned(Trained(BASE), LoRA, Full, recipe=SWEEP, name="first")
STUDIES = {
    "one step": tuned(Trained(BASE), LoRA, Full),
    "a sweep": tuned(Trained(BASE.derive(axis=Attention([GQA, MLA]))), LoRA, recipe=SWEEP),
    "a chain": tuned(Trained(FIRST), DoRA, recipe=SWEEP),
    "its own weights": Study(
        FineTuning([LoRA, Full]), models=[Trained(BASE), Trained(tuned(Trained(BASE), name="first"))],
        data=TEXT, budget=Budget(steps=10), repeats=2,
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
@settings(deadline=None, max_examples=8)
@given(data=st.data())
def test_whatever_has_run_nothing_comes_before_what_it_starts_from_and_all_of_it_runs_in_the_end(
    study: Study, data: st.DataObject
) -> None:
    """After any part of the tasks has run, and with any weights gone: what is to run can run, each task is
    listed once, and the number of steps to the end is bounded."""
    store = Known()
    for _ in range(60):
        plan = planned(study, store)
        keys = [task.address.key for task in plan.tasks]
        assert len(set(keys)) == len(keys)
        place = {name(task): i for i, task in enumerate(plan.tasks) if task.is_upstream}
        for i, task in enumerate(plan.tasks):
            for source in re.findall(r"starts from the weights of (.*) seed (\d+)", task.reason):
                assert place[" ".join(source)] < i
        assert Counter(task.role for task in plan.tasks)[TaskRole.RESULT] + len(plan.open_tasks) == (
            plan.repeats * len(plan.cells)
        )
        to_run = plan.to_run()
        if not to_run:
            break
        done = data.draw(
            st.lists(st.sampled_from(to_run), min_size=1, unique_by=lambda task: task.address.key)
        )
        for task in done:
            store.has_run(task, loss=rate_of(task) if task.role is TaskRole.TRIAL else None)
        if data.draw(st.integers(0, 9)) == 0:
            store.weights -= set(data.draw(st.lists(st.sampled_from(sorted(store.results)), max_size=2)))
    else:
        pytest.fail("it never comes to an end")
    assert states(plan) == {"cached": len(plan.every_task)}
