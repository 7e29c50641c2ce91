"""What a stage is: the axes, subjects and fields that it takes of a study, and what it makes of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from effdsl.engine import Engine
from effdsl.engines.torch import Torch

if TYPE_CHECKING:
    from effdsl.axes import Axis
    from effdsl.choice import Choice
    from effdsl.declare import Invalid
    from effdsl.hardware import Hardware
    from effdsl.study import Study
    from effdsl.task import ChosenTechnique
    from effdsl.techniques.technique import Technique
    from effdsl.workload import Workload


class Mistakes(Protocol):
    """Where a stage says what is wrong with a study."""

    def note(self, message: str, hint: str, *values: object) -> None:
        """A mistake where the first of ``values`` that the study's file declares stands."""

    def at(self, subject: object, error: Invalid, *values: object) -> None:
        """A mistake that may be one at other subjects too."""


class Stage(ABC):
    """One thing that is done to language models, e.g. pretraining; declared with :func:`stage`.

    Attributes:
        name: what studies, records and tables call it.
        axes: its dimensions of choice, from the outside in.
        named_by: of those, the one that names a cell in which nothing is unusual.
        takes: the fields of a study that it takes beside those that every stage has.
        settings: what its workloads' ``setting()`` says, by name: the type of the values.
        details: the same of their ``details()``.
        batch_of: what a batch of theirs is made of, in the plural.
        compares_dtypes: whether the dtype of the products is part of what is compared, so that cells of
            different ones are.
    """

    name: ClassVar[str]
    axes: ClassVar[tuple[type[Axis], ...]]
    named_by: ClassVar[type[Axis]]
    takes: ClassVar[frozenset[str]]
    settings: ClassVar[Mapping[str, type]] = {}
    details: ClassVar[Mapping[str, type]] = {}
    batch_of: ClassVar[str] = "sequences"
    compares_dtypes: ClassVar[bool] = False

    @abstractmethod
    def subjects(self, study: Study) -> Sequence[object]:
        """What the techniques of ``study`` are applied to; ``str`` of one is what people call it."""

    def engine(self) -> Engine:
        """What runs a study that names no engine."""
        return Torch()

    def usual(self, chosen: Mapping[str, Technique]) -> Mapping[str, Technique]:
        """What it takes on the axes on which nothing was ``chosen``."""
        return {}

    @abstractmethod
    def conditions(
        self, study: Study, subjects: Sequence[Any], hardware: Hardware, mistakes: Mistakes
    ) -> Mapping[Any, Any]:
        """What all cells of a subject share, by subject: made once, so that it is written once into their
        keys. A subject of which something is wrong is left out, after a word to ``mistakes``.

        Args:
            subjects: those of the study, resolved.
        """

    @abstractmethod
    def workload(self, choice: Choice, conditions: Any) -> Workload:
        """What a cell does.

        Raises:
            Unsupported: where it cannot be built, e.g. because two techniques do not go together.
            Invalid: where nothing can be built of its subject.
        """

    @abstractmethod
    def labels(self, choice: Choice, workload: Workload) -> Mapping[str, ChosenTechnique]:
        """What a cell has on each of its axes, from the outside in."""

    def remark(self, choice: Choice, workload: Workload) -> str:
        """What a plan should say of a cell that is not quite what its name promises; usually empty."""
        return ""

    def same_because(self, choice: Choice, workload: Workload) -> str:
        """What else to say where two combinations turn out to be one cell; usually empty."""
        return ""


S = TypeVar("S", bound=type[Stage])
STAGES: dict[str, Stage] = {}


def stage(cls: S) -> S:
    """Declare a stage, so that studies with its axes belong to it."""
    if cls.name in STAGES:
        raise TypeError(f"the stage {cls.name!r} is declared already")
    STAGES[cls.name] = cls()
    return cls


def stage_of(axis: type[Axis]) -> Stage | None:
    """The stage that ``axis`` belongs to; ``None`` where it belongs to none."""
    return next((one for one in STAGES.values() if axis in one.axes), None)
