"""The commands that plan and run: ``plan``, ``execute``, ``status``, ``show`` and ``doctor``."""

from __future__ import annotations

import json
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from effdsl_registry.options import AS_JSON, STORE

from effdsl.outcome import Outcome
from effdsl_runtime.kernel_option import KERNEL, KERNELS, kernel_asked, refusal

if TYPE_CHECKING:
    from effdsl_registry.store import Store

    from effdsl.limit import Limit
    from effdsl.loading import LoadedStudy
    from effdsl.plan import Plan

CELLS_SHOWN = 40
THREADS = "EFFDSL_THREADS"  # as the engine reads it


def prepare(reference: str, store_path: Path | None, priced: bool = False) -> tuple[LoadedStudy, Plan, Store]:
    """Load a study, find the store and make the plan for this machine.

    With ``priced``, estimates follow what has run; that takes a second question to the store.
    """
    from effdsl_registry.store import Store

    from effdsl.loading import load_study
    from effdsl_runtime.machine import detect, gpu_in_use

    with redirect_stdout(sys.stderr):  # what the study prints is no part of our answer
        loaded = load_study(reference)
        store = Store.find(store_path)
        if detect().kind == "cpu" and (gpu := gpu_in_use()).lost:
            click.echo(f"the GPU cannot be used, so this is about the CPU: {gpu.missing['gpu']}", err=True)
    return loaded, plan_of(loaded, store, priced), store


def plan_of(loaded: LoadedStudy, store: Store, priced: bool = False) -> Plan:
    """The plan for this machine, by what ``store`` knows now."""
    import effdsl_runtime.stages  # noqa: F401  what they need, by dispatch
    from effdsl.planner import make_plan
    from effdsl_runtime.dispatch import unavailable_here
    from effdsl_runtime.inputs import remarks_on_inputs, unfit_inputs
    from effdsl_runtime.machine import detect
    from effdsl_runtime.planning.history import calibration_in, history_in
    from effdsl_runtime.planning.stored_tasks import stored_in

    with redirect_stdout(sys.stderr):
        machine = detect()
        return make_plan(
            loaded.study,
            machine,
            history_in(store),
            unavailable_here(machine),
            loaded.place,
            calibration_in(store, machine) if priced else None,
            unfit_inputs(),
            remarks_on_inputs(),
            stored_in(store),
        )


class LimitType(click.ParamType["Limit"]):
    """``2h30m``, ``50kWh`` or ``$100``."""

    name = "limit"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Limit:
        from effdsl.declare import Invalid
        from effdsl.limit import limit_from

        try:
            return limit_from(str(value))
        except Invalid as error:
            self.fail(f"{error}; {error.hint}", param, ctx)


def _refuse_odd_threads() -> None:
    """Before anything runs: how many threads there are decides what AL measures."""
    asked = os.environ.get(THREADS, "")
    if asked and not (asked.isdecimal() and int(asked)):
        raise click.UsageError(
            f"{THREADS}={asked!r} is no number of threads; set e.g. {THREADS}=4, or unset it"
        )


limit_option = click.option(
    "--limit", type=LimitType(), default=None,
    help="As many tasks as this pays for, waiting ones too, e.g. 2h, 50kWh or '$100'; whole repeats first.",
)  # fmt: skip


@click.command()
@click.argument("study", required=False)
@click.option("--all", "show_all", is_flag=True, help=f"Every cell; otherwise the first {CELLS_SHOWN}.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 4 when there is something to run.")
@click.option(
    "--calibration",
    is_flag=True,
    help="Instead: predictions beside what finished tasks took, of all studies.",
)
@click.option(
    "--layout",
    is_flag=True,
    help="Instead: how several devices could divide each cell, which way is taken, and why no other.",
)
@limit_option
@AS_JSON
@STORE
def plan(
    study: str | None,
    show_all: bool,
    detailed_exitcode: bool,
    calibration: bool,
    layout: bool,
    limit: Limit | None,
    as_json: bool,
    store_path: Path | None,
) -> None:
    """Show what STUDY would run, and what that costs. Nothing is run.

    STUDY is a file, or its name under studies/. Numbers are of one task, and predictions: FLOPs count
    causal attention by what a query can see, memory is the largest of a training step per device, time
    follows what has run on the same hardware, else an assumed part of its peak.
    """
    from effdsl.display import plan_json
    from effdsl_runtime.planning.render import print_plan

    if calibration:
        _show_calibration(study, store_path, as_json)
        return
    if study is None:
        raise click.UsageError("Missing argument 'STUDY'; `effdsl ls` lists the studies here.")
    _, made, _ = prepare(study, store_path, priced=True)
    if layout:
        _show_layouts(made, show_all, as_json)
        return
    if not made.to_price() and limit is not None:
        click.echo("--limit: nothing is left to run, so it leaves nothing out", err=True)
    made = _within(made, limit)
    if as_json:
        click.echo(json.dumps(plan_json(made), indent=2))
    else:
        print_plan(made, None if show_all else CELLS_SHOWN)
    if detailed_exitcode and made.to_run():
        sys.exit(4)


def _show_layouts(made: Plan, show_all: bool, as_json: bool) -> None:
    from effdsl.layout_rows import layouts_json
    from effdsl_runtime.planning.render import print_layouts

    if as_json:
        click.echo(json.dumps(layouts_json(made), indent=2))
    else:
        print_layouts(made, show_all)


def _within(made: Plan, limit: Limit | None) -> Plan:
    from effdsl.declare import Invalid
    from effdsl.limit import within

    if limit is None or not made.to_price():
        return made
    try:
        return within(made, limit)
    except Invalid as error:
        raise click.UsageError(f"{error}; {error.hint}") from error


def _show_calibration(study: str | None, store_path: Path | None, as_json: bool) -> None:
    """Of every task that can be read; those of an engine that a study brings need the study."""
    from effdsl_registry.store import Store

    from effdsl.loading import load_study
    from effdsl_runtime.machine import detect
    from effdsl_runtime.planning.history import calibration_in
    from effdsl_runtime.planning.render import calibration_json, print_calibration

    if study is not None:
        with redirect_stdout(sys.stderr):
            load_study(study)
    accuracy = calibration_in(Store.find(store_path), detect()).accuracy()
    if as_json:
        click.echo(json.dumps(calibration_json(accuracy), indent=2))
    else:
        print_calibration(accuracy)


class Duration(click.ParamType[float]):
    """``90s``, ``20m`` or ``2h30m``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from effdsl.costs.words import seconds_in

        seconds = seconds_in(str(value))
        if not seconds:
            self.fail(f"{value!r} is not a duration; write e.g. 90s, 20m or 2h30m", param, ctx)
        return seconds


class Outcomes(click.ParamType[frozenset[Outcome]]):
    """A comma-separated list of outcomes to run again."""

    name = "outcomes"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> frozenset[Outcome]:
        allowed = {outcome.value: outcome for outcome in Outcome}
        given = str(value).split(",")
        if unknown := set(given) - set(allowed):
            self.fail(f"{', '.join(sorted(unknown))}: allowed are {', '.join(allowed)}", param, ctx)
        return frozenset(allowed[name] for name in given)


@click.command()
@click.argument("study")
@click.option(
    "--retry",
    type=Outcomes(),
    default=None,
    help="Run these outcomes again, e.g. failed,oom; ok makes weights that were removed.",
)
@click.option("--timeout", type=Duration(), default=None, help="Stop a task after this long, e.g. 20m.")
@limit_option
@click.option("--fail-fast", is_flag=True, help="Stop after the first task that fails.")
@click.option("--progress", type=click.Choice(["auto", "rich", "plain"]), default="auto", show_default=True)
@click.option(
    "--kernel",
    type=click.Choice(KERNELS),
    envvar=KERNEL,
    show_envvar=True,
    help="Attend with this kernel; a result says which one ran. Default: auto.",
)
@AS_JSON
@STORE
def execute(
    study: str,
    retry: frozenset[Outcome] | None,
    timeout: float | None,
    limit: Limit | None,
    fail_fast: bool,
    progress: str,
    kernel: str | None,
    as_json: bool,
    store_path: Path | None,
) -> None:
    """Run what is missing of STUDY; what the store knows is not run again.

    Every task is a process of its own and is stored as soon as it ends. Ctrl-C once finishes the
    current task, twice stops at once; the same command goes on where it stopped. The kernel is stored
    beside a result and is no part of its key: what is known is not run again with another.
    """
    from effdsl_runtime.executing.running import RunOptions, run_study

    if kernel:
        os.environ[KERNEL] = kernel  # which every task's process inherits
    _refuse_odd_threads()
    loaded, made, store = prepare(study, store_path, priced=limit is not None)
    made = made.retrying(retry) if retry else made
    made = _within(made, limit)
    if why := refusal(kernel_asked(), made):
        raise click.UsageError(why)
    options = RunOptions(progress, timeout, fail_fast, limit, loaded.study.keep_checkpoints)

    def plan_again(left: Limit | None) -> Plan:
        return _within(plan_of(loaded, store, priced=left is not None), left)

    sys.exit(run_study(loaded, made, plan_again, store, options, as_json))


@click.command()
@click.argument("study")
@AS_JSON
@STORE
def status(study: str, as_json: bool, store_path: Path | None) -> None:
    """Show what is done, running and left of STUDY."""
    from effdsl_runtime.planning.render import print_status, status_json

    _, made, store = prepare(study, store_path)
    running = {claim.key: claim for claim in store.running()}
    if as_json:
        click.echo(json.dumps(status_json(made, running), indent=2))
    else:
        print_status(made, running)


@click.command()
@click.argument("key")
@AS_JSON
@STORE
def show(key: str, as_json: bool, store_path: Path | None) -> None:
    """Show the result whose key starts with KEY: what was asked, what was measured, and how."""
    from effdsl_registry.records import to_json
    from effdsl_registry.store import Store

    from effdsl_runtime.planning.render import print_record

    record = Store.find(store_path).record(key)
    if as_json:
        click.echo(to_json(record))
    else:
        print_record(record)


@click.command()
@AS_JSON
@STORE
def doctor(as_json: bool, store_path: Path | None) -> None:
    """Check this machine: device, meters, packages, store."""
    from effdsl_runtime.planning.checkup import checkup, print_checkup

    facts = checkup(store_path)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        print_checkup(facts)
