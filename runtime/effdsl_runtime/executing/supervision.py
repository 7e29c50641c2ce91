"""Run one task to its end, whatever that is, in the processes that its engine wants."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from shutil import rmtree

import attrs
from effdsl_registry.store import Store

from effdsl_runtime.endings import Ending, ending_of_death, oom_kills
from effdsl_runtime.environments.places import python_of
from effdsl_runtime.executing.following import Patience, follow
from effdsl_runtime.executing.process import Child
from effdsl_runtime.executing.spawned import Spawned, alone, on_this_machine
from effdsl_runtime.handover import RecordedTask, Result, keep, read_ending, write_assignment
from effdsl_runtime.observation import Progress
from effdsl_runtime.recording.fingerprint import installed_code
from effdsl_runtime.recording.run_record import Assignment, Run, record_of
from effdsl_runtime.worker import prepare_task, work

LATER_S = 0.5  # between the first and the last process of a job that is ended


@attrs.frozen
class Supervision:
    """Runs tasks for somebody who may lose interest.

    Attributes:
        store: where records go; its index is not touched.
        is_unwanted: whether the task is to be ended now.
        timeout_s: after which a task is stopped and recorded as ``timeout``.
    """

    store: Store
    is_unwanted: Callable[[], bool]
    timeout_s: float | None = None

    def run(self, assignment: Assignment, progressed: Callable[[Progress], None]) -> RecordedTask | None:
        """Run a task to its end and write its record; ``None`` when it is not wanted any more."""
        kills, started = oom_kills(), time.monotonic()
        patience = Patience(started, self.timeout_s, assignment.task.engine.silence_s)
        ending: Ending | None = None
        exit_code: int | None = None
        for worker in self._processes(assignment):
            followed = follow(worker, progressed, self.is_unwanted, patience)
            if followed.stopped:
                return None
            if isinstance(followed.said, RecordedTask):
                return followed.said
            if isinstance(followed.said, Result):
                return take_in(self.store, assignment.address.key, followed.said)
            ending, exit_code = followed.ending, worker.exit_code
            if ending or exit_code:
                break
        if ending is None and self.is_ended_too():
            return None
        ending = ending or read_ending(self.store.handover(assignment.address.key))
        ending = ending or ending_of_death(exit_code, oom_kills() > kills)
        run = Run.of_the_dead(ending, time.monotonic() - started)
        return keep(self.store, Result(record_of(assignment, run), None, None, None, installed_code()))

    def is_ended_too(self) -> bool:
        """Whether what ended a process, which says nothing of its task, ends this one as well.

        A scheduler signals all processes of a job, in any order: ours may come a moment later.
        """
        end = time.monotonic() + LATER_S
        while not self.is_unwanted() and time.monotonic() < end:
            time.sleep(LATER_S / 10)
        return self.is_unwanted()

    def _processes(self, assignment: Assignment) -> Iterator[Child | Spawned]:
        """What runs a task, each started once the one before it has ended: a worker of the fork server; or
        one in the interpreter that its engine needs, or one for each device, after what these cannot get."""
        task = assignment.task
        environment, ranks = task.engine.environment, task.engine.processes(task.hardware)
        if not environment and ranks == 1:
            yield Child(work, assignment)
            return
        folder = self.store.handover(assignment.address.key)
        rmtree(folder, ignore_errors=True)
        file = write_assignment(folder, assignment)
        yield Child(prepare_task, assignment, folder)
        python = python_of(environment)
        command = alone(python, file) if ranks == 1 else on_this_machine(python, file, ranks)
        yield Spawned(command, file, assignment.log)


def take_in(store: Store, key: str, result: Result) -> RecordedTask:
    """Keep what came back as files, which then have done their work."""
    finished = keep(store, result)
    rmtree(store.handover(key), ignore_errors=True)
    return finished
