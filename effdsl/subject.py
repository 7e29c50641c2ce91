"""Subjects: weights that exist, to which techniques are applied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from effdsl.declare import HasTag

if TYPE_CHECKING:
    from effdsl.task import Cell

Expand = Callable[[object], "Sequence[Cell]"]
"""From another study to its cells."""


class Subject(HasTag):
    """A model with weights, named where a study says ``models=[...]``; declared with ``@keyed``.

    ``str`` of one is what people call it.
    """

    def resolve(self, expand: Expand) -> Sequence[Subject]:
        """What it stands for, with what pins its content filled in; often itself alone.

        Args:
            expand: gives the cells of another study, for this machine.

        Raises:
            Invalid: when it cannot be read, or is not what it is said to be.
        """
        return (self,)
