"""A combination of techniques and a subject, as a study's filter sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from effdsl.techniques.technique import Technique


@attrs.frozen
class Choice:
    """One combination, as a study's ``keep`` sees it: ``cell.attention``, ``cell.scale``, ``cell.uses(MLA)``.

    Attributes:
        subject: what the techniques are applied to; a size is called ``scale`` too.
        chosen: what the study chose, by the name of the axis, from the outside in.
        usual: what its stage takes on the other axes.
        axes: the names of all axes of its stage.
    """

    subject: Any
    chosen: Mapping[str, Technique]
    usual: Mapping[str, Technique] = attrs.field(factory=dict)
    axes: tuple[str, ...] = ()

    @property
    def scale(self) -> Any:
        """The subject, which is a size in most studies."""
        return self.subject

    def uses(self, technique: type[Technique] | Technique) -> bool:
        """Whether it has ``technique`` on any axis: a class means any of its kind, an instance just that.

        Raises:
            TypeError: when that is no technique.
        """
        named = technique if isinstance(technique, type) else type(technique)
        if not issubclass(named, Technique):
            raise TypeError(f"uses() takes a technique, e.g. cell.uses(MQA), not {technique!r}")
        has = {**self.usual, **self.chosen}.values()
        if isinstance(technique, type):
            return any(type(one) is technique for one in has)
        return technique in has

    def __getattr__(self, name: str) -> Technique | None:
        """What it has on the axis called ``name``: the chosen technique, the usual one, or none."""
        if name not in self.axes:
            raise AttributeError(f"a cell has no {name!r}")
        return self.chosen.get(name) or self.usual.get(name)
