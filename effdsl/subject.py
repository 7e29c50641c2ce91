"""Subjects: weights that exist, to which techniques are applied."""

from __future__ import annotations

from effdsl.declare import HasTag


class Subject(HasTag):
    """A model with weights, named where a study says ``models=[...]``; declared with ``@keyed``.

    ``str`` of one is what people call it.
    """
