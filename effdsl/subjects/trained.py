"""Weights that the tasks of another study leave."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from effdsl.data import Data
from effdsl.declare import Invalid, identity, keyed, language, transport
from effdsl.dependencies import OpenChoice, undecided
from effdsl.language_model import LanguageModel
from effdsl.problems import StudyError, active_collector, is_broken, spelled
from effdsl.study import Study
from effdsl.subject import Expand, Subject
from effdsl.subjects.leaving import language_model_left, text_trained_on
from effdsl.subjects.weights import Weights
from effdsl.task import Cell, Task
from effdsl.techniques.technique import Unsupported
from effdsl.workload import Size


@keyed("trained")
class TrainedWeights(Weights):
    """What a cell of another study leaves, repeat by repeat."""

    cell: Cell = identity()

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
    def differ_by_repeat(self) -> bool:
        return True

    def upstream(self, seed: int) -> tuple[Task, ...]:
        return (Task(self.cell, seed),)

    def undecided(self) -> OpenChoice | None:
        return undecided(self.cell.workload, self.cell)

    def decided(self, cell: Cell) -> TrainedWeights:
        return TrainedWeights(cell)

    def trained_on(self) -> Data | None:
        return text_trained_on(self.cell.workload)


_loading: ContextVar[frozenset[Path]] = ContextVar("loading", default=frozenset())
"""Files of studies whose weights are asked for while they are being loaded."""


def _loaded(reference: str) -> Study:
    """The study of a name or a file, which may start from others, but not from itself."""
    from effdsl.loading import find_study, load_study

    try:
        file = find_study(reference)
    except StudyError as error:
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


def _a_study(value: Any) -> Any:
    if isinstance(value, (str, Path)):
        return _loaded(str(value))
    if not isinstance(value, Study) and not is_broken(value):
        raise Invalid(f"{spelled(value)} is not a study", "e.g. Trained(study), Trained('small/attention')")
    return value


@language
class Trained(Subject):
    """Every model that a study trains: ``Trained(study)``, or by the study's name or file.

    Each of its cells is a model; repeats go together by their seeds.
    """

    study: Study = transport(converter=_a_study, eq=id)

    def resolve(self, expand: Expand) -> Sequence[TrainedWeights]:
        found = [TrainedWeights(cell) for cell in expand(self.study)]
        if not found:
            raise Invalid("none of its models can be built", "`effdsl plan` of that study says why")
        return found

    def __str__(self) -> str:
        return f"Trained({self.study.name or 'study'})"
