"""Which code runs which engine. Engines are imported where a task runs, never where it is planned."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from effdsl.hardware import Hardware
from effdsl.installing import how_to_install
from effdsl.task import Cell, Task
from effdsl_runtime.environments.state import why_unusable

if TYPE_CHECKING:
    from effdsl_runtime.engines.contract import RunTask


def engine_module(task: Task) -> str:
    """The module that runs ``task``."""
    return task.engine.runs[task.workload.stage].split(":")[0]


def engine_for(task: Task) -> RunTask:
    """The function that runs ``task``."""
    module, name = task.engine.runs[task.workload.stage].split(":")
    run: RunTask = getattr(import_module(module), name)
    return run


def unavailable_here(machine: Hardware) -> Callable[[Cell], str]:
    """Says why a cell cannot run on ``machine``; empty when it can."""
    missing = cache(lambda module: find_spec(module) is None)

    def why_not(cell: Cell) -> str:
        wanted = cell.hardware
        if (wanted.name, wanted.count) != (machine.name, machine.count):
            return f"needs {wanted}; this machine is {machine}"
        environment = cell.engine.environment
        unusable = why_unusable(environment, machine.kind) if environment else ""
        if reason := cell.engine.refuses(cell.workload, wanted) or unusable:
            return reason
        packages = () if environment else (*cell.engine.packages, *cell.workload.packages)
        for module in (*packages, *(p for one in cell.workload.inputs() for p in one.packages)):
            if missing(module):
                return f"needs the module {module}: {how_to_install(module)}"
        return ""

    return why_not
