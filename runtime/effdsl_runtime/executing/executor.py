"""Run the tasks of a plan one after the other, and lose nothing.

A task is claimed before it starts, so that two executors never run it twice; its record is written by
the worker and indexed by the executor as soon as it is there. The claim is a lock that the kernel
frees when this process dies, however it dies.
"""

from __future__ import annotations

import enum
import signal
import time
import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any, Protocol

import attrs
from effdsl_registry.store import Store, StoreBusy

from effdsl.key import canonical_json
from effdsl.outcome import Outcome
from effdsl.own import changed_since
from effdsl.plan import TO_RUN, Plan, PlannedTask, TaskRole, TaskState
from effdsl_runtime.dispatch import engine_module
from effdsl_runtime.endings import BAD_INPUT, Ending, ending_of_death
from effdsl_runtime.executing.process import POLL_S, Child, preload
from effdsl_runtime.executing.supervision import Supervision, take_in
from effdsl_runtime.handover import RecordedTask, read_result
from effdsl_runtime.inputs import unfit_inputs
from effdsl_runtime.machine import describe
from effdsl_runtime.observation import Progress
from effdsl_runtime.recording.run_record import Assignment
from effdsl_runtime.worker import prepare_input

LARGE_BYTES = 2_000_000_000
EXCERPT_LINES = 20  # of the log of a task that failed


class Display(Protocol):
    """Where progress is shown."""

    def preparing(self, progress: Progress) -> None:
        """The data are being made ready."""

    def started(self, task: PlannedTask) -> None:
        """A task has started."""

    def progress(self, task: PlannedTask, progress: Progress) -> None:
        """A task has moved on; called several times a second at most."""

    def finished(self, task: PlannedTask, result: RecordedTask, seconds: float) -> None:
        """A task has ended."""

    def elsewhere(self, task: PlannedTask) -> None:
        """Another process has finished a task of this plan."""

    def waiting(self, tasks: int) -> None:
        """Only tasks that another process is running are left."""

    def message(self, text: str) -> None:
        """Something the user should read."""


class Stop(enum.IntEnum):
    """How soon to stop."""

    NOT = 0
    AFTER_THIS_TASK = 1
    NOW = 2


@attrs.define
class RunTotals:
    """What an executor did.

    Attributes:
        endings: of the tasks it ran.
        elsewhere: tasks that another process finished meanwhile.
        infeasible: tasks whose text, now that it is prepared, is too short for their context.
        left: tasks that are still to run.
        stopped: whether it was asked to stop: by a signal, or because a task failed.
        signal: that asked it to; 0 for none.
        cannot_start: why no task was started: the data are not to be had.
    """

    endings: list[tuple[PlannedTask, RecordedTask]] = attrs.field(factory=list)
    elsewhere: int = 0
    infeasible: int = 0
    left: int = 0
    stopped: bool = False
    signal: int = 0
    cannot_start: str = ""

    def count(self, outcome: Outcome) -> int:
        return sum(result.ending.outcome is outcome for _, result in self.endings)


@attrs.define
class Executor:
    """Runs the tasks of a plan one after the other.

    Attributes:
        store: where records go.
        display: where progress is shown.
        timeout_s: after which a task is stopped and recorded as ``timeout``.
        fail_fast: stop after the first task that failed.
        keep_checkpoints: whether trained weights are kept; ``None`` for those that are not large.
    """

    store: Store
    display: Display
    timeout_s: float | None = None
    fail_fast: bool = False
    keep_checkpoints: bool | None = None
    _facts: dict[str, Any] = attrs.field(factory=describe)
    _stop: Stop = Stop.NOT
    _signal: int = 0

    def run(self, plan: Plan) -> RunTotals:
        """Run what is to run; returns when it is done, interrupted, or another process has done it."""
        totals = RunTotals()
        queue = deque(plan.to_run())
        attempts = {task.address.key: self.store.attempts(task.address.key) for task in queue if task.known}
        refused = 0
        preload({engine_module(task.task) for task in queue if not task.task.engine.environment})
        with self._interruptible():
            totals.cannot_start = self._prepare(plan) or self._refuse(queue, totals)
            while queue and not totals.cannot_start and self._stop is Stop.NOT:
                planned = queue.popleft()
                with self.store.claim(planned.address.key) as won:
                    if not won:
                        queue.append(planned)
                        refused += 1
                    elif self._is_done(planned, attempts):
                        totals.elsewhere += 1
                        self.display.elsewhere(planned)
                    else:
                        refused = 0
                        self._run_task(planned, totals)
                if refused > len(queue):
                    self.display.waiting(len(queue))
                    time.sleep(POLL_S)
        totals.left = len(plan.to_run()) - len(totals.endings) - totals.elsewhere - totals.infeasible
        totals.stopped, totals.signal = self._stop is not Stop.NOT, self._signal
        return totals

    def _is_done(self, planned: PlannedTask, attempts: Mapping[str, Set[str]]) -> bool:
        """Whether somebody has finished a task since this executor looked at ``attempts``."""
        key = planned.address.key
        return bool(self.store.attempts(key) - attempts.get(key, set())) or self._left_behind(key)

    def _run_task(self, planned: PlannedTask, totals: RunTotals) -> None:
        changed = changed_since(planned.task.workload)
        if changed:  # what it was planned as is no longer there to run
            self.display.message(changed)
            return
        assignment = self._assignment(planned)
        self.display.started(planned)
        start = time.perf_counter()
        result = self._supervision().run(assignment, partial(self.display.progress, planned))
        if result is None:  # stopped at once by the user: nothing is recorded, it will run again
            return
        try:
            self.store.ingest([result.record])
        except StoreBusy as busy:  # the record is on disk, and whoever opens the store next indexes it
            self.display.message(f"{busy}; the result is kept and will be indexed later")
        totals.endings.append((planned, result))
        self.display.finished(planned, result, time.perf_counter() - start)
        if result.ending.outcome is Outcome.FAILED:
            lines = 0 if BAD_INPUT in result.ending.flags else EXCERPT_LINES
            self.display.message(_excerpt(assignment, lines))
            if self.fail_fast:
                self._stop = Stop.AFTER_THIS_TASK

    def _supervision(self) -> Supervision:
        return Supervision(self.store, lambda: self._stop is Stop.NOW, self.timeout_s)

    def _assignment(self, planned: PlannedTask) -> Assignment:
        attempt = uuid.uuid4().hex
        log = self.store.log_file(planned.address.key, attempt)
        canonical = canonical_json(planned.task)
        store = self.store.root
        keeps = keeps_files(planned, self.keep_checkpoints)
        return Assignment(planned.task, planned.address, canonical, attempt, store, log, self._facts, keeps)

    def _left_behind(self, key: str) -> bool:
        """Take in the result of a task whose executor ended before it could; says whether there was one."""
        result = read_result(self.store.handover(key))
        if result is not None:
            self.store.ingest([take_in(self.store, key, result).record])
        return result is not None

    def _prepare(self, plan: Plan) -> str:
        """Make the inputs of the plan once, each in a process of its own; says why when that fails.

        Preparing in the first task would count into its memory. What is waiting has its inputs made too: a
        mistake in them is better known before anything has run.
        """
        soon = (*TO_RUN, TaskState.WAITING)
        workloads = dict.fromkeys(task.of for task in plan.every_task if task.state in soon)
        inputs = (one for planned in workloads if planned.cell for one in planned.cell.workload.inputs())
        for wanted in dict.fromkeys(inputs):
            worker = Child(prepare_input, wanted)
            for said in worker.messages():
                if isinstance(said, Progress):
                    self.display.preparing(said)
                if isinstance(said, Ending):
                    return said.reason
                if self._stop is not Stop.NOT:
                    worker.kill()
                    return ""
            if worker.exit_code and not self._supervision().is_ended_too():
                return f"the process that prepares the data {ending_of_death(worker.exit_code, False).reason}"
        return ""

    def _refuse(self, queue: deque[PlannedTask], totals: RunTotals) -> str:
        """Take tasks out of ``queue`` whose input is of no use; says why when that leaves none."""
        why_not = unfit_inputs()
        refused = {task.address.key: why for task in queue if (why := why_not(task.task.cell))}
        if refused and len(refused) == len(queue):
            return next(iter(refused.values()))
        for why in dict.fromkeys(refused.values()):
            self.display.message(why)
        totals.infeasible = len(refused)
        kept = [task for task in queue if task.address.key not in refused]
        queue.clear()
        queue.extend(kept)
        return ""

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Ctrl-C once: finish this task; twice, or a termination signal: stop now."""

        def interrupt(number: int, frame: FrameType | None) -> None:
            self._signal = number
            once = number == signal.SIGINT and self._stop is Stop.NOT
            self._stop = Stop.AFTER_THIS_TASK if once else Stop.NOW
            if once:
                self.display.message("Finishing the current task; press Ctrl-C again to stop now.")

        before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def keeps_files(planned: PlannedTask, asked: bool | None) -> bool:
    """Whether what a task leaves is kept: always where others start from it, never of trials, else as the
    study says, or where its weights are not large."""
    if planned.is_upstream or planned.role is not TaskRole.RESULT:
        return planned.is_upstream
    if asked is not None:
        return asked
    return planned.task.workload.left_bytes() <= LARGE_BYTES


def _excerpt(assignment: Assignment, lines: int) -> str:
    """The last ``lines`` of a failed task's log, and where the rest is."""
    try:
        whole = assignment.log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        whole = []
    tail = whole[len(whole) - lines :] if lines < len(whole) else whole
    return "\n".join([*tail, f"log: {assignment.log}"])
