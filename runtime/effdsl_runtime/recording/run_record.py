"""From what a worker saw to the record that is stored."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
from effdsl_registry.files import Table
from effdsl_registry.records import Identity, Provenance, Record

from effdsl.metrics import BY_NAME, METRICS
from effdsl.own import own_parts
from effdsl.task import Address, Task
from effdsl_runtime.endings import Ending
from effdsl_runtime.machine import load_average
from effdsl_runtime.observation import EvaluatedItem, Observation
from effdsl_runtime.probes import Sampler

OWN = "own"
"""The flag of a result of a technique that is not effdsl's."""


@attrs.frozen
class Run:
    """What happened in a worker. ``observation`` is ``None`` when the engine did not finish."""

    ending: Ending
    started_at: datetime
    seconds: float
    observation: Observation | None = None
    sampler: Sampler | None = None
    load_average: float | None = None

    @classmethod
    def of_the_dead(cls, ending: Ending, seconds: float) -> Run:
        """The run of a worker that died, or was killed, without a word."""
        return cls(ending, datetime.now(UTC), seconds)


@attrs.frozen
class Assignment:
    """What a worker is told.

    Attributes:
        task, address, canonical: the task, its keys and its canonical form.
        attempt: names the files of this attempt.
        store, log: where to write.
        keeps_files: whether what the task leaves, e.g. its weights, is kept.
        facts: of the machine and of what is installed, gathered once by the executor.
    """

    task: Task
    address: Address
    canonical: str
    attempt: str
    store: Path
    log: Path
    facts: dict[str, Any]
    keeps_files: bool = False


def record_of(assignment: Assignment, run: Run) -> Record:
    """The record of one attempt at a task; metrics that nothing measured carry a reason instead.

    It names no code set, for that is kept by the store.
    """
    task, address = assignment.task, assignment.address
    measured = _measured(task, run)
    observation = run.observation
    return Record(
        key=address.key,
        cell=address.cell,
        lineage=address.lineage,
        canonical=assignment.canonical,
        attempt=assignment.attempt,
        outcome=run.ending.outcome.value,
        reason=run.ending.reason,
        identity=identity_of(task),
        metrics=measured[0],
        missing=measured[1],
        provenance=_provenance(task, run, assignment.facts),
        curves=observation.curves if observation else {},
        tables=dict(observation.tables) if observation else {},
        scores=dict(observation.scores) if observation else {},
        items={name: len(items) for name, items in observation.items.items()} if observation else {},
        artifacts=dict(observation.artifacts) if observation else {},
    )


def iterations_table(run: Run) -> Table | None:
    """One row per optimizer step; ``measured`` is false during warm-up."""
    if run.observation is None or not run.observation.iterations:
        return None
    rows = run.observation.iterations
    return {
        "step": [row.step for row in rows],
        "seconds": [row.seconds for row in rows],
        "loss": [row.loss for row in rows],
        "measured": [row.step >= run.observation.warmup for row in rows],
    }


def samples_table(run: Run) -> Table | None:
    """What the probes read, one row per reading."""
    return run.sampler.trace.columns() if run.sampler and len(run.sampler.trace) else None


def items_table(run: Run) -> Table | None:
    """One row per item of what was evaluated."""
    if run.observation is None or not run.observation.items:
        return None
    rows = [(name, *item) for name, items in run.observation.items.items() for item in items]
    return dict(zip(("evaluation", *EvaluatedItem._fields), zip(*rows, strict=True), strict=True))


def identity_of(task: Task) -> Identity:
    """The typed columns of what was asked."""
    work, labels, hardware = task.workload, task.labels, task.hardware
    size = work.size()
    return Identity(
        stage=work.stage,
        technique=labels.full_name,
        scale=labels.scale,
        parameters=size.parameters,
        active_parameters=size.active,
        seed=task.seed,
        hardware=hardware.name,
        hardware_count=hardware.count,
        dtype=work.dtype,
        engine=task.engine.name,
        engine_version=task.engine.version,
        choices=dict(labels.choices),
        setting=dict(work.setting()),
        details=dict(work.details()),
    )


def _measured(task: Task, run: Run) -> tuple[dict[str, float], dict[str, str]]:
    stage = task.workload.stage
    if run.observation is None or run.sampler is None:
        why = f"the task ended as {run.ending.outcome.value}"
        return {}, {metric.name: why for metric in METRICS if metric.is_of(stage)}
    from effdsl_runtime.recording.metric_values import measure

    measurement = measure(task, run.observation, run.sampler.summary)
    why_not = {name: why for name, why in measurement.missing.items() if BY_NAME[name].is_of(stage)}
    return measurement.metrics, why_not


def _provenance(task: Task, run: Run, facts: dict[str, Any]) -> Provenance:
    sampler, observation = run.sampler, run.observation
    own = (OWN,) if any(own_parts(task.workload)) else ()
    return Provenance(
        started_at=run.started_at.isoformat(),
        finished_at=datetime.now(UTC).isoformat(),
        duration_s=run.seconds,
        load_average=run.load_average if run.load_average is not None else load_average(),
        meter=sampler.meter if sampler else "",
        meter_scope=sampler.meter_scope if sampler else "",
        flags=(
            *own,
            *run.ending.flags,
            *(observation.flags if observation else ()),
            *(sampler.flags if sampler else ()),
        ),
        sampler_period_s=sampler.period_s if sampler else None,
        sampler_samples=len(sampler.trace) if sampler else None,
        threads=observation.threads if observation else None,
        kernel=observation.kernel if observation else "",
        warmup_iterations=observation.warmup if observation else None,
        measured_iterations=len(observation.measured) if observation else None,
        cpu_over_wall=_cpu_over_wall(sampler) if sampler else None,
        **facts,
    )


def _cpu_over_wall(sampler: Sampler) -> float | None:
    """CPU seconds of the process per second: how much of the machine the task really had."""
    trace = sampler.trace
    wall = (trace.t_ns[-1] - trace.t_ns[0]) / 1e9 if len(trace) > 1 else 0.0
    return (trace.cpu_time_s[-1] - trace.cpu_time_s[0]) / wall if wall else None
