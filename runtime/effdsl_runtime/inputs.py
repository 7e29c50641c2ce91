"""What tasks need before they start: asked for while planning, made ready before the first task.

Each kind of input registers how it is got. Nothing heavy is loaded until it is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, singledispatch
from pathlib import Path

from effdsl_registry.checkpoints import Checkpoints

from effdsl.task import Cell, Task
from effdsl.workload import Input, Workload


@singledispatch
def make_ready(wanted: Input, report: Callable[[str], None]) -> None:
    """Get ``wanted``, where it is not there yet; called in a process of its own.

    Args:
        wanted: what a workload asks for.
        report: is told what goes on.

    Raises:
        DataError: when it cannot be had.
    """
    raise TypeError(f"nothing here makes a {type(wanted).__name__} ready")


@singledispatch
def hand_over(
    workload: Workload, task: Task, checkpoints: Checkpoints, folder: Path, report: Callable[[str], None]
) -> None:
    """Put what ``task`` cannot get in an interpreter of its own into ``folder``, where it crosses to that;
    called in a process of effdsl's own interpreter, just before the task starts. Usually nothing.

    Raises:
        DataError: when it cannot be had.
        Unsupported: when it cannot be made.
    """


@singledispatch
def unfit(wanted: Input) -> str:
    """Why ``wanted`` is of no use to its task, as far as that is known already; empty when it is."""
    return ""


@singledispatch
def remark(wanted: Input) -> str:
    """What a plan should say of ``wanted``, as far as it is known already; usually empty."""
    return ""


def remarks_on_inputs() -> Callable[[Cell], str]:
    """Says what a plan should say of a cell's inputs, separated by ``"; "``. What was looked up is
    remembered."""
    known = cache(remark)
    return lambda cell: "; ".join(filter(None, map(known, cell.workload.inputs())))


def unfit_inputs() -> Callable[[Cell], str]:
    """Says why an input of a cell is of no use to it; empty when all are, or may be. What was looked up is
    remembered."""
    known = cache(unfit)
    return lambda cell: next(filter(None, map(known, cell.workload.inputs())), "")
