"""Plans, states and results as text for people."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

import attrs
from effdsl_registry.records import Record
from effdsl_registry.store import ClaimInfo
from rich.console import Console
from rich.table import Table

from effdsl.display import RIGHT, plan_table, setting, totals
from effdsl.key import short
from effdsl.metrics import METRICS
from effdsl.plan import Plan, PlannedTask, State

PIPED_WIDTH = 160


def console() -> Console:
    """The terminal; a fixed width where the output is piped, so that lines do not depend on a window."""
    return Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)


def print_plan(plan: Plan, limit: int | None) -> None:
    """The cells, what is to run and why, and the count of each state."""
    out = console()
    out.print(f"[bold]{plan.study}[/] · {setting(plan)}")
    table = Table(box=None, header_style="bold", pad_edge=False)
    shown = plan_table(plan, limit)
    for column in shown.columns:
        table.add_column(column, justify="right" if column in RIGHT else "left", overflow="fold")
    for row in shown.rows:
        table.add_row(*row)
    out.print(table)
    if limit is not None and len(plan.cells) > limit:
        out.print(f"… and {len(plan.cells) - limit:,} more cells (--all shows them)")
    if line := totals(plan):
        out.print(line)
    out.print(plan.summary())


def status_json(plan: Plan, running: Mapping[str, ClaimInfo]) -> dict[str, Any]:
    """State of every task, ``running`` where its claim is held."""
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
        ],
    }


def print_status(plan: Plan, running: Mapping[str, ClaimInfo]) -> None:
    """One line per state, then what is running and where."""
    out = console()
    counts = Counter(_state(task, running) for task in plan.tasks)
    counts |= Counter({State.UNSUPPORTED.value: plan.counts()[State.UNSUPPORTED]})
    out.print(f"[bold]{plan.study}[/] · " + ", ".join(f"{n} {state}" for state, n in counts.items() if n))
    for task in plan.tasks:
        claim = running.get(task.address.key)
        if claim is not None and task.state is not State.CACHED:
            labels = task.task.labels
            name = f"{labels.technique} {labels.scale} seed {task.task.seed}"
            out.print(f"running: {name}, process {claim.pid} on {claim.host}")


def _state(task: PlannedTask, running: Mapping[str, ClaimInfo]) -> str:
    if task.known is not None:
        return task.known.outcome
    return "running" if task.address.key in running else task.state.value


def print_record(record: Record) -> None:
    """One result: identity, metrics with units, what is missing and why, provenance."""
    out = console()
    out.print(f"[bold]{short(record.key)}[/] {record.outcome}{': ' + record.reason if record.reason else ''}")
    identity = Table("asked", "", box=None, header_style="bold", pad_edge=False)
    for name, value in _plain(record.identity).items():
        identity.add_row(name, str(value))
    out.print(identity)
    metrics = Table("measured", "", "unit", "definition", box=None, header_style="bold", pad_edge=False)
    for metric in METRICS:
        if metric.name in record.metrics:
            metrics.add_row(metric.name, f"{record.metrics[metric.name]:.6g}", metric.unit, metric.definition)
        elif metric.name in record.missing:
            metrics.add_row(metric.name, "–", "", record.missing[metric.name])
    out.print(metrics)
    provenance = Table("provenance", "", box=None, header_style="bold", pad_edge=False)
    for name, value in _plain(record.provenance).items():
        if name != "code":
            provenance.add_row(name, str(value))
    out.print(provenance)
    if record.sample:
        out.print("[bold]text it generated[/]")
        out.print(record.sample, markup=False)


def _plain(value: Any) -> dict[str, Any]:
    return {name: field for name, field in attrs.asdict(value).items() if field not in (None, "", (), {})}
