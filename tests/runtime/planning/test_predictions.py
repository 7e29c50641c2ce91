"""Predictions of a stored task."""

from __future__ import annotations

import pytest
from effdsl_runtime.machine import detect
from effdsl_runtime.planning.history import calibration_in
from effdsl_runtime.planning.render import predictions

from effdsl import GH200, GQA, Attention, Budget, M, Study
from effdsl.costs import lower_bound_s
from effdsl.hardware import Hardware
from effdsl.key import canonical_json
from effdsl.planner import make_plan

LAPTOP = Hardware(name="a laptop", kind="cpu")
STUDY = Study(Attention([GQA]), [1 * M], budget=Budget(steps=10))


def test_a_stored_task_is_predicted_afresh_with_the_catalogs_numbers() -> None:
    task = make_plan(STUDY.derive(hw=GH200), LAPTOP).tasks[0].task
    memory = task.engine.memory(task.workload, GH200).total / 1e9
    assert predictions(canonical_json(task)) == {
        "work": (task.workload.train_flops, "FLOP"),
        "memory": (pytest.approx(memory), "GB"),
        "time at the peak rates": (lower_bound_s(task.workload.cost(GH200), task.workload.dtype, GH200), "s"),
    }


def test_on_this_machine_without_a_known_peak_memory_is_predicted_and_no_time() -> None:
    task = make_plan(STUDY, detect()).tasks[0].task
    assert list(predictions(canonical_json(task))) == ["work", "memory"]


def test_of_hardware_that_nobody_here_knows_only_flops_are_predicted() -> None:
    task = make_plan(STUDY, LAPTOP).tasks[0].task
    assert list(predictions(canonical_json(task))) == ["work"]


def test_a_task_that_cannot_be_read_any_more_has_no_predictions() -> None:
    assert predictions('{"$":"gone"}') == {}


def test_an_empty_store_calibrates_nothing(tmp_path: object) -> None:
    from effdsl_registry.store import Store

    assert calibration_in(Store(tmp_path), LAPTOP).accuracy() == []  # type: ignore[arg-type]
