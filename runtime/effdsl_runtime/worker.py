"""The process of one task: run the engine under the probes, write the record, say so.

It is started by the fork server, in a session of its own, and ends with the fork server, which ends
with the executor; or, for an engine that needs another interpreter or a process for each device, as ``python
-m effdsl_runtime.worker ASSIGNMENT.json``, which leaves its result beside that file. No task outlives the
command that started it.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from shutil import rmtree

import attrs
from effdsl_registry.checkpoints import hashes_in
from effdsl_registry.records import Record
from effdsl_registry.store import Store

import effdsl_runtime.stages  # noqa: F401  what a stage needs before and after a task, by dispatch
from effdsl.outcome import Outcome
from effdsl.workload import Input
from effdsl_runtime.data.text_files import DataError
from effdsl_runtime.dispatch import engine_for
from effdsl_runtime.endings import Ending, ending_of
from effdsl_runtime.engines.contract import Report
from effdsl_runtime.handover import (
    Result,
    first_ending,
    keep,
    read_assignment,
    write_progress,
    write_result,
)
from effdsl_runtime.inputs import hand_over, make_ready
from effdsl_runtime.machine import load_average, of_this_interpreter
from effdsl_runtime.observation import Observation, Progress
from effdsl_runtime.probes import Sampler
from effdsl_runtime.ranks import Ranks
from effdsl_runtime.recording.fingerprint import loaded_code
from effdsl_runtime.recording.run_record import (
    Assignment,
    Run,
    items_table,
    iterations_table,
    record_of,
    samples_table,
)
from effdsl_runtime.tied import end_with

REPORT_EVERY_S = 0.2


def work(assignment: Assignment, reports: Connection) -> None:
    """Run one task and write its record into the store; called in a process of the fork server."""
    _detach()
    _log_to(assignment.log)
    result = run(assignment, _Throttled(partial(_send, reports)))
    reports.send(keep(Store(assignment.store), result))
    reports.close()


def main(assignment_file: Path, parent: int | None = None) -> None:
    """Run the task of a file and leave its result beside it; called in an interpreter of its own.

    ``parent`` is the process that it is not to outlive, where there is one. Of several processes of a task
    each that fails ends with 1, for then torchrun ends the others.
    """
    ranks = Ranks.here()
    if parent is not None or ranks.size > 1:
        end_with(parent or os.getppid())
    folder = assignment_file.parent
    assignment = read_assignment(assignment_file)
    here = attrs.evolve(assignment, facts=assignment.facts | of_this_interpreter())
    if ranks.is_first:
        agree = partial(first_ending, folder) if ranks.size > 1 else _alone
        result = run(here, _Throttled(partial(write_progress, folder)), agree)
        write_result(folder, result)
        failed = result.record.outcome != Outcome.OK.value
    else:
        failed = _assist(here, folder)
    if failed and ranks.size > 1:
        sys.exit(1)


def _alone(ending: Ending) -> Ending:
    return ending


def _assist(assignment: Assignment, folder: Path) -> bool:
    """Take part in a task that another process keeps the result of; says whether it failed."""
    seen = _observe(assignment, lambda progress: None, partial(first_ending, folder))
    return seen.ending.outcome is not Outcome.OK


def run(assignment: Assignment, report: Report, agree: Callable[[Ending], Ending] = _alone) -> Result:
    """Run one task; whatever its engine does, there is a result. ``agree`` says how the task failed, where
    this process may have seen no more than a consequence."""
    seen = _observe(assignment, report, agree)
    try:
        record = record_of(assignment, seen)
    except Exception as error:  # of what an engine gave; a task leaves a record whatever that was
        traceback.print_exc()
        seen = attrs.evolve(seen, ending=ending_of(error), observation=None)
        record = record_of(assignment, seen)
    record = _with_files(assignment, seen, record)
    return Result(record, iterations_table(seen), samples_table(seen), items_table(seen), loaded_code())


def prepare_input(wanted: Input, reports: Connection) -> None:
    """Get an input of tasks; called in a process of its own, before the first of them."""
    _detach()
    report = _Throttled(partial(_send, reports))
    try:
        make_ready(wanted, lambda text: report(Progress(text)))
    except DataError as error:
        reports.send(Ending(Outcome.FAILED, str(error)))
    reports.close()


def prepare_task(assignment: Assignment, folder: Path, reports: Connection) -> None:
    """Get what a task cannot get in the interpreter that it will run in; called in a process of its own."""
    _detach()
    _log_to(assignment.log)
    report = _Throttled(partial(_send, reports))
    task, checkpoints = assignment.task, Store(assignment.store).checkpoints
    try:
        hand_over(task.workload, task, checkpoints, folder, lambda text: report(Progress(text)))
    except Exception as error:  # whatever keeps it from starting becomes a row with its reason
        traceback.print_exc()
        reports.send(ending_of(error))
    reports.close()


def _observe(assignment: Assignment, report: Report, agree: Callable[[Ending], Ending]) -> Run:
    started_at, start, load = datetime.now(UTC), time.perf_counter(), load_average()
    sampler = Sampler(assignment.task.hardware.kind)
    observation: Observation | None = None
    ending = Ending(Outcome.OK)
    try:
        with sampler if Ranks.here().local_rank == 0 else nullcontext():
            checkpoints = Store(assignment.store).checkpoints
            observation = engine_for(assignment.task)(assignment.task, report, sampler, checkpoints)
    except Exception as error:  # whatever happened in the engine becomes a row with its reason
        traceback.print_exc()
        ending = agree(ending_of(error))
    return Run(ending, started_at, time.perf_counter() - start, observation, sampler, load)


def _with_files(assignment: Assignment, seen: Run, record: Record) -> Record:
    """``record``, naming the files that the task has left where they are to be kept. A task whose files
    cannot be written has been measured all the same."""
    leave = seen.observation.leave if seen.observation else None
    if leave is None or not assignment.keeps_files:
        return record
    folder = Store(assignment.store).checkpoints.unfinished(record.key, record.attempt)
    folder.mkdir(parents=True)
    try:
        leave(folder)
        return attrs.evolve(record, files=hashes_in(folder))
    except Exception as error:  # whatever keeps them from being written
        traceback.print_exc()
        rmtree(folder, ignore_errors=True)
        why = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        flags = (*record.provenance.flags, f"kept no files: {why}")
        return attrs.evolve(record, provenance=attrs.evolve(record.provenance, flags=flags))


class _Throttled:
    """Passes progress on a few times a second at most, so that reporting costs the task nothing."""

    def __init__(self, pass_on: Report) -> None:
        self.pass_on = pass_on
        self.last = (0.0, "")

    def __call__(self, progress: Progress) -> None:
        now = time.perf_counter()
        if now - self.last[0] >= REPORT_EVERY_S or progress.phase != self.last[1]:
            self.last = (now, progress.phase)
            self.pass_on(progress)


def _send(reports: Connection, progress: Progress) -> None:
    try:
        reports.send(progress)
    except OSError:  # the executor is gone; the kernel will end this process as well
        sys.exit(1)


def _detach() -> None:
    """A session of its own, where Ctrl-C reaches the executor only."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(os.getppid())


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


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
