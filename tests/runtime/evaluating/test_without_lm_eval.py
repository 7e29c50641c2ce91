"""Where lm-eval is not installed."""

from __future__ import annotations

import importlib.util

import pytest
from effdsl_runtime import dispatch

from effdsl import (
    BF16,
    GQA,
    Attention,
    Budget,
    EfficientLLMTasks,
    LMEval,
    M,
    Precision,
    Study,
    Trained,
    harness,
)
from effdsl.evaluation import Evaluation
from effdsl.hardware import Hardware
from effdsl.planner import make_plan

LAPTOP = Hardware(name="a laptop", kind="cpu")


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nothing that evaluates by lm-eval were there, and everything else."""
    gone = {"lm_eval", "math_verify"}
    monkeypatch.setattr(harness, "tasks_brought", dict)
    monkeypatch.setattr(harness, "installed_version", str)
    there = importlib.util.find_spec("attrs")
    monkeypatch.setattr(dispatch, "find_spec", lambda name: None if name in gone else there)


@pytest.mark.parametrize("evaluation", [LMEval("leaderboard_musr"), EfficientLLMTasks()])
def test_names_are_taken_as_they_are_and_the_task_is_unavailable(
    without: None, evaluation: Evaluation
) -> None:
    """A plan says what to install, once, and is made all the same."""
    base = Trained(Study(Attention([GQA]), [3 * M], budget=Budget(steps=10), repeats=1))
    plan = make_plan(Study(Precision([BF16]), models=base, evaluation=evaluation, repeats=1), LAPTOP)
    cell = plan.tasks[-1].task.cell
    assert cell.workload.stage == "inference"
    reason = dispatch.unavailable_here(LAPTOP)(cell)
    assert reason == "needs the module lm_eval: pip install 'effdsl[eval]'"


def test_a_name_that_nobody_can_look_up_is_taken(without: None) -> None:
    """It may be a task of a version that is installed elsewhere."""
    assert LMEval("a_task_of_tomorrow").names == ("a_task_of_tomorrow",)
