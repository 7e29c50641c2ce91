"""What a study means by the key of a task: the weights that the task has left in the store."""

from __future__ import annotations

from effdsl_registry.errors import UnknownKey
from effdsl_registry.records import Record
from effdsl_registry.store import Store

from effdsl.declare import Invalid, evolve
from effdsl.from_canonical import CannotDecode, decoded
from effdsl.key import short
from effdsl.outcome import Outcome
from effdsl.subject import Stored
from effdsl.subjects.trained import StoredWeights
from effdsl.task import Labels, Task


def stored_in(store: Store) -> Stored:
    """Look keys up in ``store``."""

    def stored(digits: str) -> StoredWeights:
        try:
            record = store.record(digits)
        except UnknownKey as error:
            raise Invalid(str(error), "and no study here is called that; `effdsl ls` lists them") from None
        _refuse_without_weights(record, store)
        return StoredWeights(_task_of(record), str(store.checkpoints.of(record.key).resolve()))

    return stored


def _refuse_without_weights(record: Record, store: Store) -> None:
    name = _named(record)
    if record.outcome != Outcome.OK.value:
        said = f"{record.outcome}: {record.reason}" if record.reason else record.outcome
        raise Invalid(f"{name} ended as {said}", "name a task that ended well")
    if not record.files:
        raise Invalid(
            f"{name} left no weights",
            "trials of learning rates leave none, and weights of more than 2 GB are kept where a study says "
            "keep_checkpoints=True",
        )
    if not store.has_files(record.key):
        raise Invalid(
            f"the weights of {name} were removed",
            "`effdsl execute STUDY --retry ok` makes them again; Trained(study) does when it is executed",
        )


def _task_of(record: Record) -> Task:
    """The task, by the names that its record has for it."""
    try:
        task: Task = decoded(record.canonical)
    except CannotDecode as error:
        raise Invalid(
            f"{_named(record)} cannot be read here: {error}", "name its study instead: Trained('study')"
        ) from None
    asked = record.identity
    labels = Labels(asked.technique, asked.scale, asked.technique, asked.choices)
    return evolve(task, cell=evolve(task.cell, labels=labels))


def _named(record: Record) -> str:
    asked = record.identity
    return f"{short(record.key)}, {asked.technique} {asked.scale} seed {asked.seed},"
