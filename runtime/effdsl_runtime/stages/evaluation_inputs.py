"""How texts and benchmarks are made ready before a model is evaluated."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout

from effdsl.harness import HarnessData
from effdsl.stages.evaluation_inputs import ClozeText
from effdsl_runtime.inputs import make_ready


@make_ready.register
def _cloze_text(wanted: ClozeText, report: Callable[[str], None]) -> None:
    from effdsl_runtime.evaluating.cloze import cloze_items
    from effdsl_runtime.taking_long import beating

    with beating(report, "the passages of the cloze"):
        cloze_items(wanted.cloze)


@make_ready.register
def _harness_data(wanted: HarnessData, report: Callable[[str], None]) -> None:
    """What data sets and tasks print on their way is of use to nobody here."""
    from effdsl_runtime.taking_long import beating

    printed = io.StringIO()
    for task in wanted.tasks:
        with beating(report, f"lm-eval's {task.name}"), redirect_stdout(printed), redirect_stderr(printed):
            from effdsl_runtime.evaluating.harness_run import loaded

            loaded(task)
