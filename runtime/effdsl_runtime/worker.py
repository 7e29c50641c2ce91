"""The process of one task: run the engine under the probes, write the record, say so.

It is started by the fork server, in a session of its own, and ends with the fork server, which ends
with the executor: no task outlives the command that started it.
"""

from __future__ import annotations

import ctypes
import io
import os
import signal
import sys
import time
import traceback
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

import attrs
from effdsl_registry.store import Store

import effdsl_runtime.stages  # noqa: F401  what a stage needs before and after a task, by dispatch
from effdsl.outcome import Outcome
from effdsl.workload import Input
from effdsl_runtime.data.reading import DataError
from effdsl_runtime.dispatch import engine_for
from effdsl_runtime.endings import Ending, ending_of
from effdsl_runtime.inputs import make_ready
from effdsl_runtime.machine import load_average
from effdsl_runtime.observation import Observation, Progress
from effdsl_runtime.probes import Sampler
from effdsl_runtime.recording.fingerprint import loaded_code
from effdsl_runtime.recording.run_record import Assignment, Run, iterations_table, record_of, samples_table

PR_SET_PDEATHSIG = 1
REPORT_EVERY_S = 0.2


@attrs.frozen
class Finished:
    """What a worker says last."""

    ending: Ending
    record: Path
    metrics: dict[str, float]


def work(assignment: Assignment, reports: Connection) -> None:
    """Run one task and write its record; called in the worker's process."""
    _detach()
    _log_to(assignment.log)
    run = _run(assignment, _Throttled(reports))
    store = Store(assignment.store)
    code = store.code_sets.keep(loaded_code())
    try:
        record = record_of(assignment, run, code)
    except Exception as error:  # of what an engine gave; a task leaves a record whatever that was
        traceback.print_exc()
        run = attrs.evolve(run, ending=ending_of(error), observation=None)
        record = record_of(assignment, run, code)
    path = store.write(record, iterations_table(run), samples_table(run))
    reports.send(Finished(run.ending, path, record.metrics))
    reports.close()


def prepare_input(wanted: Input, reports: Connection) -> None:
    """Get an input of tasks; called in a process of its own, before the first of them."""
    _detach()
    report = _Throttled(reports)
    try:
        make_ready(wanted, lambda text: report(Progress(text)))
    except DataError as error:
        reports.send(Ending(Outcome.FAILED, str(error)))
    reports.close()


def _run(assignment: Assignment, report: _Throttled) -> Run:
    started_at, start, load = datetime.now(UTC), time.perf_counter(), load_average()
    sampler = Sampler(assignment.task.hardware.kind)
    observation: Observation | None = None
    ending = Ending(Outcome.OK)
    try:
        with sampler:
            observation = engine_for(assignment.task)(assignment.task, report, sampler)
    except Exception as error:  # whatever happened in the engine becomes a row with its reason
        traceback.print_exc()
        ending = ending_of(error)
    return Run(ending, started_at, time.perf_counter() - start, observation, sampler, load)


class _Throttled:
    """Sends progress a few times a second at most, so that reporting costs the task nothing."""

    def __init__(self, reports: Connection) -> None:
        self.reports = reports
        self.last = (0.0, "")

    def __call__(self, progress: Progress) -> None:
        now = time.perf_counter()
        if now - self.last[0] >= REPORT_EVERY_S or progress.phase != self.last[1]:
            self.last = (now, progress.phase)
            try:
                self.reports.send(progress)
            except OSError:  # the executor is gone; the kernel will end this process as well
                sys.exit(1)


def _detach() -> None:
    """A session of its own (Ctrl-C reaches the executor only), ended with the parent."""
    os.setsid()
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died between the two calls
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _log_to(log: Path) -> None:
    """Send everything the task prints, from Python or from C, to its log file, which is UTF-8."""
    log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
