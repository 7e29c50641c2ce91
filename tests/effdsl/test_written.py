"""Declared values as JSON and back: nothing is lost, whatever a study declares."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest

from effdsl.hardware import Hardware
from effdsl.key import canonical_json
from effdsl.loading import load_study
from effdsl.planner import make_plan
from effdsl.task import Task
from effdsl.written import read_back, written

from .waves.conftest import write_model

LAPTOP = Hardware(name="a laptop", kind="cpu")
STUDIES = sorted(Path(__file__).parents[2].joinpath("studies").rglob("*.py"))


def tasks_of(file: Path) -> list[Task]:
    """One task of every cell of a study."""
    plan = make_plan(load_study(str(file)).study, LAPTOP)
    return list({task.address.cell: task.task for task in plan.tasks}.values())


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_every_task_of_every_study_of_ours_comes_back_whole(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its key, and with the fields that are in no key: labels, paths, rates of the hardware."""
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "models" / "smollm2-135m")  # some model, where `make smollm` puts one
    assert tasks_of(file)
    for task in tasks_of(file):
        back = read_back(json.loads(json.dumps(written(task), allow_nan=False)))
        assert back == task
        assert canonical_json(back) == canonical_json(task)
        assert back.labels == task.labels
        assert attrs.asdict(back.hardware) == attrs.asdict(task.hardware)


def test_what_is_neither_plain_nor_declared_is_refused() -> None:
    """Rather than written as something that cannot be read."""
    with pytest.raises(TypeError, match="object cannot be written"):
        written({"x": object()})
