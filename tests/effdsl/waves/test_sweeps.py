"""Learning rates that trials decide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from effdsl import (
    GQA,
    H200,
    MLA,
    Attention,
    DoRA,
    FineTuning,
    Freeze,
    Full,
    Hub,
    LoRA,
    LoRAPlus,
    PiSSA,
    Recipe,
    RSLoRA,
    Seeds,
    Study,
    Sweep,
    Trained,
)
from effdsl.display import plan_table, totals
from effdsl.key import canonical_json
from effdsl.outcome import Outcome
from effdsl.plan import TaskRole, TaskState
from effdsl.planner import make_plan

from .conftest import (
    BASE,
    SWEEP,
    TRIED,
    WELL,
    Known,
    name,
    of_role,
    planned,
    rate_of,
    result_keys,
    run_all,
    run_wave,
    states,
    tuned,
    without_rate,
)


def test_what_a_sweep_decides_has_no_key_before_its_trials_have_run() -> None:
    study = tuned(Trained(BASE), LoRA, Full, recipe=SWEEP)
    store = Known()
    plan = planned(study, store)
    assert states(plan) == {"new": 2, "waiting": 4 + 4}
    assert len(plan.open_tasks) == 4
    assert of_role(plan, TaskRole.RESULT) == []
    assert {task.reason for task in plan.open_tasks} == {
        f"waits for 2 of 2 trials of {method} GQA 3M" for method in ("LoRA", "Full")
    }
    run_wave(plan, store)
    plan = planned(study, store)
    assert [task.role for task in plan.to_run()] == [TaskRole.TRIAL] * 4
    store.has_run(plan.to_run()[0], loss=1.0)
    assert {task.reason for task in planned(study, store).open_tasks} == {
        "waits for 1 of 2 trials of LoRA GQA 3M",
        "waits for 2 of 2 trials of Full GQA 3M",
    }
    run_wave(planned(study, store), store)
    plan = planned(study, store)
    assert set(store.asked) == {"tuning_loss"}
    assert plan.open_tasks == ()
    assert states(plan) == {"new": 4, "cached": 6}


def test_one_cell_may_be_decided_while_another_waits() -> None:
    study = tuned(Trained(BASE), LoRA, Full, recipe=SWEEP, repeats=1)
    store = Known()
    run_wave(planned(study, store), store)
    for task in of_role(planned(study, store), TaskRole.TRIAL):
        if task.task.labels.technique.startswith("LoRA"):
            store.has_run(task, loss=1.0)
    assert states(planned(study, store)) == {"new": 1 + 2, "cached": 1 + 2, "waiting": 1}


def test_the_price_of_what_is_not_decided_counts() -> None:
    study = Study(FineTuning([LoRA]), models=Hub("llama-3.2-1b"), hw=H200, recipe=SWEEP, repeats=3)
    plan = make_plan(study, H200)
    assert len(plan.to_price()) == 2 + 3
    assert {task.price.seconds for task in plan.open_tasks} == {plan.tasks[0].price.seconds}
    assert totals(plan).startswith("To run: 5 tasks, ")
    waiting = planned(tuned(Trained(BASE), recipe=SWEEP))
    assert len(waiting.to_price()) == 2 + 2 + 2


def losses(*found: float | None) -> Callable[[float], float | None]:
    return dict(zip(TRIED, found, strict=True)).__getitem__


@pytest.mark.parametrize(
    ("found", "taken"),
    [
        ((3.0, 1.0, 2.0), 1e-3),
        ((1.0, 2.0, 3.0), 1e-4),
        ((3.0, 2.0, 1.0), 1e-2),
        ((1.0, 1.0, 2.0), 1e-4),  # of equals the lowest, which strays least
        ((2.0, 1.0, None), 1e-3),
        ((None, None, 5.0), 1e-2),
        ((float("nan"), 2.0, 1.0), 1e-2),
        ((2.0, float("nan"), 3.0), 1e-4),
        ((-1.0, 0.0, 1.0), 1e-4),
    ],
)
def test_the_trial_with_the_lowest_loss_is_taken(found: tuple[float | None, ...], taken: float) -> None:
    """A trial that diverged, or that has no loss, is not."""
    study = tuned(Trained(BASE), recipe=Recipe(learning_rate=Sweep(TRIED)), repeats=1)
    store = Known()
    run_wave(planned(study, store), store)
    for task in planned(study, store).to_run():
        loss = losses(*found)(rate_of(task))
        store.has_run(task, Outcome.DIVERGED if loss is None else WELL, loss=loss)
    (result,) = of_role(planned(study, store), TaskRole.RESULT)
    assert rate_of(result) == taken


def test_the_order_of_the_rates_in_the_sweep_means_nothing() -> None:
    plans = [
        run_all(tuned(Trained(BASE), recipe=Recipe(learning_rate=Sweep(rates))))[0]
        for rates in (TRIED, TRIED[::-1])
    ]
    one, other = ({task.address.key for task in plan.tasks} for plan in plans)
    assert one == other


def test_where_no_trial_ended_well_nothing_is_run_and_the_plan_says_so() -> None:
    study = tuned(Trained(BASE), recipe=SWEEP)
    store = Known()
    run_wave(planned(study, store), store)
    first, second = planned(study, store).to_run()
    store.has_run(first, Outcome.DIVERGED)
    store.has_run(second)  # ended well, and has no loss
    plan = planned(study, store)
    assert [(task.state, task.reason) for task in plan.open_tasks] == [
        (TaskState.INFEASIBLE, "no trial of LoRA GQA 3M ended well")
    ] * 2
    assert states(plan) == {"cached": 3, "diverged": 1, "infeasible": 2}
    assert plan.to_run() == ()


def test_a_trial_that_is_retried_is_waited_for_again() -> None:
    study = tuned(Trained(BASE), recipe=SWEEP, repeats=1)
    store = Known()
    run_wave(planned(study, store), store)
    for task in planned(study, store).to_run():
        store.has_run(task, Outcome.FAILED)
    again = planned(study, store).retrying({Outcome.FAILED})
    assert [task.role for task in again.to_run()] == [TaskRole.TRIAL] * 2


def test_what_was_chosen_and_from_what_is_in_the_key() -> None:
    """A study that just takes the best learning rate is another one: it has not been tuned."""
    swept, _ = run_all(tuned(Trained(BASE), recipe=SWEEP, repeats=1))
    (result,) = of_role(swept, TaskRole.RESULT)
    assert '"learning_rate":0.001' in canonical_json(result.task)
    fixed = result_keys(tuned(Trained(BASE), recipe=Recipe(learning_rate=1e-3), repeats=1))
    assert result.address.key not in fixed
    other, _ = run_all(tuned(Trained(BASE), recipe=Recipe(learning_rate=Sweep([1e-3, 2e-2])), repeats=1))
    assert result.address.key != of_role(other, TaskRole.RESULT)[0].address.key
    worse, _ = run_all(tuned(Trained(BASE), recipe=SWEEP, repeats=1), lambda rate: -rate)
    assert result.address.key != of_role(worse, TaskRole.RESULT)[0].address.key


def test_a_rate_more_in_the_sweep_is_tried_alone() -> None:
    """A trial is the same whatever else is tried."""
    _, store = run_all(tuned(Trained(BASE), recipe=Recipe(learning_rate=Sweep(TRIED[1:]))))
    plan = planned(tuned(Trained(BASE), recipe=Recipe(learning_rate=Sweep(TRIED))), store)
    assert [(task.role, rate_of(task)) for task in plan.to_run()] == [(TaskRole.TRIAL, 1e-4)]


@pytest.mark.parametrize(("best", "edge"), [(1e-4, "lowest"), (1e-3, ""), (1e-2, "highest")])
def test_the_end_of_a_sweep_at_which_the_best_rate_lies_is_named(best: float, edge: str) -> None:
    """In the record's details and in the plan: a better rate may lie beyond it."""
    study = tuned(Trained(BASE), recipe=Recipe(learning_rate=Sweep(TRIED)), repeats=1)
    plan, _ = run_all(study, lambda rate: abs(rate - best))
    (result,) = of_role(plan, TaskRole.RESULT)
    assert result.task.workload.details()["edge_of_sweep"] == edge
    said = f"the best learning rate is the sweep's {edge}" if edge else ""
    assert plan_table(plan).rows[-1][-1] == said


def test_every_method_gets_the_same_number_of_trials() -> None:
    base = BASE.derive(axis=Attention([GQA, MLA]))
    methods = (LoRA, LoRAPlus, RSLoRA, DoRA, PiSSA, Freeze, Full)
    plan, _ = run_all(tuned(Trained(base), *methods, recipe=Recipe(learning_rate=Sweep(TRIED)), repeats=1))
    trials = Counter(without_rate(name(task)) for task in of_role(plan, TaskRole.TRIAL))
    assert len(trials) == 2 * len(methods)
    assert set(trials.values()) == {3}
    assert {task.task.workload.details()["trials"] for task in of_role(plan, TaskRole.RESULT)} == {3}
    assert states(plan) == {"cached": len(plan.tasks)}


def test_trials_are_made_once_however_many_repeats_there_are() -> None:
    """On the weights of the first of them, which are needed anyway."""
    plan = planned(tuned(Trained(BASE), recipe=SWEEP, repeats=Seeds(4, 5, 6)))
    assert [task.task.seed for task in of_role(plan, TaskRole.TRIAL)] == [4, 4]
    assert [task.task.seed for task in of_role(plan, TaskRole.UPSTREAM)] == [4, 5, 6]


def test_trials_on_weights_that_all_repeats_share_are_the_same_whatever_the_repeats(hub: Path) -> None:
    keys = [
        {task.address.key for task in of_role(plan, TaskRole.TRIAL)}
        for repeats in (Seeds(4, 5, 6), Seeds(0, 1, 2))
        for plan in [planned(tuned(Hub("owner/unknown"), recipe=SWEEP, repeats=repeats))]
    ]
    assert keys[0] == keys[1]
    assert len(keys[0]) == 2


def test_a_trial_that_failed_decides_nothing() -> None:
    """It may have been the best: whoever runs the study says whether it runs again."""
    study, store = tuned(Trained(BASE), recipe=SWEEP, repeats=1), Known()
    run_wave(planned(study, store), store)
    trials = of_role(planned(study, store), TaskRole.TRIAL)
    store.has_run(trials[0], loss=1.0)
    store.has_run(trials[1], Outcome.FAILED, "killed")
    plan = planned(study, store)
    assert not plan.to_run()
    (task,) = plan.open_tasks
    assert task.state is TaskState.WAITING
    assert "1 of 2 trials of LoRA GQA 3M failed; --retry failed" in task.reason
