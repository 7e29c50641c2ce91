"""What the bars of a running study show."""

from __future__ import annotations

import io

from effdsl_runtime.executing.progress import RichDisplay
from effdsl_runtime.observation import Progress
from rich.console import Console

from effdsl import GQA, Attention, Budget, M, Study
from effdsl.hardware import Hardware
from effdsl.planner import make_plan


def test_a_trained_task_stays_full_while_it_generates() -> None:
    """The phases after training have no steps of their own, and do not empty the bar."""
    plan = make_plan(
        Study(Attention([GQA]), [1 * M], budget=Budget(steps=200), repeats=1),
        Hardware(name="a laptop", kind="cpu"),
    )
    out = io.StringIO()
    with RichDisplay(plan, Console(file=out, width=120)) as display:
        display.started(plan.tasks[0])
        display.progress(plan.tasks[0], Progress("training", 200, 200, 1.0))
        display.progress(plan.tasks[0], Progress("generating"))
        bars = display._bars.get_renderable()
        Console(file=out, width=120).print(bars)
    assert "200/200 generating" in out.getvalue()
