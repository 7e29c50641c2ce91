"""What a plan lists of other studies' tasks, and in which order; which keys that gives."""

from __future__ import annotations

import attrs
import pytest

from effdsl import (
    GQA,
    H200,
    MLA,
    MQA,
    NSA,
    OFT,
    Attention,
    Budget,
    DoRA,
    FineTuning,
    Full,
    LoRA,
    M,
    Position,
    Recipe,
    RoPE,
    Seeds,
    Shakespeare,
    Study,
    StudyError,
    Trained,
)
from effdsl.display import plan_table
from effdsl.limit import limit_from, within
from effdsl.plan import TaskRole
from effdsl.planner import make_plan

from .conftest import BASE, SWEEP, TEXT, Known, name, of_role, planned, result_keys, run_all, states, tuned


def test_what_several_start_from_is_listed_once_and_before_them() -> None:
    plan = planned(tuned(Trained(BASE), LoRA, DoRA, Full))
    upstream = of_role(plan, TaskRole.UPSTREAM)
    assert [name(task) for task in upstream] == ["GQA 3M 0", "GQA 3M 1"]
    assert plan.tasks[:2] == tuple(upstream)
    assert [task.role for task in plan.tasks[2:]] == [TaskRole.RESULT] * 6


def test_a_study_of_which_nothing_starts_from_others_asks_for_no_metric() -> None:
    store = Known()
    assert {task.role for task in planned(BASE, store).tasks} == {TaskRole.RESULT}
    assert store.asked == []


def test_upstream_tasks_are_those_of_their_own_study_so_that_neither_runs_them_twice() -> None:
    own = {task.address.key for task in planned(BASE).tasks}
    assert {task.address.key for task in of_role(planned(tuned(Trained(BASE))), TaskRole.UPSTREAM)} == own


def test_a_repeat_starts_from_the_weights_of_its_own_seed() -> None:
    """Also where the other study has fewer, or other, repeats."""
    study = tuned(Trained(BASE.derive(repeats=1)), repeats=Seeds(3, 5))
    plan = planned(study)
    assert [name(task) for task in of_role(plan, TaskRole.UPSTREAM)] == ["GQA 3M 3", "GQA 3M 5"]
    for task in of_role(plan, TaskRole.RESULT):
        assert task.reason == f"starts from the weights of GQA 3M seed {task.task.seed}"


def test_reasons_that_differ_by_their_seed_alone_are_shown_as_one() -> None:
    table = plan_table(planned(tuned(Trained(BASE), LoRA)))
    said = [row[table.columns.index("reason")] for row in table.rows]
    assert said == ["not run yet", "starts from the weights of GQA 3M seeds 0, 1"]
    one = plan_table(planned(tuned(Trained(BASE.derive(repeats=1)), LoRA, repeats=1)))
    assert one.rows[1][one.columns.index("reason")] == "starts from the weights of GQA 3M seed 0"


@pytest.mark.parametrize("recipe", [Recipe(), SWEEP], ids=["no sweep", "sweep"])
def test_upstream_tasks_run_repeat_by_repeat(recipe: Recipe) -> None:
    """So that a limit pays for whole repeats first."""
    base = BASE.derive(axis=Attention([GQA, MLA]))
    upstream = of_role(planned(tuned(Trained(base), recipe=recipe)), TaskRole.UPSTREAM)
    assert [task.task.seed for task in upstream] == [0, 0, 1, 1]


def test_techniques_of_both_studies_make_a_product() -> None:
    base = BASE.derive(axis=Attention([GQA, MLA]) * Position([RoPE]))
    cells = planned(tuned(Trained(base), LoRA, Full)).cells
    assert {(cell.labels.technique, cell.labels.scale) for cell in cells} == {
        (method, weights) for method in ("LoRA", "Full") for weights in ("GQA 3M", "MLA 3M")
    }


def test_weights_that_are_named_twice_are_one() -> None:
    """By two studies that have a cell in common, of whatever names."""
    more = BASE.derive(axis=Attention([GQA, MLA]), name="more")
    study = Study(FineTuning([LoRA]), models=[Trained(BASE), Trained(more)], data=TEXT, repeats=1)
    assert [cell.labels.scale for cell in planned(study).cells] == ["GQA 3M", "MLA 3M"]


def test_a_cell_that_cannot_be_built_leaves_no_weights_and_runs_nothing_upstream() -> None:
    base = BASE.derive(axis=Attention([GQA(kv_heads=3), GQA]))
    plan = planned(tuned(Trained(base), repeats=1))
    assert [name(task) for task in plan.tasks] == ["GQA 3M 0", "LoRA GQA 3M 0"]
    with pytest.raises(StudyError, match=r"at Trained.*: none of its models can be built"):
        planned(tuned(Trained(BASE.derive(axis=Attention([GQA(kv_heads=3)])))))


def test_weights_of_an_unknown_architecture_are_unsupported_with_the_reason_and_not_trained() -> None:
    plan = planned(tuned(Trained(BASE.derive(axis=Attention([NSA, GQA]))), repeats=1))
    assert states(plan) == {"new": 1, "waiting": 1, "unsupported": 1}
    (reason,) = filter(None, (cell.unsupported for cell in plan.cells))
    assert reason.startswith("NSA 3M: nothing here knows how its layers are called in transformers")
    assert "e.g. GQA or MLA" in reason
    assert [name(task) for task in of_role(plan, TaskRole.UPSTREAM)] == ["GQA 3M 0"]


def test_a_method_that_does_not_go_with_a_model_says_so_and_the_others_are_planned() -> None:
    plan = planned(tuned(Trained(BASE), LoRA, OFT(block_size=7), repeats=1))
    (reason,) = filter(None, (cell.unsupported for cell in plan.cells))
    assert "block_size=7 does not divide" in reason
    assert states(plan) == {"new": 1, "waiting": 1, "unsupported": 1}


def test_a_task_of_the_study_from_which_others_of_it_start_is_its_own_and_leaves_weights() -> None:
    """One task, in the row of its cell, and before those that start from it whatever the shuffling says."""
    first = tuned(Trained(BASE), name="first", repeats=1)
    study = Study(FineTuning([LoRA, Full]), models=[Trained(BASE), Trained(first)], data=TEXT,
                  budget=Budget(steps=10), repeats=Seeds(*range(6)))  # fmt: skip
    plan = planned(study)
    assert len({task.address.key for task in plan.tasks}) == len(plan.tasks) == 6 + 4 * 6
    both = [task for task in plan.tasks if task.is_upstream and task.role is TaskRole.RESULT]
    assert [name(task) for task in both] == [f"LoRA GQA 3M {seed}" for seed in range(6)]
    assert {task.of for task in both} == {plan.cells[0]}
    place = {task.address.key: i for i, task in enumerate(plan.tasks)}
    last = [place[task.address.key] for task in plan.tasks if "LoRA GQA" in task.reason]
    assert max(place[task.address.key] for task in both) < min(last)
    rows = {row[:2]: row[-2] for row in plan_table(plan).rows}
    assert rows["LoRA", "GQA 3M"] == rows["LoRA", "LoRA GQA 3M"] == "6 waiting"


def test_a_limit_leaves_out_later_repeats_of_upstream_tasks_first() -> None:
    base = BASE.derive(axis=Attention([GQA, MLA]), hw=H200)
    plan = make_plan(tuned(Trained(base), hw=H200, recipe=SWEEP), H200)
    price = max(task.price.seconds or 0.0 for task in plan.to_run())
    limited = within(plan, attrs.evolve(limit_from("1h"), most=2.5 * price))
    assert [(name(task)[-1], task.state.value) for task in limited.tasks[:4]] == [
        ("0", "new"), ("0", "new"), ("1", "left out"), ("1", "left out"),
    ]  # fmt: skip


def test_the_key_of_what_is_tuned_changes_with_whatever_changes_in_what_it_starts_from() -> None:
    own = result_keys(tuned(Trained(BASE)))
    changes: list[dict[str, object]] = [
        {"budget": Budget(steps=11)},
        {"axis": Attention([MQA])},
        {"axis": Attention([GQA]) * Position([RoPE(theta=5e5)])},
        {"scales": [4 * M]},
        {"recipe": Recipe(learning_rate=1e-4)},
        {"data": Shakespeare(held_out_works="hamlet")},
        {"hw": H200},
    ]
    for change in changes:
        other = result_keys(tuned(Trained(BASE.derive(**change))))
        assert other, change
        assert not other & own, change


@pytest.mark.parametrize(
    "change",
    [
        {"name": "another"},
        {"notes": "of today"},
        {"repeats": 5},
        {"keep_checkpoints": False},
        {"price_per_device_hour": 3.0},
        {"axis": Attention([GQA]) * Position([RoPE])},
        {"axis": Attention([GQA(kv_heads=2)])},
    ],
    ids=str,
)
def test_what_the_other_study_is_called_and_how_often_it_repeats_is_in_no_key(
    change: dict[str, object],
) -> None:
    assert result_keys(tuned(Trained(BASE.derive(**change)))) == result_keys(tuned(Trained(BASE)))


def test_a_trial_is_another_task_than_the_fine_tuning_that_it_tries() -> None:
    plan, _ = run_all(tuned(Trained(BASE), recipe=SWEEP, repeats=1))
    assert len({task.address.cell for task in plan.tasks}) == 1 + 2 + 1
