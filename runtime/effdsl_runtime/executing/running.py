"""What ``effdsl execute`` does, from the plan to the exit code."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Set
from pathlib import Path

import attrs
import click
from effdsl_registry.store import Store, StudyTask

from effdsl.limit import Limit, advice
from effdsl.loading import LoadedStudy, typed
from effdsl.outcome import Outcome
from effdsl.outside import readable
from effdsl.plan import Plan, PlannedTask, TaskRole, TaskState
from effdsl.task_states import name_of_task

ELSEWHERE = "by another process"
PlanAgain = Callable[[Limit | None], Plan]
"""Makes the plan anew, now that some of its tasks have run, within what is left of a limit."""


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
    """How it went.

    Attributes:
        ran: tasks by their ending.
        left: tasks that are still to run.
        code: the exit code.
        lost: tasks that left no weights, from which others were to start.
        stopped: whether it was asked to stop.
        if_left: the exit code where that leaves something to run.
        results: the study's own tasks that ended well, or in another process.
    """

    ran: dict[str, int] = attrs.field(factory=dict)
    left: int = 0
    code: int = 0
    lost: int = 0
    stopped: bool = False
    if_left: int = 0
    results: int = 0

    def and_then(self, later: RunSummary) -> RunSummary:
        """Both, one after the other."""
        ran = {what: self.ran.get(what, 0) + later.ran.get(what, 0) for what in {**self.ran, **later.ran}}
        lost, results = self.lost + later.lost, self.results + later.results
        return attrs.evolve(later, ran=ran, lost=lost, results=results)


def run_study(
    loaded: LoadedStudy, first: Plan, plan_again: PlanAgain, store: Store, options: RunOptions, as_json: bool
) -> int:
    """Run what ``first`` leaves to run, and then what could not be told before; say how it went, and return
    the exit code."""
    _say_whose_name(first.study, loaded.file, store)
    file = readable(str(loaded.file))
    store.remember_study(first.study, file, study_tasks(first))
    plan, summary = _run_waves(first, plan_again, store, options, file)
    if summary.code and not summary.ran and not summary.stopped:
        return summary.code  # nothing could be started, and it has been said why
    if as_json:
        click.echo(json.dumps(_summary_json(first, summary, store)))
    else:
        click.echo("\n".join(_summary(first, plan, summary, store, options.limit, typed(loaded.file))))
    if summary.code:
        return summary.code
    nothing_to_rank = not (_has_results(first, summary) or plan.counts()[TaskState.LEFT_OUT])
    return 1 if failed(first, summary) or summary.lost or nothing_to_rank else 0


def _run_waves(
    first: Plan, plan_again: PlanAgain, store: Store, options: RunOptions, file: str
) -> tuple[Plan, RunSummary]:
    """Run what is to run, and again what then is; the last plan, and how it went."""
    plan, summary, limit = first, RunSummary(), options.limit
    tried: set[str] = set()
    if plan.to_run():
        click.echo(f"store: {store.root}", err=True)
    while plan.to_run():
        click.echo(f"{plan.study}: {plan.summary().removeprefix('Plan: ')}", err=True)
        started = _run(plan, store, options, "Nothing more" if tried else "Nothing")
        summary = summary.and_then(started)
        if started.left or not _may_lead_on(plan):
            break
        tried |= {task.address.key for task in plan.to_run()}
        limit = limit and limit.without(task.price for task in plan.to_run())
        try:
            plan = plan_again(limit)
        except click.UsageError as error:  # what can be run now has no price that the limit could hold
            click.echo(f"Nothing more was run: {error.message}", err=True)
            return plan, summary.and_then(RunSummary(code=error.exit_code))
        store.remember_study(plan.study, file, study_tasks(plan))
        plan, lost = _not_twice(plan, tried)
        for task in lost:
            name = name_of_task(task.task.labels, task.task.seed)
            click.echo(f"{name}: its weights could not be kept, so nothing can start from them", err=True)
        summary = attrs.evolve(summary, lost=summary.lost + len(lost))
        if started.stopped and plan.to_run():
            return plan, summary.and_then(RunSummary(left=len(plan.to_run()), code=started.if_left))
    return plan, summary


def _may_lead_on(plan: Plan) -> bool:
    """Whether more may be to run once what is to run now has run."""
    needed = any(task.is_upstream or task.role is not TaskRole.RESULT for task in plan.to_run())
    return needed or bool(plan.counts()[TaskState.WAITING])


def _not_twice(plan: Plan, tried: Set[str]) -> tuple[Plan, list[PlannedTask]]:
    """``plan`` without what has been run just now, and that: its files were to be kept, and were not."""
    lost = [task for task in plan.to_run() if task.address.key in tried]
    kept = [attrs.evolve(task, state=TaskState.CACHED) if task in lost else task for task in plan.tasks]
    return attrs.evolve(plan, tasks=tuple(kept)), lost


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
    own = (task for task in plan.tasks if task.role is TaskRole.RESULT)
    return summary.results > 0 or any(task.status == TaskState.CACHED.value for task in own)


def study_tasks(plan: Plan) -> list[StudyTask]:
    """The study's own tasks as the store remembers them for ``rank STUDY``."""
    return [
        StudyTask(task.address.key, task.address.cell, task.task.labels.technique, task.task.labels.scale)
        for task in plan.tasks
        if task.role is TaskRole.RESULT
    ]


def _run(plan: Plan, store: Store, options: RunOptions, nothing: str) -> RunSummary:
    """Run ``plan``; that no task could be started is said with the word ``nothing``."""
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
        click.echo(f"{nothing} was run: {totals.cannot_start}", err=True)
        return RunSummary(left=totals.left, code=1)
    if_left = 128 + totals.signal if totals.signal else 0
    code = if_left if totals.left else 0
    results = totals.elsewhere + sum(
        planned.role is TaskRole.RESULT and result.ending.outcome is Outcome.OK
        for planned, result in totals.endings
    )
    return RunSummary(ran, totals.left, code, stopped=totals.stopped, if_left=if_left, results=results)


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


def _summary(
    first: Plan, plan: Plan, summary: RunSummary, store: Store, limit: Limit | None, study: str
) -> Iterator[str]:
    """The lines that say how it went and what to type next; ``study`` is what stands for it there.

    ``first`` was before anything ran, ``plan`` is the last that was made.
    """
    counts = plan.counts()
    done = [f"{n} {what}" for what, n in summary.ran.items()]
    done += [f"{summary.left} left to run"] if summary.left else []
    nothing = "nothing fits the limit" if counts[TaskState.LEFT_OUT] else "nothing to run"
    kept = [f"{n} {what}" for what, n in _kept(first).items()]
    yield f"{plan.study}: {', '.join([*(done or [nothing]), *kept])}. Store: {store.root}"
    for state in (TaskState.WAITING, TaskState.INFEASIBLE, TaskState.UNAVAILABLE, TaskState.UNSUPPORTED):
        if counts[state]:
            yield f"{counts[state]} {state.value}; `effdsl plan {study}` says why."
    if counts[TaskState.LEFT_OUT] and limit is not None:
        yield f"{counts[TaskState.LEFT_OUT]} left out by the limit of {limit}; {advice(plan, limit)}."
    if summary.left:
        yield f"{summary.left} left to run; `effdsl execute {study}` goes on."
    if n := failed(first, summary):
        yield f"{n} failed; `effdsl execute {study} --retry failed` runs {'them' if n > 1 else 'it'} again."
    if changed := sum(task.state is TaskState.CACHED and task.code_changed for task in first.tasks):
        yield f"{changed} of the cached were measured with other code; `effdsl plan {study}` says which file."
    rank = f"effdsl rank {shlex.quote(plan.study)}"
    if _has_results(first, summary):
        yield f"Next: {rank}"
    elif not any(task.role is TaskRole.RESULT for task in plan.tasks):
        yield "The study has no result of its own yet."
    elif first.counts()[TaskState.CACHED] or summary.ran:
        yield f"None ended well; `{rank}` says how each ended."


def _kept(plan: Plan) -> dict[str, int]:
    """Results that were there before, by how they stand."""
    kept = [task.status for task in plan.tasks if task.state is TaskState.CACHED]
    return {
        name if name == TaskState.CACHED.value else f"{name} earlier": kept.count(name)
        for name in plan.status_counts()
        if name in kept
    }
