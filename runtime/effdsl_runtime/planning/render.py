"""Plans, states and results as text for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec

import attrs
from effdsl_registry.records import Identity, Record
from effdsl_registry.store import ClaimInfo
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from effdsl.costs import lower_bound_s
from effdsl.costs.known_speeds import Accuracy
from effdsl.costs.spread import Spread
from effdsl.display import LEFT, plan_table, setting, totals
from effdsl.from_canonical import CannotDecode, decoded
from effdsl.hardware import catalogued
from effdsl.key import short
from effdsl.layout_rows import LAYOUT_COLUMNS, LAYOUT_NUMBERS, layouts_of
from effdsl.metrics import METRICS
from effdsl.plan import Plan, PlannedTask, TaskState
from effdsl.printing import print_parts
from effdsl.tables import FittingTable
from effdsl.task import Cell
from effdsl_runtime.machine import detect

PIPED_WIDTH = 160

P = ParamSpec("P")


def printed(parts: Callable[P, Iterator[RenderableType]]) -> Callable[P, None]:
    """Print what ``parts`` yields."""

    @wraps(parts)
    def print_them(*args: P.args, **kwargs: P.kwargs) -> None:
        print_parts(parts(*args, **kwargs), PIPED_WIDTH)

    return print_them


def bold(text: str, rest: str) -> Text:
    """A line that begins with ``text`` in bold."""
    return Text.assemble((text, "bold"), rest)


@printed
def print_plan(plan: Plan, limit: int | None) -> Iterator[RenderableType]:
    """The cells, what is to run and why, and the count of each state."""
    yield bold(plan.study, f" · {shared}") if (shared := setting(plan)) else bold(plan.study, "")
    shown = plan_table(plan, limit)
    table = FittingTable(keys=2, header_style="bold")
    for name in shown.columns:
        is_number = name not in LEFT
        table.add_column(Text(name), justify="right" if is_number else "left", no_wrap=is_number)
    for row in shown.rows:
        table.add_row(*map(Text, row))
    yield table
    if limit is not None and len(plan.every_cell) > limit:
        yield f"… and {len(plan.every_cell) - limit:,} more cells (--all shows them)"
    if line := totals(plan):
        yield line
    yield plan.summary()


LAYOUTS_SHOWN = 8


@printed
def print_layouts(plan: Plan, show_all: bool) -> Iterator[RenderableType]:
    """For each cell on several devices, how these could divide it, and why all ways but one are not taken."""
    cells = list(layouts_of(plan))
    if not cells:
        yield "Nothing here runs on several devices that could divide it in more than one way."
    for cell in cells:
        rows = cell.rows(None if show_all else LAYOUTS_SHOWN)
        yield bold(cell.named, "")
        table = FittingTable(keys=1, header_style="bold")
        for name in LAYOUT_COLUMNS:
            is_number = name in LAYOUT_NUMBERS
            table.add_column(Text(name), justify="right" if is_number else "left", no_wrap=is_number)
        for texts in rows:
            table.add_row(*map(Text, texts))
        yield table
        if left := len(cell.options) - len(rows):
            yield f"… and {left:,} more layouts (--all shows them)"


CALIBRATED = ("hardware", "engine", "dtype", "tasks", "time", "memory", "GFLOP/s", "of peak")


@printed
def print_calibration(accuracy: Sequence[Accuracy]) -> Iterator[RenderableType]:
    """How far predictions were off, one line for each hardware, engine and dtype."""
    yield "predicted / actual of time and memory, and the speed of training: median (90% range)"
    rows = []
    for row in accuracy:
        group = row.group
        hardware = group.hardware if group.count == 1 else f"{group.count} × {group.hardware}"
        spreads = [_spread(row.time), _spread(row.memory)]
        spreads += [_spread(row.flops_per_s, 1e-9), _spread(row.of_peak)]
        rows.append((hardware, group.engine, group.dtype, str(row.tasks), *spreads))
    if not rows:
        yield "Nothing has finished in this store yet."
        return
    table = FittingTable(keys=3, header_style="bold")
    for name in CALIBRATED:
        table.add_column(Text(name))
    for texts in rows:
        table.add_row(*map(Text, texts))
    yield table


def _spread(spread: Spread | None, unit: float = 1.0) -> str:
    if spread is None:
        return "–"
    median, low, high = (f"{value * unit:.3g}" for value in attrs.astuple(spread))
    return f"{median} ({low}–{high})"


def calibration_json(accuracy: Sequence[Accuracy]) -> dict[str, Any]:
    """The same as plain data; ratios are predicted over actual."""
    rows = [attrs.asdict(row) for row in accuracy]
    return {"schema": "effdsl/calibration", "version": 1, "groups": rows}


def status_json(plan: Plan, running: Mapping[str, ClaimInfo]) -> dict[str, Any]:
    """TaskState of every task, ``running`` where its claim is held."""
    return {
        "schema": "effdsl/status",
        "version": 1,
        "study": plan.study,
        "tasks": [
            {
                "key": task.address.key,
                "technique": task.task.labels.technique,
                "scale": task.task.labels.scale,
                "seed": task.task.seed,
                "state": _state(task, running),
                "reason": task.reason,
            }
            for task in plan.tasks
        ]
        + [
            {
                "key": None,
                "technique": task.of.labels.technique,
                "scale": task.of.labels.scale,
                "seed": task.seed,
                "state": task.status,
                "reason": task.reason,
            }
            for task in plan.open_tasks
        ],
    }


@printed
def print_status(plan: Plan, running: Mapping[str, ClaimInfo]) -> Iterator[RenderableType]:
    """One line per state, then what is running and where."""
    counts = Counter(_state(task, running) for task in plan.tasks)
    counts.update(task.status for task in plan.open_tasks)
    counts |= Counter({TaskState.UNSUPPORTED.value: plan.counts()[TaskState.UNSUPPORTED]})
    yield bold(plan.study, " · " + ", ".join(f"{n} {state}" for state, n in counts.items() if n))
    for task in plan.tasks:
        claim = running.get(task.address.key)
        if claim is not None and task.state is not TaskState.CACHED:
            labels = task.task.labels
            name = f"{labels.technique} {labels.scale} seed {task.task.seed}"
            yield f"running: {name}, process {claim.pid} on {claim.host}"


def _state(task: PlannedTask, running: Mapping[str, ClaimInfo]) -> str:
    if task.address.key in running and task.state is not TaskState.CACHED:
        return "running"
    if task.known is not None and task.state is TaskState.CACHED:
        return task.known.outcome.value
    return task.state.value


@printed
def print_record(record: Record) -> Iterator[RenderableType]:
    """One result: identity, metrics with units, what is missing and why, provenance."""
    why = f": {record.reason}" if record.reason else ""
    yield bold(short(record.key), f" {record.outcome}{why}")
    identity = Table("asked", "", box=None, header_style="bold", pad_edge=False)
    for name, value in _asked(record.identity).items():
        identity.add_row(name, Text(str(value)))
    yield identity
    metrics = Table("measured", "", "unit", "definition", box=None, header_style="bold", pad_edge=False)
    for metric in METRICS:
        if metric.name in record.metrics:
            metrics.add_row(metric.name, f"{record.metrics[metric.name]:.6g}", metric.unit, metric.definition)
        elif metric.name in record.missing:
            metrics.add_row(metric.name, "–", "", Text(record.missing[metric.name]))
    yield metrics
    if predicted := predictions(record.canonical):
        table = Table("predicted", "", "unit", box=None, header_style="bold", pad_edge=False)
        for name, (value, unit) in predicted.items():
            table.add_row(name, f"{value:.6g}", unit)
        yield table
    provenance = Table("provenance", "", box=None, header_style="bold", pad_edge=False)
    for name, value in _plain(record.provenance).items():
        if name != "code":
            provenance.add_row(name, Text(str(value)))
    yield provenance
    for name, text in record.artifacts.items():
        yield bold(name, "")
        yield text


def predictions(canonical: str) -> dict[str, tuple[float, str]]:
    """What is predicted of a stored task, with units, by the formulas of today.

    Nothing of a task that cannot be read any more, and only its FLOPs where nothing is known here of the
    hardware that it ran on.
    """
    try:
        cell: Cell = decoded(canonical).cell
    except CannotDecode:
        return {}
    work, hardware = cell.workload, catalogued(cell.hardware, detect())
    cost, memory = work.cost(hardware), cell.engine.memory(work, hardware)
    found: dict[str, tuple[float, str]] = {}
    if cost.flops is not None:
        found["work"] = (cost.flops, "FLOP")
    if hardware.memory is not None and memory is not None:
        found["memory"] = (memory.total / 1e9, "GB")
    if (bound_s := lower_bound_s(cost, work.dtype, hardware)) is not None:
        found["time at the peak rates"] = (bound_s, "s")
    return found


def _asked(identity: Identity) -> dict[str, Any]:
    """What was asked, one name beside the other."""
    shown = _plain(identity)
    for name in ("choices", "setting", "details"):
        shown.pop(name, None)
    shown |= {axis: has.label for axis, has in identity.choices.items()}
    return shown | {n: v for n, v in {**identity.setting, **identity.details}.items() if v not in (None, "")}


def _plain(value: Any) -> dict[str, Any]:
    return {name: field for name, field in attrs.asdict(value).items() if field not in (None, "", (), {})}
