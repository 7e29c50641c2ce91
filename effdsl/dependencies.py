"""What tasks need of other tasks: weights to start from, and results that decide what is still open in them.

A stage whose tasks need such things registers them for its workloads; those of most stages need nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import singledispatch

from effdsl.task import Cell, Task
from effdsl.workload import Workload


@singledispatch
def starts_from(workload: Workload, seed: int) -> tuple[Task, ...]:
    """The tasks that leave the weights from which a repeat of ``workload`` starts."""
    return ()


class Undecidable(ValueError):
    """Nothing that was tried says what to choose."""


class OpenChoice(ABC):
    """Something about a cell that the results of other tasks decide."""

    @property
    @abstractmethod
    def trials(self) -> tuple[Task, ...]:
        """Those tasks."""

    @property
    @abstractmethod
    def metric(self) -> str:
        """Which of their metrics is compared."""

    @property
    @abstractmethod
    def about(self) -> str:
        """What is decided, in words."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What people call its trials together."""

    @abstractmethod
    def taken(self, values: Sequence[float | None]) -> Cell:
        """The cell with that decided.

        Args:
            values: the metric of each trial, in their order; ``None`` of one that has none.

        Raises:
            Undecidable: when no trial has one.
        """


@singledispatch
def undecided(workload: Workload, cell: Cell) -> OpenChoice | None:
    """What is to be decided first about ``cell``, whose workload this is; ``None`` where nothing is open."""
    return None
