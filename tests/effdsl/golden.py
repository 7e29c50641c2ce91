"""Writes the key of every built-in technique that has none yet; a key that is there is never touched.

python tests/effdsl/golden.py
"""

import json
from pathlib import Path

from effdsl import axes
from effdsl.built_in import built_in
from effdsl.data import Shakespeare
from effdsl.hardware import Hardware
from effdsl.plan import TaskRole
from effdsl.planner import make_plan
from effdsl.study import Study
from effdsl.subjects.trained import Trained
from effdsl.techniques.attention.gqa import GQA
from effdsl.techniques.technique import Technique
from effdsl.training import Budget
from effdsl.units import M

FOLDER = Path(__file__).parent / "golden_keys"
OF_MODELS = (axes.Attention, axes.Position, axes.FeedForward, axes.Backbone, axes.Aspect)
OF_WEIGHTS = (axes.FineTuning, axes.Precision)
LAPTOP = Hardware(name="a laptop", kind="cpu")
TECHNIQUES = built_in(Technique)


def key_of_defaults(cls: type[Technique]) -> str:
    """The key of ten steps with the technique's defaults: of a 3M model, or from the weights of one."""
    (axis,) = (axis for axis in (*OF_MODELS, *OF_WEIGHTS) if issubclass(cls, axis.kind))
    data, budget = {"data": Shakespeare(), "repeats": 1}, {"budget": Budget(steps=10)}
    if axis in OF_WEIGHTS:
        weights = Trained(Study(axes.Attention([GQA]), [3 * M], **data, **budget))
        trains = {} if axis is axes.Precision else budget
        study = Study(axis([cls]), models=weights, **data, **trains)
    else:
        study = Study(axis([cls]), [3 * M], **data, **budget)
    (task,) = (task for task in make_plan(study, LAPTOP).tasks if task.role is TaskRole.RESULT)
    return task.address.key


def file_of(cls: type[Technique]) -> Path:
    return FOLDER / f"{cls.__tag__}.json"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for technique in TECHNIQUES:
        if not file_of(technique).exists():
            file_of(technique).write_text(json.dumps(key_of_defaults(technique)) + "\n", encoding="utf-8")
            print(f"wrote {file_of(technique)}")
