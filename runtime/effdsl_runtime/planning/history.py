"""What a plan asks of the store: which keys are known, and what finished tasks say of predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from effdsl_registry.store import Store

from effdsl.costs import FinishedTask, KnownSpeeds
from effdsl.declare import evolve
from effdsl.from_canonical import CannotDecode, decoded
from effdsl.hardware import Hardware, catalogued
from effdsl.outcome import Outcome
from effdsl.plan import History, PastResult
from effdsl.task import Address, Cell
from effdsl_runtime.recording.fingerprint import changed_files


def history_in(store: Store) -> Callable[[Sequence[Address]], History]:
    """Look addresses up in ``store``, in one go."""

    def look_up(addresses: Sequence[Address]) -> History:
        answer = store.known([a.key for a in addresses], [a.lineage for a in addresses])
        changed = {code: changed_files(files) for code, files in answer.code.items()}
        known = {
            key: PastResult(Outcome(r.outcome), r.canonical, r.reason, changed.get(r.code, ()), r.duration_s)
            for key, r in answer.results.items()
        }
        return History(known, answer.engine_versions, store.values, store.has_files)

    return look_up


def calibration_in(store: Store, machine: Hardware) -> KnownSpeeds:
    """What the finished tasks of ``store`` say of predictions.

    A record knows the name of its hardware; its numbers are those of ``machine`` or of the catalog. What
    cannot be read any more is left out.
    """
    tasks = []
    for result in store.finished():
        with suppress(CannotDecode):
            cell: Cell = decoded(result.canonical).cell
            cell = evolve(cell, hardware=catalogued(cell.hardware, machine))
            memory = None if result.memory_gb is None else result.memory_gb * 1e9
            tasks.append(FinishedTask(cell, result.duration_s, result.training_s, memory))
    return KnownSpeeds.from_tasks(tasks)
