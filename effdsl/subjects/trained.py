"""Weights that tasks leave: those of another study, or one by its key."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import attrs

from effdsl.data import Data
from effdsl.declare import Invalid, identity, keyed, language, transport
from effdsl.dependencies import OpenChoice, undecided
from effdsl.language_model import LanguageModel
from effdsl.problems import StudyError, active_collector, is_broken, spelled
from effdsl.study import Study
from effdsl.subject import Subject, Surroundings
from effdsl.subjects.leaving import language_model_left, positions_left, text_trained_on
from effdsl.subjects.weights import Weights
from effdsl.task import Cell, Task
from effdsl.techniques.technique import Unsupported
from effdsl.workload import Size


class LeftWeights(Weights):
    """What tasks leave."""

    @property
    @abstractmethod
    def cell(self) -> Cell:
        """The cell of those tasks."""

    @abstractmethod
    def left_by(self, seed: int) -> Task:
        """The task whose weights a repeat starts from."""

    def language_model(self) -> LanguageModel:
        model = language_model_left(self.cell.workload)
        if model is None:
            raise Unsupported(
                f"{self.name}: nothing here knows how its layers are called in transformers, so no method "
                "can be applied to them",
                "start from attention that shares heads or is latent, e.g. GQA or MLA",
            )
        return model

    def size(self) -> Size:
        return self.cell.workload.size()

    @property
    def name(self) -> str:
        labels = self.cell.labels
        return f"{labels.full_name} {labels.scale}"

    @property
    def positions(self) -> int | None:
        return positions_left(self.cell.workload)

    def trained_on(self) -> Data | None:
        return text_trained_on(self.cell.workload)


@keyed("trained")
class TrainedWeights(LeftWeights):
    """What a cell of another study leaves, repeat by repeat."""

    cell: Cell = identity()

    def left_by(self, seed: int) -> Task:
        return Task(self.cell, seed)

    @property
    def differ_by_repeat(self) -> bool:
        return True

    def upstream(self, seed: int) -> tuple[Task, ...]:
        return (self.left_by(seed),)

    def undecided(self) -> OpenChoice | None:
        return undecided(self.cell.workload, self.cell)

    def decided(self, cell: Cell) -> TrainedWeights:
        return TrainedWeights(cell)


@keyed("stored")
class StoredWeights(LeftWeights):
    """What one task has left in the store; every repeat starts from it. It is there, so that nothing is
    upstream of what starts from it.

    Attributes:
        folder: where it is.
    """

    task: Task = identity()
    folder: str = transport(eq=False)

    @property
    def cell(self) -> Cell:
        return self.task.cell

    def left_by(self, seed: int) -> Task:
        return self.task

    @property
    def name(self) -> str:
        return f"{super().name} seed {self.task.seed}"

    def trained_on(self) -> Data | None:
        data = super().trained_on()
        return data if data is not None and data.is_known_where else None


@attrs.frozen
class TaskKey:
    """The first digits of the key of a task that has run."""

    digits: str

    @property
    def name(self) -> str:
        """What people call it."""
        return self.digits


KEY = re.compile("[0-9a-f]{4,64}")

_loading: ContextVar[frozenset[Path]] = ContextVar("loading", default=frozenset())
"""Files of studies whose weights are asked for while they are being loaded."""


def _loaded(reference: str) -> Study | TaskKey:
    """The study of a name or a file, which may start from others, but not from itself; what names neither
    and can be a key is one."""
    from effdsl.loading import find_study, load_study

    try:
        file = find_study(reference)
    except StudyError as error:
        if KEY.fullmatch(reference):
            return TaskKey(reference)
        raise Invalid(error.problems[0].message, error.problems[0].hint) from None
    place = active_collector()
    above = _loading.get() | ({Path(place.file).resolve()} if place else set())
    if file in above:
        raise Invalid(f"the study {reference!r} would start from its own weights", "name another study")
    before = _loading.set(above)
    try:
        return load_study(str(file)).study
    except StudyError as error:
        raise Invalid(f"the study {reference!r} has mistakes: {error}", "mend it first") from None
    finally:
        _loading.reset(before)


def _a_source(value: Any) -> Any:
    if isinstance(value, (str, Path)):
        return _loaded(str(value))
    if not isinstance(value, (Study, TaskKey)) and not is_broken(value):
        hint = "e.g. Trained(study), Trained('small/attention'), or the key of a task: Trained('a3f29c01b2')"
        raise Invalid(f"{spelled(value)} is not a study", hint)
    return value


@language
class Trained(Subject):
    """Every model that a study trains: ``Trained(study)``, or by the study's name or file. Each of its cells
    is a model; repeats go together by their seeds.

    Or the model that one task has left, by the first digits of its key: all repeats start from that.
    """

    study: Study | TaskKey = transport(converter=_a_source, eq=id)

    def resolve(self, around: Surroundings) -> Sequence[Subject]:
        if isinstance(self.study, TaskKey):
            return (around.stored(self.study.digits),)
        found = [TrainedWeights(cell) for cell in around.cells_of(self.study)]
        if not found:
            raise Invalid("none of its models can be built", "`effdsl plan` of that study says why")
        return found

    def __str__(self) -> str:
        return f"Trained({self.study.name or 'study'})"
