"""What ``effdsl execute`` does, from the plan to the exit code."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import attrs
import click
from effdsl_registry.store import Store, StudyTask

from effdsl.limit import Limit, advice
from effdsl.loading import LoadedStudy, typed
from effdsl.outcome import Outcome
from effdsl.outside import readable
from effdsl.plan import Plan, TaskState

ELSEWHERE = "by another process"


@attrs.frozen
class RunOptions:
    """How a plan is to be run: what the options of ``effdsl execute`` say."""

    progress: str = "auto"
    timeout_s: float | None = None
    fail_fast: bool = False
    limit: Limit | None = None
    keep_checkpoints: bool | None = None


@attrs.frozen
class RunSummary:
    """How it went: tasks by their ending, those that are still to run, and the exit code."""

    ran: dict[str, int] = attrs.field(factory=dict)
    left: int = 0
    code: int = 0


def run_study(loaded: LoadedStudy, plan: Plan, store: Store, options: RunOptions, as_json: bool) -> int:
    """Run what ``plan`` leaves to run, say how it went, and return the exit code."""
    _say_whose_name(plan.study, loaded.file, store)
    store.remember_study(plan.study, readable(str(loaded.file)), study_tasks(plan))
    summary = RunSummary()
    if plan.to_run():
        click.echo(f"{plan.study}: {plan.summary().removeprefix('Plan: ')}", err=True)
        click.echo(f"store: {store.root}", err=True)
        started = _run(plan, store, options)
        if started is None:
            return 1
        summary = started
    if as_json:
        click.echo(json.dumps(_summary_json(plan, summary, store)))
    else:
        click.echo("\n".join(_summary(plan, summary, store, options.limit, typed(loaded.file))))
    if summary.code:
        return summary.code
    nothing_to_rank = not (_has_results(plan, summary) or plan.counts()[TaskState.LEFT_OUT])
    return 1 if failed(plan, summary) or nothing_to_rank else 0


def _say_whose_name(study: str, file: Path, store: Store) -> None:
    """A name means the file that was last executed under it; what ran from another is no longer asked."""
    earlier = store.executed_from(study)
    if earlier and Path(earlier).exists() and not file.samefile(earlier):
        click.echo(f"{study!r} meant {earlier} so far; from now on it means this file", err=True)


def failed(plan: Plan, summary: RunSummary) -> int:
    """Tasks that failed, now or earlier, and do not run again unasked."""
    word = Outcome.FAILED.value
    return summary.ran.get(word, 0) + sum(task.status == word for task in plan.tasks)


def _has_results(plan: Plan, summary: RunSummary) -> bool:
    """Whether a task ended well, now or earlier, here or in another process."""
    ended_well = summary.ran.get(Outcome.OK.value) or summary.ran.get(ELSEWHERE)
    return bool(ended_well) or any(task.status == TaskState.CACHED.value for task in plan.tasks)


def study_tasks(plan: Plan) -> list[StudyTask]:
    """The tasks of a plan as the store remembers them for ``rank STUDY``."""
    return [
        StudyTask(task.address.key, task.address.cell, task.task.labels.technique, task.task.labels.scale)
        for task in plan.tasks
    ]


def _run(plan: Plan, store: Store, options: RunOptions) -> RunSummary | None:
    """How it went; ``None`` when no task could be started."""
    from effdsl_runtime.executing.executor import Executor
    from effdsl_runtime.executing.progress import display_for

    with display_for(plan, options.progress) as display:
        display.message("starting: the first task waits a few seconds for torch to load")
        totals = Executor(store, display, options.timeout_s, options.fail_fast, options.keep_checkpoints).run(
            plan
        )
    ran = {outcome.value: totals.count(outcome) for outcome in Outcome if totals.count(outcome)}
    if totals.elsewhere:
        ran[ELSEWHERE] = totals.elsewhere
    if totals.infeasible:
        ran[TaskState.INFEASIBLE.value] = totals.infeasible
    if totals.cannot_start:
        click.echo(f"Nothing was run: {totals.cannot_start}", err=True)
        return None
    return RunSummary(ran, totals.left, 128 + totals.signal if totals.signal else 0)


def _summary_json(plan: Plan, summary: RunSummary, store: Store) -> dict[str, object]:
    return {
        "schema": "effdsl/execute",
        "version": 1,
        "study": plan.study,
        "planned": plan.status_counts(),
        "ran": summary.ran,
        "left": summary.left,
        "store": str(store.root),
    }


def _summary(plan: Plan, summary: RunSummary, store: Store, limit: Limit | None, study: str) -> Iterator[str]:
    """The lines that say how it went and what to type next; ``study`` is what stands for it there."""
    counts = plan.counts()
    done = [f"{n} {what}" for what, n in summary.ran.items()]
    done += [f"{summary.left} left to run"] if summary.left else []
    nothing = "nothing fits the limit" if counts[TaskState.LEFT_OUT] else "nothing to run"
    kept = [f"{n} {what}" for what, n in _kept(plan).items()]
    yield f"{plan.study}: {', '.join([*(done or [nothing]), *kept])}. Store: {store.root}"
    for state in (TaskState.INFEASIBLE, TaskState.UNAVAILABLE, TaskState.UNSUPPORTED):
        if counts[state]:
            yield f"{counts[state]} {state.value}; `effdsl plan {study}` says why."
    if counts[TaskState.LEFT_OUT] and limit is not None:
        yield f"{counts[TaskState.LEFT_OUT]} left out by the limit of {limit}; {advice(plan, limit)}."
    if summary.left:
        yield f"{summary.left} left to run; `effdsl execute {study}` goes on."
    if n := failed(plan, summary):
        yield f"{n} failed; `effdsl execute {study} --retry failed` runs {'them' if n > 1 else 'it'} again."
    if changed := sum(task.state is TaskState.CACHED and task.code_changed for task in plan.tasks):
        yield f"{changed} of the cached were measured with other code; `effdsl plan {study}` says which file."
    rank = f"effdsl rank {shlex.quote(plan.study)}"
    if _has_results(plan, summary):
        yield f"Next: {rank}"
    elif counts[TaskState.CACHED] or summary.ran:
        yield f"None ended well; `{rank}` says how each ended."


def _kept(plan: Plan) -> dict[str, int]:
    """Results that were there before, by how they stand."""
    kept = [task.status for task in plan.tasks if task.state is TaskState.CACHED]
    return {
        name if name == TaskState.CACHED.value else f"{name} earlier": kept.count(name)
        for name in plan.status_counts()
        if name in kept
    }
