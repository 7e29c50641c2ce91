"""How plans and studies look: a table on a terminal, the same table in a notebook."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import Any

import attrs

from effdsl.declare import values_of
from effdsl.expand import PlannedCell
from effdsl.plan import Plan, PlannedTask, State
from effdsl.study import Study

COLUMNS = ("technique", "scale", "parameters", "tokens", "PFLOP", "memory", "tasks", "reason")


@attrs.frozen
class PlanRow:
    """One cell of a plan, in words."""

    technique: str
    scale: str
    parameters: str
    tokens: str
    pflop: str
    memory: str
    tasks: str
    reason: str

    def cells(self) -> tuple[str, ...]:
        return attrs.astuple(self)


def plan_rows(plan: Plan, limit: int | None = None) -> list[PlanRow]:
    """One row per cell, at most ``limit``."""
    by_cell: dict[int, list[PlannedTask]] = {}
    for task in plan.tasks:
        by_cell.setdefault(id(task.task.cell), []).append(task)
    return [_row(cell, by_cell.get(id(cell.cell), []), plan) for cell in plan.cells[:limit]]


def _row(planned: PlannedCell, tasks: Sequence[PlannedTask], plan: Plan) -> PlanRow:
    labels = planned.labels
    if planned.cell is None:
        unsupported = f"{plan.repeats} {State.UNSUPPORTED.value}"
        return PlanRow(labels.technique, labels.scale, "", "", "", "", unsupported, planned.unsupported)
    work = planned.cell.workload
    states = Counter(task.state.value for task in tasks)
    reasons = dict.fromkeys(task.reason for task in tasks if task.reason)
    return PlanRow(
        technique=labels.technique,
        scale=labels.scale,
        parameters=f"{work.parameters:,}",
        tokens=f"{work.budget.tokens:,}",
        pflop=f"{work.train_flops / 1e15:,.4g}",
        memory=f"{planned.memory.total / 1e9:,.2f} GB" if planned.memory else "",
        tasks=", ".join(f"{n} {state}" for state, n in states.items()),
        reason="; ".join(reasons),
    )


def setting(plan: Plan) -> str:
    """What all cells of a plan share, in one line; what differs by scale is left to the table."""
    cells = [cell.cell for cell in plan.cells if cell.cell is not None]
    if not cells:
        return ""
    work = cells[0].workload
    facts = [f"{cells[0].hardware}", f"{work.data}", f"context {work.budget.context_length:,}"]
    facts += [f"{work.budget.steps:,} steps of {work.budget.batch_size} sequences", work.recipe.dtype]
    facts += [f"{plan.repeats} repeat{'s' * (plan.repeats != 1)}"]
    more = " (first scale)" if len({cell.labels.scale for cell in plan.cells}) > 1 else ""
    return " · ".join(facts) + more


def plan_json(plan: Plan) -> dict[str, Any]:
    """The plan as plain data. ``memory`` and ``train_flops`` are estimates, and say so."""
    return {
        "schema": "effdsl/plan",
        "version": 1,
        "study": plan.study,
        "machine": str(plan.machine),
        "counts": {state.value: n for state, n in plan.counts().items()},
        "cells": [_cell_json(cell) for cell in plan.cells],
        "tasks": [_task_json(task) for task in plan.tasks],
    }


def _cell_json(planned: PlannedCell) -> dict[str, Any]:
    base = attrs.asdict(planned.labels)
    if planned.cell is None:
        return base | {"state": State.UNSUPPORTED.value, "reason": planned.unsupported}
    work = planned.cell.workload
    shape = work.architecture.shape
    estimate = planned.memory.parts() if planned.memory else {}
    return base | {
        "hardware": planned.cell.hardware.name,
        "hardware_count": planned.cell.hardware.count,
        "engine": planned.cell.engine.name,
        "data": str(work.data),
        "shape": values_of(shape),
        "parameters": work.parameters,
        "budget": values_of(work.budget) | {"tokens": work.budget.tokens},
        "recipe": values_of(work.recipe),
        "estimated": {"train_flops": work.train_flops, "memory_bytes_per_device": estimate},
    }


def _task_json(task: PlannedTask) -> dict[str, Any]:
    labels = task.task.labels
    return {
        "key": task.address.key,
        "cell": task.address.cell,
        "technique": labels.technique,
        "scale": labels.scale,
        "seed": task.task.seed,
        "state": task.state.value,
        "reason": task.reason,
    }


def plan_html(plan: Plan) -> str:
    """The plan as an HTML table for a notebook; every text is escaped."""
    head = "".join(f"<th>{escape(name)}</th>" for name in COLUMNS)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row.cells()) + "</tr>"
        for row in plan_rows(plan, 100)
    )
    return (
        f"<p><b>{escape(plan.study)}</b> · {escape(setting(plan))}</p><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table><p>{escape(plan.summary())}</p>"
    )


def study_html(study: Study) -> str:
    """A study as an HTML list for a notebook; every text is escaped."""
    facts = {
        "axis": str(study.axis),
        "scales": ", ".join(map(str, study.scales)),
        "hardware": str(study.hw),
        "data": str(study.data or "default for the scale"),
        "repeats": ", ".join(map(str, study.repeats.values)),
        "notes": study.notes,
    }
    items = "".join(f"<li>{escape(k)}: {escape(v)}</li>" for k, v in facts.items() if v)
    return f"<p><b>{escape(study.name or 'study')}</b></p><ul>{items}</ul>"
