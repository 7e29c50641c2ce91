"""Where bitsandbytes is not installed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest
from effdsl_runtime import dispatch

from effdsl import GQA, INT4, NF4, Attention, Budget, M, Precision, Study, Trained
from effdsl.hardware import Hardware
from effdsl.planner import make_plan

LAPTOP = Hardware(name="a laptop", kind="cpu")


def test_normal_floats_are_unavailable_and_other_formats_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan says what to install."""
    there = importlib.util.find_spec("attrs")
    monkeypatch.setattr(dispatch, "find_spec", lambda name: None if name == "bitsandbytes" else there)
    base = Trained(Study(Attention([GQA]), [3 * M], budget=Budget(steps=10), repeats=1))
    plan = make_plan(Study(Precision([NF4, INT4]), models=base, repeats=1), LAPTOP)
    cells = [task.task.cell for task in plan.tasks if task.task.cell.workload.stage == "inference"]
    reasons = {cell.labels.technique: dispatch.unavailable_here(LAPTOP)(cell) for cell in cells}
    assert reasons == {
        "NF4": "needs the module bitsandbytes: pip install 'effdsl[bitsandbytes]'",
        "INT4": "",
    }


@pytest.mark.slow
def test_other_formats_do_not_import_it() -> None:
    """It takes a second, and memory."""
    code = "import sys, effdsl_runtime.quantizing; sys.exit('bitsandbytes' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
