"""What people call a cell: in its study, and anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from effdsl.choice import Choice
from effdsl.stages.stage import Stage
from effdsl.task import ChosenTechnique, Labels

BETWEEN = " · "


def labels_of(choice: Choice, stage: Stage, choices: Mapping[str, ChosenTechnique], on: set[str]) -> Labels:
    """What the cell of ``choice`` is called, in a study with the axes ``on``, and anywhere.

    In its study the first axis is always named, and of the others what is not usual.

    Args:
        choices: what it has on each axis of ``stage``.
    """
    unusual = [axis for axis, has in choices.items() if not has.usual] or [stage.named_by.name]
    named = [axis for axis in choices if axis in on]
    return Labels(
        technique=_joined(choices, [axis for axis in named if axis == named[0] or axis in unusual]),
        scale=str(choice.subject),
        full_name=_joined(choices, unusual),
        choices=choices,
    )


def written_labels(choice: Choice, stage: Stage, on: set[str]) -> Labels:
    """The same, as the study has it written, for a combination that cannot be built."""
    usual = stage.usual({name: t for name, t in choice.chosen.items() if name == stage.axes[0].name})
    named = [name for name in choice.axes if name in on]
    written = {
        name: ChosenTechnique(type(technique).__name__, repr(technique).removesuffix("()"))
        for name, technique in choice.chosen.items()
    }
    said = [n for n in named if n == named[0] or choice.chosen.get(n) != usual.get(n)]
    name = _joined(written, said)
    return Labels(technique=name, scale=str(choice.subject), full_name=name)


def _joined(choices: Mapping[str, ChosenTechnique], axes: Iterable[str]) -> str:
    return BETWEEN.join(choices[axis].label for axis in axes if axis in choices)
