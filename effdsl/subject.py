"""Subjects: weights that exist, to which techniques are applied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import attrs

from effdsl.declare import HasTag, Invalid

if TYPE_CHECKING:
    from effdsl.task import Cell


class Subject(HasTag):
    """A model with weights, named where a study says ``models=[...]``; declared with ``@keyed``.

    ``str`` of one is what people call it.
    """

    def resolve(self, around: Surroundings) -> Sequence[Subject]:
        """What it stands for, with what pins its content filled in; often itself alone.

        Raises:
            Invalid: when it cannot be read, or is not what it is said to be.
        """
        return (self,)


Stored = Callable[[str], Subject]
"""From the first digits of a task's key to what that task left.

Raises:
    Invalid: when there is no such task, or nothing that could be started from.
"""


def no_store(digits: str) -> Subject:
    """The answer where no store is asked.

    Raises:
        Invalid: always.
    """
    raise Invalid(f"{digits} is the key of a task, and no store is asked here", "`effdsl plan` asks one")


@attrs.frozen
class Surroundings:
    """What a subject may ask for while it is resolved; of itself it has nothing.

    Attributes:
        cells_of: from another study to its cells, for this machine.
        stored: answers for the store.
    """

    cells_of: Callable[[object], Sequence[Cell]] = lambda study: ()
    stored: Stored = no_store
