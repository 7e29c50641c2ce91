"""What ``effdsl execute`` does, from the plan to the exit code."""

from __future__ import annotations

import json

import click
from effdsl_registry.store import Store, StudyTask

from effdsl.loading import LoadedStudy
from effdsl.plan import Plan, State
from effdsl_runtime.outcomes import Outcome


def run_study(
    loaded: LoadedStudy,
    plan: Plan,
    store: Store,
    progress: str,
    timeout_s: float | None,
    fail_fast: bool,
    as_json: bool,
) -> int:
    """Run what ``plan`` leaves to run, say how it went, and return the exit code."""
    store.remember_study(plan.study, str(loaded.file), study_tasks(plan))
    counts = plan.counts()
    if plan.to_run():
        click.echo(f"{plan.study}: {plan.summary().removeprefix('Plan: ')}", err=True)
        click.echo(f"store: {store.root}", err=True)
        code, ran = _run(plan, store, progress, timeout_s, fail_fast)
    else:
        code, ran = 0, {}
    if ran is None:
        return code
    failed = sum(task.known is not None and task.known.outcome == "failed" for task in plan.tasks)
    if as_json:
        click.echo(json.dumps(_summary_json(plan, ran, store)))
    else:
        _say_summary(plan, ran, failed, store)
    if code:
        return code
    still_failed = failed if not ran else 0
    nothing_possible = counts[State.CACHED] == 0 and not plan.to_run()
    return 1 if still_failed or nothing_possible else 0


def study_tasks(plan: Plan) -> list[StudyTask]:
    """The tasks of a plan as the store remembers them for ``rank STUDY``."""
    return [
        StudyTask(task.address.key, task.address.cell, task.task.labels.technique, task.task.labels.scale)
        for task in plan.tasks
    ]


def _run(
    plan: Plan, store: Store, progress: str, timeout_s: float | None, fail_fast: bool
) -> tuple[int, dict[str, int] | None]:
    """The exit code, and how many tasks ended how; ``None`` when none could be started."""
    from effdsl_runtime.executor import Executor
    from effdsl_runtime.progress import display_for

    with display_for(plan, progress) as display:
        display.message("starting: the first task waits a few seconds for torch to load")
        tally = Executor(store, display, timeout_s, fail_fast).run(plan)
    ran = {outcome.value: tally.count(outcome) for outcome in Outcome if tally.count(outcome)}
    if tally.elsewhere:
        ran["by another process"] = tally.elsewhere
    if tally.cannot_start:
        click.echo(f"Nothing was run: {tally.cannot_start}", err=True)
        return 1, None
    if tally.interrupted:
        return 128 + tally.signal, ran
    return (1 if tally.count(Outcome.FAILED) else 0), ran


def _summary_json(plan: Plan, ran: dict[str, int], store: Store) -> dict[str, object]:
    return {
        "schema": "effdsl/execute",
        "version": 1,
        "study": plan.study,
        "planned": {state.value: n for state, n in plan.counts().items()},
        "ran": ran,
        "store": str(store.root),
    }


def _say_summary(plan: Plan, ran: dict[str, int], failed: int, store: Store) -> None:
    counts = plan.counts()
    done = ", ".join(f"{n} {what}" for what, n in ran.items()) or "nothing to run"
    kept = f", {counts[State.CACHED]} cached" if counts[State.CACHED] else ""
    click.echo(f"{plan.study}: {done}{kept}. Store: {store.root}")
    for state in (State.INFEASIBLE, State.UNAVAILABLE, State.UNSUPPORTED):
        if counts[state]:
            click.echo(f"{counts[state]} {state.value}; `effdsl plan {plan.study}` says why.")
    if counts[State.LEFT_OUT]:
        click.echo(f"{counts[State.LEFT_OUT]} left out by the budget; run again for more.")
    if failed and not ran:
        click.echo(f"{failed} failed earlier; `effdsl execute {plan.study} --retry failed` runs them again.")
    if counts[State.CACHED] or ran.get("ok"):
        click.echo(f"Next: effdsl rank {plan.study}")
