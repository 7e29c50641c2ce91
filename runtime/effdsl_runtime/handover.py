"""What a task and its result are as files, for a worker in another interpreter or on another machine.

A folder holds one task: ``assignment.json`` goes in, ``progress.json`` is replaced on the way, and
``result.json`` comes out last and whole. Of the processes of one task the first that fails says why in
``ending.json``; what the others see of it is no more than that one is gone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
from effdsl_registry.files import Table, write_whole
from effdsl_registry.records import Record, from_json, to_json
from effdsl_registry.store import Store

from effdsl.outcome import Outcome
from effdsl.written import read_back, written
from effdsl_runtime.endings import Ending
from effdsl_runtime.observation import Progress
from effdsl_runtime.recording.run_record import Assignment

ASSIGNMENT = "assignment.json"
PROGRESS = "progress.json"
RESULT = "result.json"
ENDING = "ending.json"


@attrs.frozen
class RecordedTask:
    """What is said of a task that has ended, once its record is written."""

    ending: Ending
    record: Path
    metrics: dict[str, float]


@attrs.frozen
class Result:
    """What a task leaves.

    Attributes:
        record: names no code set yet.
        code: the modules it ran with, by the SHA-256 of their files.
    """

    record: Record
    iterations: Table | None
    samples: Table | None
    items: Table | None
    code: Mapping[str, str]


def keep(store: Store, result: Result) -> RecordedTask:
    """Write ``result`` into ``store``; its index is not touched."""
    record = with_code(result.record, store.code_sets.keep(result.code))
    if record.files:
        store.checkpoints.keep(record.key, record.attempt)
    path = store.write(record, result.iterations, result.samples, result.items)
    ending = Ending(Outcome(record.outcome), record.reason, record.provenance.flags)
    return RecordedTask(ending, path, record.metrics)


def with_code(record: Record, code: str) -> Record:
    """``record``, naming the code set that it was measured with."""
    return attrs.evolve(record, provenance=attrs.evolve(record.provenance, code=code))


def write_assignment(folder: Path, assignment: Assignment) -> Path:
    """Write what a worker is to do; returns the file that it is started with."""
    path = folder / ASSIGNMENT
    write_whole(path, json.dumps(written(assignment), allow_nan=False).encode())
    return path


def read_assignment(path: Path) -> Assignment:
    """What :func:`write_assignment` wrote.

    Raises:
        LookupError: when the source of a user's technique has changed since.
    """
    assignment: Assignment = read_back(json.loads(path.read_bytes()))
    return assignment


def write_progress(folder: Path, progress: Progress) -> None:
    """Replace what is said of the task on its way; not flushed, for it is of no use after a crash."""
    beside = folder / f".{PROGRESS}"
    beside.write_text(json.dumps(attrs.asdict(progress)), encoding="utf-8")
    beside.replace(folder / PROGRESS)


def read_progress(folder: Path) -> Progress | None:
    """What was last said of the task; ``None`` before anything was."""
    try:
        return Progress(**json.loads((folder / PROGRESS).read_bytes()))
    except FileNotFoundError:
        return None


def write_result(folder: Path, result: Result) -> None:
    """Write what the task leaves, whole or not at all."""
    said: dict[str, Any] = {
        "record": json.loads(to_json(result.record)),
        "iterations": result.iterations,
        "samples": result.samples,
        "items": result.items,
        "code": dict(result.code),
    }
    write_whole(folder / RESULT, json.dumps(said).encode())


def read_result(folder: Path) -> Result | None:
    """What the task has left; ``None`` while it has left nothing.

    Raises:
        RecordDamaged: when it is not what a worker of this effdsl writes.
    """
    path = folder / RESULT
    if not path.exists():
        return None
    said = json.loads(path.read_bytes())
    record = from_json(json.dumps(said["record"]), str(path))
    return Result(record, said["iterations"], said["samples"], said["items"], said["code"])


def first_ending(folder: Path, ending: Ending) -> Ending:
    """Say how one of a task's processes failed, unless another has said so first; returns what was said
    first."""
    said = attrs.asdict(ending) | {"outcome": ending.outcome.value}
    beside = folder / f".{ENDING}.{os.getpid()}"
    write_whole(beside, json.dumps(said).encode())
    with suppress(FileExistsError):
        (folder / ENDING).hardlink_to(beside)
    beside.unlink()
    return read_ending(folder) or ending


def read_ending(folder: Path) -> Ending | None:
    """How the first of a task's processes failed; ``None`` where none has said so."""
    try:
        said = json.loads((folder / ENDING).read_bytes())
    except FileNotFoundError:
        return None
    return Ending(Outcome(said["outcome"]), said["reason"], tuple(said["flags"]))
