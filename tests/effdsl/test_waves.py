"""What starts from the weights of other tasks, or waits for what they decide: planned in waves."""

from __future__ import annotations

import json
import re
import struct
import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs
import pytest
from effdsl_registry.published import __file__ as published
from hypothesis import given, settings
from hypothesis import strategies as st

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
    Freeze,
    Full,
    Hub,
    Local,
    LoRA,
    LoRAPlus,
    M,
    OpenO1SFT,
    PiSSA,
    Position,
    Recipe,
    RoPE,
    RSLoRA,
    Seeds,
    Shakespeare,
    Study,
    StudyError,
    Sweep,
    Trained,
)
from effdsl.display import plan_table, totals
from effdsl.hardware import Hardware
from effdsl.key import canonical_json
from effdsl.limit import limit_from, within
from effdsl.loading import load_study
from effdsl.outcome import Outcome
from effdsl.plan import History, PastResult, Plan, PlannedTask, TaskRole, TaskState
from effdsl.planner import make_plan
from effdsl.subject import Subject
from effdsl.subjects.hub import Hub as ResolvedHub
from effdsl.task import Address, Cell

LAPTOP = Hardware(name="a laptop", kind="cpu")
WELL, ENDED_BADLY = Outcome.OK, [outcome for outcome in Outcome if outcome is not Outcome.OK]
BASE = Study(Attention([GQA]), [3 * M], budget=Budget(steps=10), repeats=2, name="base")
TEXT = Shakespeare()
SWEEP = Recipe(learning_rate=Sweep([1e-3, 1e-2]))
TRIED = [1e-4, 1e-3, 1e-2]


@attrs.define
class Known:
    """A store that holds what a test says: results, their metrics, and the weights that are still there."""

    results: dict[str, PastResult] = attrs.field(factory=dict)
    values: dict[str, float] = attrs.field(factory=dict)
    weights: set[str] = attrs.field(factory=set)
    asked: list[str] = attrs.field(factory=list)

    def __call__(self, addresses: Sequence[Address]) -> History:
        known = {a.key: self.results[a.key] for a in addresses if a.key in self.results}
        return History(known, {}, self._values, lambda key: key in self.weights)

    def _values(self, metric: str, keys: Sequence[str]) -> dict[str, float]:
        self.asked.append(metric)
        return {key: self.values[key] for key in keys if key in self.values}

    def has_run(
        self, task: PlannedTask, outcome: Outcome = WELL, reason: str = "", loss: float | None = None
    ) -> None:
        """Keep what ``task`` would have given."""
        key = task.address.key
        self.results[key] = PastResult(outcome, canonical_json(task.task), reason)
        if outcome is WELL and task.is_upstream:
            self.weights.add(key)
        if loss is not None:
            self.values[key] = loss


def tuned(models: Subject, *methods: object, **also: object) -> Study:
    """A fine-tuning of ``models``."""
    given: dict[str, object] = {"data": TEXT, "budget": Budget(steps=10), "repeats": 2} | also
    return Study(FineTuning(list(methods or (LoRA,))), models=models, **given)  # type: ignore[arg-type]


def planned(study: Study, store: Known | None = None) -> Plan:
    return make_plan(study, LAPTOP, store or Known())


def run_wave(plan: Plan, store: Known, loss: Callable[[float], float] = lambda rate: rate) -> list[str]:
    """Have everything run that is to run; the names of it. ``loss`` is a trial's, by its learning rate."""
    for task in plan.to_run():
        store.has_run(task, loss=loss(rate_of(task)) if task.role is TaskRole.TRIAL else None)
    return [name(task) for task in plan.to_run()]


def run_all(study: Study, loss: Callable[[float], float] = lambda rate: rate) -> tuple[Plan, Known]:
    """The plan once nothing is left to run."""
    store = Known()
    while (plan := planned(study, store)).to_run():
        run_wave(plan, store, loss)
    return plan, store


def without_rate(trial: str) -> str:
    """The name of a trial without the learning rate that it tries."""
    return re.sub(", trial of [0-9.e-]+", ", trial", trial)


def name(task: PlannedTask) -> str:
    return f"{task.task.labels.technique} {task.task.labels.scale} {task.task.seed}"


def rate_of(task: PlannedTask) -> float:
    work = task.task.workload
    rate: float = getattr(work, "of", work).recipe.learning_rate
    return rate


def of_role(plan: Plan, role: TaskRole) -> list[PlannedTask]:
    return [task for task in plan.tasks if task.role is role]


def states(plan: Plan) -> dict[str, int]:
    return {name: n for name, n in plan.status_counts().items() if n}


def result_keys(study: Study) -> set[str]:
    return {task.address.key for task in of_role(planned(study), TaskRole.RESULT)}


# What is listed, and in which order.


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


# States.


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


# Sweeps.


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
    plan = planned(tuned(Trained(BASE), recipe=SWEEP, repeats=Seeds(4, 5, 6)))
    assert [task.task.seed for task in of_role(plan, TaskRole.TRIAL)] == [0, 0]
    assert [task.task.seed for task in of_role(plan, TaskRole.UPSTREAM)] == [0, 4, 5, 6]


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


# Chains.


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


# Limits.


def test_a_limit_leaves_out_later_repeats_of_upstream_tasks_first() -> None:
    base = BASE.derive(axis=Attention([GQA, MLA]), hw=H200)
    plan = make_plan(tuned(Trained(base), hw=H200, recipe=SWEEP), H200)
    price = max(task.price.seconds or 0.0 for task in plan.to_run())
    limited = within(plan, attrs.evolve(limit_from("1h"), most=2.5 * price))
    assert [(name(task)[-1], task.state.value) for task in limited.tasks[:4]] == [
        ("0", "new"), ("0", "new"), ("1", "left out"), ("1", "left out"),
    ]  # fmt: skip


# Keys.


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


# Models of the hub.


def models_of(table: str) -> list[str]:
    """The models of a table of the paper, in its order."""
    rows = (Path(published).parent / table).read_text(encoding="utf-8").splitlines()
    return list(dict.fromkeys(row.split(",")[1] for row in rows[1:]))


@pytest.mark.parametrize(
    ("table", "models"), [("table07_peft_o1sft.csv", 7), ("table08_peft_medical.csv", 3)]
)
def test_fine_tunings_of_the_paper_are_planned_by_the_names_of_its_tables(table: str, models: int) -> None:
    names = models_of(table)
    study = Study(
        FineTuning([LoRA, LoRAPlus, RSLoRA, DoRA, PiSSA, Freeze, Full]),
        models=list(map(Hub, names)), data=OpenO1SFT(), hw=8 * H200, recipe=SWEEP, repeats=1,
    )  # fmt: skip
    plan = make_plan(study, LAPTOP, unavailable=lambda cell: f"needs {cell.hardware}")
    assert len(names) == models
    assert list(dict.fromkeys(cell.labels.scale for cell in plan.cells)) == names
    assert {cell.unsupported for cell in plan.cells} == {""}
    assert states(plan).keys() <= {"unavailable", "infeasible"}, "all of them could be run, memory allowing"
    assert len(plan.every_task) == 7 * models * 3
    assert all(task.price.seconds and task.price.joules for task in plan.every_task)


COMMIT = "0123456789" * 4
CONFIG = {
    "model_type": "llama", "num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 128, "vocab_size": 100,
}  # fmt: skip


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache, of nothing but the shape of ``owner/unknown``."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    folder = tmp_path / "models--owner--unknown"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    (folder / "snapshots" / COMMIT).mkdir(parents=True)
    (folder / "snapshots" / COMMIT / "config.json").write_text(json.dumps(CONFIG))
    return folder


def only_weights(plan: Plan) -> ResolvedHub:
    (cell,) = plan.cells
    found = cell.choice.subject
    assert isinstance(found, ResolvedHub)
    return found


def test_a_model_in_the_hubs_cache_is_pinned_to_the_commit_that_it_holds(hub: Path) -> None:
    branch, pinned = Hub("owner/unknown"), Hub("owner/unknown", revision=COMMIT)
    found = only_weights(planned(tuned(branch)))
    assert (found.revision, found.is_pinned, found.name) == (COMMIT, True, "owner/unknown")
    assert result_keys(tuned(branch)) == result_keys(tuned(pinned))
    assert found.language_model().layers == 2
    assert states(planned(tuned(branch, recipe=SWEEP))) == {"new": 2, "waiting": 2}


def test_another_commit_is_another_key(hub: Path) -> None:
    before = result_keys(tuned(Hub("owner/unknown")))
    (hub / "refs" / "main").write_text(COMMIT[::-1] + "\n")
    (hub / "snapshots" / COMMIT).rename(hub / "snapshots" / COMMIT[::-1])
    assert not result_keys(tuned(Hub("owner/unknown"))) & before


@pytest.mark.parametrize("said", ["", "no commit", COMMIT[:7]])
def test_what_is_no_commit_pins_nothing(hub: Path, said: str) -> None:
    (hub / "refs" / "main").write_text(said)
    with pytest.raises(StudyError, match=r"the shape of owner/unknown \(revision main\) is not known here"):
        planned(tuned(Hub("owner/unknown")))


def test_a_model_of_the_papers_is_pinned_where_the_cache_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert only_weights(planned(tuned(Hub("llama-3.2-1b")))).revision == "main"
    refs = tmp_path / "models--meta-llama--Llama-3.2-1B" / "refs"
    refs.mkdir(parents=True)
    (refs / "main").write_text(COMMIT)
    assert only_weights(planned(tuned(Hub("llama-3.2-1b")))).revision == COMMIT
    assert result_keys(tuned(Hub("llama-3.2-1b"))) == result_keys(tuned(Hub("meta-llama/Llama-3.2-1B")))


def test_an_architecture_of_the_hub_that_nothing_here_knows_is_unsupported(hub: Path) -> None:
    (hub / "snapshots" / COMMIT / "config.json").write_text('{"model_type": "another"}')
    (cell,) = planned(tuned(Hub("owner/unknown"))).cells
    assert cell.unsupported == "nothing here knows the architecture of owner/unknown"


# Models in a folder.


def safetensors(header: object, size: int) -> bytes:
    written = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(written)) + written + bytes(size)


WEIGHTS = {"all": {"dtype": "F32", "shape": [200, 1000], "data_offsets": [0, 800_000]}}


def write_model(folder: Path, config: object = CONFIG, header: object = WEIGHTS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    (folder / "model.safetensors").write_bytes(safetensors(header, 800_000))
    return folder


def refused(folder: Path) -> str:
    """What is said of a folder that is no model."""
    with pytest.raises(StudyError) as caught:
        planned(tuned(Local(folder)))
    (only,) = caught.value.problems
    assert only.hint
    return only.message


def test_a_folder_is_known_by_its_content_and_not_by_its_path(tmp_path: Path) -> None:
    here, there = write_model(tmp_path / "here"), write_model(tmp_path / "there" / "below")
    own = result_keys(tuned(Local(here)))
    assert own == result_keys(tuned(Local(str(there))))
    (task,) = of_role(planned(tuned(Local(here), repeats=1)), TaskRole.RESULT)
    assert str(tmp_path) not in canonical_json(task.task)
    assert task.task.labels.scale == "here"
    (there / "config.json").write_text(json.dumps(CONFIG | {"rope_theta": 5e5}))
    assert not own & result_keys(tuned(Local(there)))


def test_a_folder_may_be_pinned_to_its_content(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "mine")
    (cell,) = planned(tuned(Local(folder))).cells
    revision = cell.choice.subject.revision
    assert result_keys(tuned(Local(folder, revision=revision))) == result_keys(tuned(Local(folder)))
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(StudyError, match="mine is not what revision="):
        planned(tuned(Local(folder, revision=revision)))


def test_a_folder_without_weights_that_are_safe_to_read_says_what_it_has(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "mine")
    (folder / "model.safetensors").unlink()
    assert refused(folder) == f"at mine: {folder}: no *.safetensors, none"
    (folder / "pytorch_model.bin").write_bytes(b"")
    assert "only pytorch_model.bin, which run code when they are read" in refused(folder)


@pytest.mark.parametrize("kept", [0, 7, 8, 60, 800_000])
def test_a_file_that_was_cut_short_is_damaged(tmp_path: Path, kept: int) -> None:
    file = write_model(tmp_path / "mine") / "model.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    assert f"{file} is damaged" in refused(file.parent)


def test_a_file_that_is_too_long_or_too_few_elements_are_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "mine")
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes() + b"x")
    assert "is damaged: it should have 800,0" in refused(folder)
    few = {"all": {"dtype": "F32", "shape": [1], "data_offsets": [0, 800_000]}}
    assert "its files have 1" in refused(write_model(folder, header=few))


@settings(deadline=None, max_examples=25)
@given(
    header=st.one_of(
        st.binary(max_size=40),
        st.recursive(
            st.none() | st.integers() | st.floats() | st.text(max_size=3),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(st.sampled_from(["shape", "data_offsets", "__metadata__", "a"]), inner)
            ),
            max_leaves=5,
        ),
    )
)
def test_whatever_a_files_header_is_there_is_an_answer(
    tmp_path_factory: pytest.TempPathFactory, header: object
) -> None:
    folder = write_model(tmp_path_factory.mktemp("models") / "odd", header=header)
    assert "is damaged" in refused(folder) or "config.json asks for" in refused(folder)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (None, "config.json: No such file or directory"),
        ("{", "not JSON"),
        ("[]", "describes no model"),
        ("null", "describes no model"),
        ({"model_type": "llama"}, "describes no model: 'hidden_size' is missing"),
        ({"model_type": ["llama"]}, "describes no model"),
        (CONFIG | {"num_attention_heads": 0}, "describes no model"),
        (CONFIG | {"hidden_size": "64"}, "describes no model"),
        (CONFIG | {"num_hidden_layers": None}, "describes no model"),
        (CONFIG | {"num_hidden_layers": 1.5}, "describes no model"),
    ],
    ids=str,
)
def test_a_folder_whose_config_says_no_shape_is_refused(tmp_path: Path, config: object, says: str) -> None:
    folder = write_model(tmp_path / "mine", config or CONFIG)
    if config is None:
        (folder / "config.json").unlink()
    said = refused(folder)
    assert f"{folder / 'config.json'}" in said
    assert says in said


def test_a_config_in_the_hubs_cache_that_says_no_shape_is_refused(hub: Path) -> None:
    file = hub / "snapshots" / COMMIT / "config.json"
    file.write_text('{"model_type": "llama"}')
    with pytest.raises(StudyError, match=re.escape(f"{file} describes no model: 'hidden_size' is missing")):
        planned(tuned(Hub("owner/unknown")))


# Mistakes in a study.


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where studies are, and the hub's cache is empty."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    (tmp_path / "studies").mkdir()
    write_study("base", "Attention([GQA]), [3*M]")
    (tmp_path / "some.jsonl").write_text('{"prompt": "1 + 1 =", "completion": " 2"}\n')
    return tmp_path


def write_study(name: str, fields: str) -> None:
    text = f"from effdsl import *\n\nstudy = Study(\n{textwrap.indent(fields, '    ')},\n)\n"
    Path("studies", f"{name}.py").write_text(text, encoding="utf-8")


def problems(study: str) -> list[str]:
    """What is wrong with the study of a name, as the command line prints it."""
    try:
        loaded = load_study(study)
        make_plan(loaded.study, LAPTOP, place=loaded.place)
    except StudyError as error:
        return [str(problem) for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("fields", "line", "says"),
    [
        (
            "FineTuning([LoRA]), scales=[3*M],\nmodels=Trained('base'), data=Shakespeare()",
            3,
            "FineTuning takes models=, data=, budget=, recipe=, not scales=",
        ),
        (
            "FineTuning([LoRA]), data=Shakespeare()",
            3,
            "FineTuning needs something to be applied to\n    e.g. models=[...]",
        ),
        ("Attention([GQA]), models=Trained('base')", 3, "not models="),
        (
            "Attention([GQA]), [3*M],\nrecipe=Recipe(learning_rate=Sweep([1e-3, 1e-2]))",
            5,
            "pretraining takes one learning rate for all techniques, not a Sweep",
        ),
        (
            "Attention([GQA]), [3*M],\ndata=Instructions('some.jsonl')",
            5,
            "Instructions is to fine-tune on, and pretraining takes text",
        ),
        (
            "FineTuning([LoRA]), models=Trained('base'),\ndata=Shakespeare(tokenizer=ByteTokenizer())",
            5,
            "fine-tuning cuts text as the model does, and takes no tokenizer",
        ),
        (
            "FineTuning([LoRA]), models=Trained('base'), data=Shakespeare(),\nbudget=Budget(tokens=1*M)",
            5,
            "fine-tuning takes steps=, not tokens=",
        ),
        (
            "FineTuning([LoRA]), models=Trained('base'),\nbudget=Budget(batch_size=3, micro_batch_size=2)",
            5,
            "batch_size=3 is not a multiple of micro_batch_size=2",
        ),
        (
            "FineTuning([LoRA]),\nmodels=Trained('bases')",
            5,
            "bases: there is no such study\n    did you mean",
        ),
        ("FineTuning([LoRA]),\nmodels=Trained(GQA)", 5, "GQA is not a study"),
        ("FineTuning([LoRA]),\nmodels=Hub('nonsense'), data=Shakespeare()", 5, "no model 'nonsense'"),
        (
            "FineTuning([LoRA]),\nmodels=Hub('owner/unknown'), data=Shakespeare()",
            5,
            "run: hf download owner/unknown config.json --revision main",
        ),
        (
            "FineTuning([LoRA]),\nmodels=Local('nowhere'), data=Shakespeare()",
            5,
            "nowhere/config.json: No such file or directory",
        ),
        ("FineTuning([GQA]),\nmodels=Trained('base')", 4, "GQA is a technique of the axis attention"),
        ("FineTuning([LoRA]) * Attention([GQA]),\nmodels=Trained('base')", 3, "FineTuning is of fine-tuning"),
        (
            "FineTuning([LoRA]), models=Trained('base'),\nrecipe=Recipe(learning_rate=Sweep([1e-3]))",
            5,
            "needs at least two different learning rates",
        ),
        (
            "FineTuning([LoRA, LoRA(rank=8)]), models=Trained('base'), data=Shakespeare()",
            4,
            "are the same cell at GQA 3M",
        ),
    ],
)
def test_a_mistake_is_one_sentence_with_its_place(folder: Path, fields: str, line: int, says: str) -> None:
    write_study("mistaken", fields)
    found = problems("mistaken")
    assert [problem for problem in found if says in problem], found
    assert any(problem.startswith(f"studies/mistaken.py:{line}: ") for problem in found), found


def test_a_study_with_mistakes_gives_no_weights_and_its_mistakes_are_said(folder: Path) -> None:
    write_study("wrong", "Attention([GQAA]), [3*M], budget=Budget(steps=-1)")
    write_study("of", "FineTuning([LoRA]),\nmodels=Trained('wrong')")
    (only,) = problems("of")
    assert only.startswith("studies/of.py:5: Trained(study='wrong'): the study 'wrong' has mistakes: ")
    assert "studies/wrong.py:4: GQAA is not defined" in only
    assert "studies/wrong.py:4: Budget(steps=-1)" in only
    assert only.endswith("mend it first")


def test_mistakes_that_show_when_the_other_study_is_worked_out_are_said_where_it_is_named(
    folder: Path,
) -> None:
    write_study("wrong", "Attention([GQA]), [3*M], data=LocalText('none.txt')")
    write_study("of", "FineTuning([LoRA]),\nmodels=Trained('wrong')")
    (only,) = [problem for problem in problems("of") if "none.txt" in problem]
    assert only.startswith("studies/of.py:5: at Trained(wrong): data: none.txt: no such file")


@pytest.mark.parametrize("way", [("of",), ("between", "of"), ("between", "further", "of")])
def test_a_study_that_would_start_from_its_own_weights_is_refused(folder: Path, way: tuple[str, ...]) -> None:
    for study, other in zip(("of", *way), way, strict=False):
        write_study(study, f"FineTuning([LoRA]), models=Trained('{other}')")
    (only,) = problems("of")
    assert "the study 'of' would start from its own weights" in only


def test_a_study_of_a_file_is_the_study_of_its_name(folder: Path) -> None:
    by_name, by_file = (
        tuned(Trained(name))
        for name in ("base", folder / "studies" / "base.py")  # type: ignore[arg-type]
    )
    assert result_keys(by_name) == result_keys(by_file)


def test_all_mistakes_come_at_once(folder: Path) -> None:
    write_study(
        "mistaken",
        "FineTuning([LoRA]),\nmodels=[Hub('nonsense'), Local('nowhere')],\n"
        "data=Shakespeare(tokenizer=ByteTokenizer()),\nbudget=Budget(tokens=1*M)",
    )
    assert [problem.split(": ")[0] for problem in problems("mistaken")] == [
        "studies/mistaken.py:5", "studies/mistaken.py:5", "studies/mistaken.py:6", "studies/mistaken.py:7",
    ]  # fmt: skip
