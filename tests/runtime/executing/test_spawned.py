"""A task in an interpreter of its own: it crosses as a file, and comes back as a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
from effdsl_registry.store import Store
from effdsl_runtime.dispatch import unavailable_here
from effdsl_runtime.executing.executor import Executor
from effdsl_runtime.handover import read_progress, read_result, write_assignment
from effdsl_runtime.machine import describe, detect
from effdsl_runtime.recording.run_record import Assignment

from effdsl import GQA, Attention, Budget, ByteTokenizer, LocalText, M, Study
from effdsl.key import canonical_json
from effdsl.plan import Plan, PlannedTask
from effdsl.planner import make_plan

sys.path.insert(0, str(Path(__file__).parent))
from pretend import PretendElsewhere

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
TWO_MISSING = f"{HERE / 'elsewhere'}{os.pathsep}{HERE}"  # an interpreter without duckdb and torch


@attrs.define
class Notes:
    """Stands in for the display, and notes what it is told."""

    told: list[str] = attrs.field(factory=list)

    def preparing(self, *_: object) -> None: ...
    def started(self, *_: object) -> None: ...
    def progress(self, *_: object) -> None: ...
    def finished(self, *_: object) -> None: ...
    def waiting(self, *_: object) -> None: ...

    def elsewhere(self, task: PlannedTask) -> None:
        self.told.append("elsewhere")

    def message(self, text: str) -> None:
        self.told.append(text)


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """One task of an engine with an environment of its own."""
    monkeypatch.setenv("EFFDSL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("EFFDSL_ENVIRONMENTS", str(tmp_path / "environments"))
    (tmp_path / "text.txt").write_text("".join(f"To be, or not to be: {n}.\n\n" for n in range(9000)))
    data = LocalText(tmp_path / "text.txt", held_out_fraction=0.3, tokenizer=ByteTokenizer())
    budget = Budget(steps=10)
    study = Study(Attention([GQA]), [1 * M], budget=budget, data=data, engine=PretendElsewhere(), repeats=1)
    return make_plan(study, detect())


def run_the_file(store: Store, plan: Plan) -> Path:
    """Run the task of ``plan`` from a file, as an executor would have it; returns its folder."""
    (planned,) = plan.tasks
    log = store.root / "log"
    task, address = planned.task, planned.address
    told = Assignment(task, address, canonical_json(task), "a" * 32, store.root, log, describe())
    file = write_assignment(store.handover(address.key), told)
    command = [sys.executable, "-m", "effdsl_runtime.worker", str(file)]
    path = os.pathsep.join([TWO_MISSING, *filter(None, [os.environ.get("PYTHONPATH")])])
    subprocess.run(command, check=True, timeout=60, env={**os.environ, "PYTHONPATH": path})
    return file.parent


def test_a_file_becomes_a_result_where_there_is_neither_duckdb_nor_torch(plan: Plan, tmp_path: Path) -> None:
    """And the result names the task, says how it went, and with which modules."""
    folder = run_the_file(Store(tmp_path / "store"), plan)
    result, progress = read_result(folder), read_progress(folder)
    assert result is not None
    assert (result.record.key, result.record.outcome) == (plan.tasks[0].address.key, "ok")
    assert result.record.metrics["held_out_loss"] == pytest.approx(1.0)
    assert result.iterations is not None
    assert result.iterations["step"] == list(range(10))
    assert progress is not None
    assert progress.phase == "training"
    assert "effdsl_runtime.stages.pretraining" in result.code


def test_a_result_that_nobody_came_for_is_taken_in_and_its_task_not_run_again(
    plan: Plan, tmp_path: Path
) -> None:
    """As after a crash of the executor between the end of a task and its record."""
    store, notes = Store(tmp_path / "store"), Notes()
    folder = run_the_file(store, plan)
    totals = Executor(store, notes).run(plan)
    assert (totals.cannot_start, totals.endings, notes.told) == ("", [], ["elsewhere"])
    assert store.record(plan.tasks[0].address.key).outcome == "ok"
    assert not folder.exists()


def test_a_result_cut_in_the_middle_is_none(plan: Plan, tmp_path: Path) -> None:
    """What is there has been written whole: a file beside it is not looked at."""
    folder = tmp_path / "running"
    folder.mkdir()
    (folder / ".result.json.7.tmp").write_text(json.dumps({"record": {}})[:5])
    assert read_result(folder) is None


def test_without_its_environment_a_task_is_unavailable_and_the_place_is_named(
    plan: Plan, tmp_path: Path
) -> None:
    """Packages of an engine that runs elsewhere are not looked for here."""
    cell = plan.tasks[0].task.cell
    why_not = unavailable_here(cell.hardware)
    python = tmp_path / "environments" / "elsewhere" / "bin" / "python"
    assert str(python) in why_not(cell)
    python.parent.mkdir(parents=True)
    python.touch()
    assert why_not(cell) == ""
