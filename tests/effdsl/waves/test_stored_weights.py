"""What starts from one task by its key, where a store knows that task."""

from __future__ import annotations

from pathlib import Path

import pytest

from effdsl import DoRA, LocalText, Seeds, Shakespeare, StudyError, Trained
from effdsl.declare import Invalid, evolve
from effdsl.from_canonical import decoded
from effdsl.key import canonical_json
from effdsl.plan import Plan, TaskRole
from effdsl.planner import make_plan
from effdsl.stages.tuning import Tuning
from effdsl.study import Study
from effdsl.subject import Subject
from effdsl.subjects.trained import StoredWeights
from effdsl.task import Task

from .conftest import BASE, LAPTOP, SWEEP, of_role, planned, states, tuned


def task_of(study: Study = BASE, seed: int = 1) -> Task:
    """A repeat of the only cell of a study, as a store gives it back: without the paths of its files."""
    (planned_task,) = [one for one in of_role(planned(study), TaskRole.RESULT) if one.task.seed == seed]
    task: Task = decoded(canonical_json(planned_task.task))
    return evolve(task, cell=evolve(task.cell, labels=planned_task.task.labels))


def planned_from(study: Study, task: Task | None = None) -> Plan:
    """The plan, where the store has ``task`` under every key."""
    weights = StoredWeights(task or task_of(), "/store/artifacts/a3f2")
    return make_plan(study, LAPTOP, stored=lambda digits: weights)


def test_every_repeat_starts_from_the_one_task_and_nothing_runs_before_it() -> None:
    plan = planned_from(tuned(Trained("a3f2"), DoRA, repeats=Seeds(0, 5)))
    assert states(plan) == {"new": 2}
    assert [task.task.labels.scale for task in plan.tasks] == ["GQA 3M seed 1"] * 2
    for planned_task in plan.tasks:
        work = planned_task.task.workload
        assert isinstance(work, Tuning)
        assert isinstance(work.weights, StoredWeights)
        assert work.weights.left_by(planned_task.task.seed) == task_of()


def test_a_sweep_tries_on_the_same_weights() -> None:
    plan = planned_from(tuned(Trained("a3f2"), recipe=SWEEP))
    assert states(plan) == {"new": 2, "waiting": 2}
    assert of_role(plan, TaskRole.UPSTREAM) == []


def test_the_key_is_of_the_task_and_of_no_path_in_the_store() -> None:
    study = tuned(Trained("a3f2"), repeats=1)
    weights = StoredWeights(task_of(), "/elsewhere")
    (elsewhere,) = make_plan(study, LAPTOP, stored=lambda digits: weights).tasks
    (here,) = planned_from(study).tasks
    (other,) = planned_from(study, task_of(seed=0)).tasks
    assert here.address.key == elsewhere.address.key
    assert here.address.key != other.address.key
    assert '"$":"stored"' in canonical_json(here.task)
    assert canonical_json(decoded(canonical_json(here.task))) == canonical_json(here.task)


def test_the_shape_is_that_of_what_the_task_trained() -> None:
    (stored,) = planned_from(tuned(Trained("a3f2"), repeats=1)).cells
    (trained, _) = planned(tuned(Trained(BASE), repeats=1)).every_cell
    assert stored.cell is not None
    assert trained.cell is not None
    assert stored.cell.workload.size() == trained.cell.workload.size()


def test_text_whose_files_nobody_knows_any_more_is_no_own_domain(tmp_path: Path) -> None:
    """Of a stored task the content of its files is known, and not where they are."""
    file = tmp_path / "some.txt"
    file.write_text("To be, or not to be. " * 500)
    of_files = task_of(BASE.derive(data=LocalText(str(file)), repeats=2))
    assert StoredWeights(of_files, "").trained_on() is None
    assert StoredWeights(task_of(), "").trained_on() == Shakespeare().resolve()


def test_what_the_store_says_against_a_key_is_a_mistake_in_the_study() -> None:
    def stored(digits: str) -> Subject:
        raise Invalid(f"no result starts with {digits!r}", "give another")

    with pytest.raises(
        StudyError, match=r"at Trained\(a3f2\): no result starts with 'a3f2'\n    give another"
    ):
        make_plan(tuned(Trained("a3f2")), LAPTOP, stored=stored)


def test_without_a_store_a_key_says_what_would_ask_one() -> None:
    with pytest.raises(StudyError, match=r"a3f2 is the key of a task, .* here\n    `effdsl plan` asks one"):
        planned(tuned(Trained("a3f2")))


@pytest.mark.parametrize("name", ["abc", "A3F2", "a3f2g", "0" * 65])
def test_what_can_be_no_key_is_a_study_that_is_not_there(name: str) -> None:
    """A key is 4 to 64 hexadecimal digits in lower case."""
    with pytest.raises(StudyError, match=f"{name}: there is no such study"):
        Trained(name)
