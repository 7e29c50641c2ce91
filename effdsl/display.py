"""How plans and studies look: a table on a terminal, the same table in a notebook."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any

import attrs

from effdsl.costs.price import Speed, together
from effdsl.costs.words import in_words, time_range
from effdsl.expand import PlannedCell
from effdsl.plan import OpenTask, Plan, PlannedTask, TaskRole, TaskState
from effdsl.study import Study
from effdsl.task import Cell

ESTIMATED = ("time", "energy", "cost", "CO2e")
MEMORY = "memory over baseline"  # the metric that it predicts; what a process takes anyway is not in it
BEFORE = ("technique", "scale", "parameters", "active")
PREDICTED = ("PFLOP", MEMORY, *ESTIMATED)
AFTER = ("tasks", "reason")
LEFT = ("technique", "scale", *AFTER)
MOST_IN_NOTEBOOK = 100
WHERE_KNOWN = ("active", *PREDICTED)
SEED = re.compile(r"\bseed (\d+)")


@attrs.frozen
class PlanTable:
    """The cells of a plan, in words. Columns of estimates that nobody can make are left out, and that of
    active parameters where a token meets all of them."""

    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]


def plan_table(plan: Plan, limit: int | None = None) -> PlanTable:
    """One row per cell, at most ``limit``; numbers are of one task."""
    rows = _rows(plan, limit)
    empty = {name for name in WHERE_KNOWN if not any(row.get(name) for row in rows)}
    amounts = dict.fromkeys(name for row in rows for name in row if name not in (*BEFORE, *PREDICTED, *AFTER))
    columns = tuple(name for name in (*BEFORE, *amounts, *PREDICTED, *AFTER) if name not in empty)
    return PlanTable(columns, [tuple(row.get(name, "") for name in columns) for row in rows])


def _rows(plan: Plan, limit: int | None) -> list[dict[str, str]]:
    tasks_of: dict[PlannedCell, list[PlannedTask | OpenTask]] = {}
    for task in plan.every_task:
        tasks_of.setdefault(task.of, []).append(task)
    return [_row(cell, tasks_of.get(cell, []), plan) for cell in plan.every_cell[:limit]]


def _row(planned: PlannedCell, tasks: Sequence[PlannedTask | OpenTask], plan: Plan) -> dict[str, str]:
    labels = planned.labels
    if planned.cell is None:
        unsupported = f"{plan.repeats} {TaskState.UNSUPPORTED.value}"
        named = {"technique": labels.technique, "scale": labels.scale}
        return named | {"tasks": unsupported, "reason": planned.unsupported}
    work = planned.cell.workload
    states = Counter(task.status for task in tasks)
    reasons = dict.fromkeys(filter(None, (*(task.reason for task in tasks), planned.remark)))
    size, cost = work.size(), planned.cost
    return {
        "technique": labels.technique,
        "scale": labels.scale,
        "parameters": f"{size.parameters:,}",
        "active": f"{size.active:,}" if size.active != size.parameters else "",
        **work.amounts(),
        "PFLOP": "" if cost.flops is None else pflop(cost.flops),
        MEMORY: f"{planned.memory.total / 1e9:,.2f} GB" if planned.memory else "",
        **in_words(planned.price),
        "tasks": ", ".join(f"{n} {state}" for state, n in states.items()),
        "reason": "; ".join(_together(reasons)),
    }


def _together(reasons: Iterable[str]) -> Iterator[str]:
    """Reasons that differ by a seed alone, as one."""
    seeds: dict[tuple[str, ...], list[str]] = {}
    for reason in reasons:
        before, *found = SEED.split(reason, maxsplit=1)  # number and what follows, where there is one
        seeds.setdefault((before, *found[1:]), []).extend(found[:1])
    for (before, *after), numbers in seeds.items():
        named = f"seed{'s' * (len(numbers) > 1)} {', '.join(numbers)}" if numbers else ""
        yield "".join((before, named, *after))


def pflop(flops: float) -> str:
    """FLOPs in units of 1e15: four digits, and whole ones from a thousand on."""
    amount = flops / 1e15
    return f"{amount:,.0f}" if amount >= 1000 else f"{amount:.4g}"


def totals(plan: Plan) -> str:
    """What everything that is to run takes, in one line: here, or on the hardware that the study names.

    Empty when nothing is to run.
    """
    here, tasks_to_run = plan.to_run(), plan.to_price()
    if not tasks_to_run:
        return ""
    price = together(task.price for task in tasks_to_run)
    words = in_words(price)
    flops = _flops(tasks_to_run)
    time = words["time"] + (f" ({between})" if (between := time_range(price)) else "")
    shown = ["" if flops is None else f"{pflop(flops)} PFLOP", time, words["energy"], words["cost"]]
    shown += [f"{words['CO2e']} CO2e"] if words["CO2e"] else []
    tasks = f"{len(tasks_to_run):,} task{'s' * (len(tasks_to_run) != 1)}"
    where = "To run" if here else "To run elsewhere"
    speed = speed_in_words(list(dict.fromkeys(task.of for task in tasks_to_run)))
    return f"{where}: {', '.join(filter(None, (tasks, *shown)))} (estimated; speed {speed})"


def _flops(tasks: Sequence[PlannedTask | OpenTask]) -> float | None:
    """FLOPs of ``tasks`` together; ``None`` where those of one are not known."""
    known = [flops for task in tasks if (flops := task.of.cost.flops) is not None]
    return math.fsum(known) if len(known) == len(tasks) else None


def speed_in_words(cells: Sequence[PlannedCell]) -> str:
    """How fast ``cells`` are taken to run, and which of them nothing like it has run of."""
    speeds = [(cell.labels.technique, cell.speed) for cell in cells if cell.speed is not None]
    counts = {speed.tasks for _, speed in speeds}
    rates = [rate for _, speed in speeds if (rate := _rate(speed)) is not None]
    if len(rates) < len(cells):
        return "not known before a task has run"
    slow, fast = min(rates), max(rates)
    reached = slow[1] if slow[1] == fast[1] else f"{slow[1]} to {fast[1]}"
    if counts == {0}:
        how = "foreseen" if all(speed.foreseen for _, speed in speeds) else "assumed"
        return f"{how} {reached}"
    measured = max(counts)
    said = f"calibrated from {measured:,} task{'s' * (measured != 1)}: {reached}"
    unseen = list(dict.fromkeys(name for name, speed in speeds if speed.tasks and not speed.alike))
    return f"{said}; a guess for {', '.join(unseen)}, not run yet" if unseen else said


def _rate(speed: Speed) -> tuple[float, str] | None:
    if speed.of_bound is not None:
        return speed.of_bound, f"{speed.of_bound:.0%} of peak"
    if speed.flops_per_s is not None:
        return speed.flops_per_s, f"{speed.flops_per_s / 1e9:,.3g} GFLOP/s"
    return None


def setting(plan: Plan) -> str:
    """What the cells of a plan are run with, in one line; what differs by scale is given for each."""
    cells = [cell.cell for cell in plan.cells if cell.cell is not None]
    if not cells:
        return ""
    facts = (" / ".join(dict.fromkeys(fact)) for fact in zip(*map(_facts, cells), strict=True))
    return " · ".join([*facts, f"{plan.repeats} repeat{'s' * (plan.repeats != 1)}"])


def _facts(cell: Cell) -> tuple[str, ...]:
    return (str(cell.hardware), *cell.workload.facts())


def plan_json(plan: Plan) -> dict[str, Any]:
    """The plan as plain data. Under ``estimated`` is what was predicted; what is unknown is null."""
    return {
        "schema": "effdsl/plan",
        "version": 1,
        "study": plan.study,
        "machine": str(plan.machine),
        "counts": plan.status_counts(),
        "estimated": {
            "to_run": _total_json(plan.to_run()),
            "to_run_elsewhere": _total_json(() if plan.to_run() else plan.to_price()),
            "speed": [attrs.asdict(speed) for speed in plan.speeds()],
        },
        "cells": [_cell_json(cell) for cell in plan.cells],
        "other_cells": [_cell_json(cell) for cell in plan.other_cells],
        "tasks": [*map(_task_json, plan.tasks), *map(_open_json, plan.open_tasks)],
    }


def _total_json(tasks: Sequence[PlannedTask | OpenTask]) -> dict[str, Any] | None:
    """The price of ``tasks`` together; ``None`` of none."""
    if not tasks:
        return None
    price = together(task.price for task in tasks)
    return {"tasks": len(tasks), "flops": _flops(tasks), **attrs.asdict(price)}


def _cell_json(planned: PlannedCell) -> dict[str, Any]:
    labels = planned.labels
    base = {"technique": labels.technique, "scale": labels.scale, "full_name": labels.full_name}
    base |= {axis: has.label for axis, has in labels.choices.items()}
    if planned.cell is None:
        return base | {"state": TaskState.UNSUPPORTED.value, "reason": planned.unsupported}
    work = planned.cell.workload
    return base | {
        "hardware": planned.cell.hardware.name,
        "hardware_count": planned.cell.hardware.count,
        "engine": planned.cell.engine.name,
        "parameters": work.size().parameters,
        "remark": planned.remark,
        **work.described(),
        "estimated": _estimated_json(planned, planned.cell),
    }


def _estimated_json(planned: PlannedCell, cell: Cell) -> dict[str, Any]:
    """The predictions for one task of a cell."""
    memory = planned.memory
    return {
        "active_parameters": cell.workload.size().active,
        "flops": planned.cost.flops,
        "memory_bytes_per_device": memory.parts() if memory else None,
        **cell.workload.estimates(cell.hardware),
        **attrs.asdict(planned.price),
    }


def _task_json(task: PlannedTask) -> dict[str, Any]:
    labels = task.task.labels
    return {
        "key": task.address.key,
        "cell": task.address.cell,
        "technique": labels.technique,
        "scale": labels.scale,
        "seed": task.task.seed,
        "state": task.status,
        "reason": task.reason,
        "role": task.role.value,
    }


def _open_json(task: OpenTask) -> dict[str, Any]:
    """A task whose key is not known before others have run."""
    labels = task.of.labels
    return {
        "key": None,
        "cell": None,
        "technique": labels.technique,
        "scale": labels.scale,
        "seed": task.seed,
        "state": task.status,
        "reason": task.reason,
        "role": TaskRole.RESULT.value,
    }


def plan_html(plan: Plan) -> str:
    """The plan as an HTML table for a notebook, at most 100 cells of it; every text is escaped."""
    table = plan_table(plan, MOST_IN_NOTEBOOK)
    aligned = ("left" if name in LEFT else "right" for name in table.columns)
    styles = [f' style="text-align:{way};padding:2px 8px"' for way in aligned]
    head = _html_row("th", table.columns, styles)
    body = "".join(_html_row("td", row, styles) for row in table.rows)
    left_out = len(plan.every_cell) - len(table.rows)
    more = f"{left_out:,} more cells are not shown." if left_out else ""
    last = "<br>".join(escape(line) for line in (more, totals(plan), plan.summary()) if line)
    return (
        f"<p><b>{escape(plan.study)}</b> · {escape(setting(plan))}</p><table><thead>{head}</thead>"
        f"<tbody>{body}</tbody></table><p>{last}</p>"
    )


def _html_row(tag: str, texts: Sequence[str], styles: Sequence[str]) -> str:
    cells = (f"<{tag}{style}>{escape(text)}</{tag}>" for text, style in zip(texts, styles, strict=True))
    return f"<tr>{''.join(cells)}</tr>"


def study_html(study: Study) -> str:
    """A study as an HTML list for a notebook; every text is escaped."""
    facts = {
        "axis": str(study.axis),
        "scales": ", ".join(map(str, study.scales)),
        "models": ", ".join(map(str, study.models)),
        "hardware": str(study.hw),
        "data": str(study.data or "default for the scale"),
        "repeats": ", ".join(map(str, study.repeats.values)),
        "notes": study.notes,
    }
    items = "".join(f"<li>{escape(k)}: {escape(v)}</li>" for k, v in facts.items() if v)
    return f"<p><b>{escape(study.name or 'study')}</b></p><ul>{items}</ul>"
