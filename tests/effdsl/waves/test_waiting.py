"""What waits for weights, what cannot run for want of them, and when they are made again."""

from __future__ import annotations

import attrs
import pytest

from effdsl import (
    H200,
    DoRA,
    FineTuning,
    Full,
    LoRA,
    Recipe,
    Seeds,
    Trained,
)
from effdsl.outcome import Outcome
from effdsl.plan import TaskRole, TaskState
from effdsl.planner import make_plan
from effdsl.task import Cell

from .conftest import (
    BASE,
    ENDED_BADLY,
    LAPTOP,
    SWEEP,
    Known,
    name,
    of_role,
    planned,
    run_all,
    run_wave,
    states,
    tuned,
)


def test_what_starts_from_weights_waits_until_they_are_there() -> None:
    study, store = tuned(Trained(BASE)), Known()
    plan = planned(study, store)
    assert states(plan) == {"new": 2, "waiting": 2}
    assert {task.reason for task in of_role(plan, TaskRole.RESULT)} == {
        f"starts from the weights of GQA 3M seed {seed}" for seed in (0, 1)
    }
    store.has_run(of_role(plan, TaskRole.UPSTREAM)[0])
    assert states(planned(study, store)) == {"new": 2, "cached": 1, "waiting": 1}
    assert [name(task) for task in planned(study, store).to_run()] == ["GQA 3M 1", "LoRA GQA 3M 0"]
    run_wave(planned(study, store), store)
    assert run_wave(planned(study, store), store) == ["LoRA GQA 3M 1"]
    assert states(planned(study, store)) == {"cached": 4}


@pytest.mark.parametrize("ended", ENDED_BADLY, ids=lambda outcome: outcome.value)
@pytest.mark.parametrize("recipe", [Recipe(), SWEEP], ids=["no sweep", "sweep"])
def test_what_starts_from_a_task_that_ended_badly_is_infeasible_and_names_it(
    ended: Outcome, recipe: Recipe
) -> None:
    """Trials too, and what would be decided by them: nothing waits for what will never be."""
    study, store = tuned(Trained(BASE), recipe=recipe, repeats=1), Known()
    (upstream,) = of_role(planned(study, store), TaskRole.UPSTREAM)
    store.has_run(upstream, ended, "boom")
    plan = planned(study, store)
    others = [task for task in plan.every_task if task is not plan.tasks[0]]
    assert {task.state for task in others} == {TaskState.INFEASIBLE}
    assert {task.reason for task in others} == {
        f"starts from the weights of GQA 3M seed 0, which ended as {ended.value}"
    }
    assert plan.to_run() == ()
    assert plan.counts()[TaskState.WAITING] == 0


def test_one_repeat_that_ended_badly_keeps_the_others_from_nothing() -> None:
    study, store = tuned(Trained(BASE)), Known()
    first, second = of_role(planned(study, store), TaskRole.UPSTREAM)
    store.has_run(first, Outcome.DIVERGED)
    store.has_run(second)
    assert states(planned(study, store)) == {"new": 1, "cached": 1, "diverged": 1, "infeasible": 1}


def test_a_retry_of_what_ended_badly_has_what_starts_from_it_wait_again() -> None:
    study, store = tuned(Trained(BASE), repeats=1), Known()
    store.has_run(of_role(planned(study, store), TaskRole.UPSTREAM)[0], Outcome.FAILED)
    assert planned(study, store).retrying({Outcome.OOM}).to_run() == ()
    again = planned(study, store).retrying({Outcome.FAILED})
    assert states(again) == {"new": 1, "waiting": 1}
    assert again.tasks[0].reason == "retry, was failed"


def test_a_retry_makes_the_weights_again_that_it_starts_from() -> None:
    study, store = tuned(Trained(BASE), repeats=1), Known()
    (upstream,) = of_role(planned(study, store), TaskRole.UPSTREAM)
    store.has_run(upstream)
    store.has_run(of_role(planned(study, store), TaskRole.RESULT)[0], Outcome.FAILED)
    store.weights.clear()
    assert planned(study, store).to_run() == ()
    again = planned(study, store).retrying({Outcome.FAILED})
    assert [name(task) for task in again.to_run()] == ["GQA 3M 0", "LoRA GQA 3M 0"]


@pytest.mark.parametrize("recipe", [Recipe(), SWEEP], ids=["no sweep", "sweep"])
def test_what_starts_from_a_task_that_cannot_run_here_is_unavailable(recipe: Recipe) -> None:
    study = tuned(Trained(BASE.derive(hw=H200)), recipe=recipe, repeats=1)

    def why_not(cell: Cell) -> str:
        return "" if cell.hardware == LAPTOP else f"needs {cell.hardware}"

    plan = make_plan(study, LAPTOP, unavailable=why_not)
    assert {task.state for task in plan.every_task} == {TaskState.UNAVAILABLE}
    upstream, *others = plan.every_task
    assert upstream.reason == "needs H200 SXM"
    assert {task.reason for task in others} == {"starts from the weights of GQA 3M seed 0: needs H200 SXM"}


def test_what_starts_from_a_task_that_does_not_fit_is_infeasible_with_the_arithmetic() -> None:
    from effdsl import GB

    small = attrs.evolve(H200, memory=0.01 * GB)
    plan = planned(tuned(Trained(BASE.derive(hw=small)), repeats=1))
    assert states(plan) == {"infeasible": 2}
    assert plan.tasks[1].reason.startswith("starts from the weights of GQA 3M seed 0: ")
    assert "GB of H200" in plan.tasks[1].reason


def test_weights_that_are_gone_are_made_again_when_something_that_starts_from_them_is_to_run() -> None:
    study = tuned(Trained(BASE), repeats=1)
    _, store = run_all(study)
    store.weights.clear()
    assert states(planned(study, store)) == {"cached": 2}, "nothing is to run, so nothing is missing"
    plan = planned(study.derive(axis=FineTuning([LoRA, Full])), store)
    assert states(plan) == {"new": 1, "cached": 1, "waiting": 1}
    assert [name(task) for task in plan.to_run()] == ["GQA 3M 0"]
    assert plan.tasks[0].reason == "others start from its weights, which are not kept"
    run_wave(plan, store)
    assert [name(task) for task in planned(study.derive(axis=FineTuning([Full])), store).to_run()] == [
        "Full GQA 3M 0"
    ]


def test_weights_are_made_again_only_for_the_repeat_that_wants_them() -> None:
    study = tuned(Trained(BASE), repeats=2)
    _, store = run_all(study)
    store.weights.clear()
    assert [name(task) for task in planned(study.derive(repeats=Seeds(0, 1, 2)), store).to_run()] == [
        "GQA 3M 2"
    ]


def test_a_chain_whose_weights_are_gone_is_made_again_from_where_they_are() -> None:
    """From the weights in the middle where they are kept, else from the start."""
    first = tuned(Trained(BASE), repeats=1, name="first")
    second = tuned(Trained(first), DoRA, repeats=1)
    plan, store = run_all(second)
    pretrained, middle = (task.address.key for task in of_role(plan, TaskRole.UPSTREAM))
    more = second.derive(axis=FineTuning([DoRA, Full]))
    store.weights.remove(pretrained)
    assert [name(task) for task in planned(more, store).to_run()] == ["Full LoRA GQA 3M 0"]
    store.weights.remove(middle)
    assert [name(task) for task in planned(more, store).to_run()] == ["GQA 3M 0"]
    run_wave(planned(more, store), store)
    assert [name(task) for task in planned(more, store).to_run()] == ["LoRA GQA 3M 0"]


def test_weights_that_are_gone_count_for_what_is_still_to_be_decided() -> None:
    """A sweep's trials need the first repeat of the base, its results all of them: all are to run again, and
    the plan says so before anything has been decided."""
    study = tuned(Trained(BASE), recipe=SWEEP, repeats=3)
    _, store = run_all(study)
    store.weights.clear()
    more = study.derive(axis=FineTuning([LoRA, Full]))
    assert [name(task) for task in planned(more, store).to_run()] == ["GQA 3M 0", "GQA 3M 1", "GQA 3M 2"]
    assert states(planned(more, store)) == {"new": 3, "cached": 5, "waiting": 5}


def test_weights_are_not_made_again_for_what_will_never_be_decided() -> None:
    study, store = tuned(Trained(BASE), recipe=SWEEP, repeats=2), Known()
    run_wave(planned(study, store), store)
    for task in planned(study, store).to_run():
        store.has_run(task, Outcome.DIVERGED)
    store.weights.clear()
    assert planned(study, store).to_run() == ()
