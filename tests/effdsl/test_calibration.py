"""What finished tasks say of predictions."""

from __future__ import annotations

import statistics
import subprocess
import sys

import pytest

from effdsl import (
    GH200,
    GQA,
    JSONL,
    MLA,
    MQA,
    NSA,
    Attention,
    Backbone,
    Budget,
    M,
    Mamba,
    Position,
    Recipe,
    RoPE,
    Study,
)
from effdsl.costs import Calibration, Finished, lower_bound_s, training_memory
from effdsl.costs.calibration import Spread
from effdsl.decode import CannotDecode, decoded
from effdsl.hardware import Hardware
from effdsl.key import canonical_json
from effdsl.plan import Plan, make_plan
from effdsl.task import Cell

LAPTOP = Hardware(name="a laptop", kind="cpu")
STUDY = Study(Attention([MQA, GQA, MLA, NSA]), [1 * M], budget=Budget(steps=10))


def cells(plan: Plan) -> list[Cell]:
    return [planned.cell for planned in plan.cells if planned.cell is not None]


def at(seconds: list[float], plan: Plan) -> Calibration:
    """As if the cells of ``plan`` had taken these times, half of each in training, and twice the memory
    that is predicted."""
    tasks = []
    for cell, s in zip(cells(plan), seconds, strict=True):
        memory = training_memory(cell.workload, cell.hardware).total
        tasks.append(Finished(cell, s, training_s=s / 2, memory_bytes=2 * memory))
    return Calibration.from_tasks(tasks)


def test_without_a_peak_the_pace_is_the_median_rate_of_what_has_run() -> None:
    plan = make_plan(STUDY, LAPTOP)
    seconds = [1.0, 2.0, 4.0, 8.0]
    calibration = at(seconds, plan)
    rates = [cell.workload.train_flops / (s / 2) for cell, s in zip(cells(plan), seconds, strict=True)]
    pace = calibration.pace(cells(plan)[0])
    assert pace.flops_per_s == pytest.approx(statistics.median(rates))
    assert str(pace).startswith("calibrated from 4 tasks: ")
    again = make_plan(STUDY, LAPTOP, calibration=calibration)
    outside_s = statistics.median(s / 2 for s in seconds)
    expected = outside_s + cells(plan)[0].workload.train_flops / statistics.median(rates)
    assert again.cells[0].price.seconds == pytest.approx(expected)


def test_a_few_short_tasks_do_not_make_long_ones_look_slow() -> None:
    """What a task takes beside its training is not multiplied by the number of steps."""
    plan = make_plan(STUDY.derive(axis=Attention([GQA])), LAPTOP)
    (cell,) = cells(plan)
    calibration = Calibration.from_tasks([Finished(cell, seconds=10.0, training_s=0.5)])
    hundredfold = STUDY.derive(axis=Attention([GQA]), budget=Budget(steps=1000))
    (longer,) = make_plan(hundredfold, LAPTOP, calibration=calibration).cells
    assert longer.price.seconds == pytest.approx(9.5 + 100 * 0.5)


def test_with_a_peak_the_pace_is_the_median_part_of_the_bound_that_was_reached() -> None:
    plan = make_plan(STUDY.derive(hw=GH200), LAPTOP)
    bounds = [lower_bound_s(cell.workload, cell.hardware) or 0.0 for cell in cells(plan)]
    calibration = at([4 * bound for bound in bounds], plan)
    assert calibration.pace(cells(plan)[0]).of_bound == pytest.approx(0.5)
    assert make_plan(STUDY.derive(hw=GH200), LAPTOP).paces[0].of_bound == 0.4


def test_other_hardware_and_other_dtypes_have_a_pace_of_their_own() -> None:
    calibration = at([1.0] * 4, make_plan(STUDY, LAPTOP))
    other = make_plan(STUDY, Hardware(name="another laptop", kind="cpu"))
    assert str(calibration.pace(cells(other)[0])) == "not known before a task has run"
    half = make_plan(STUDY.derive(recipe=Recipe(dtype="bfloat16")), LAPTOP)
    assert str(calibration.pace(cells(half)[0])) == "not known before a task has run"


def test_accuracy_is_predicted_over_actual() -> None:
    plan = make_plan(STUDY.derive(axis=Attention([GQA])), LAPTOP)
    (row,) = at([2.0], plan).accuracy()
    assert row.time == Spread(1, 1, 1)
    assert row.memory == Spread(0.5, 0.5, 0.5)
    assert row.flops_per_s is not None
    assert row.flops_per_s.median == pytest.approx(cells(plan)[0].workload.train_flops)
    assert row.of_peak is None


def test_a_spread_is_the_median_and_the_5th_and_95th_percentile() -> None:
    assert Spread.of([float(n) for n in range(101)]) == Spread(50, 5, 95)
    assert Spread.of([]) is None


@pytest.mark.parametrize("data", [None, "jsonl"])
def test_a_task_comes_back_from_its_canonical_form(data: str | None, tmp_path: object) -> None:
    """Everything that is in the key, so that the key of what comes back is the same."""
    if data:
        file = tmp_path / "a.jsonl"  # type: ignore[operator]
        file.write_text('{"text": "to be"}\n' * 50)
    study = STUDY.derive(
        axis=Attention([MQA, GQA, MLA, NSA]) * Position([RoPE, RoPE(fraction=0.5)]),
        data=JSONL(str(file)) if data else None,
    )
    for task in make_plan(study, LAPTOP).tasks:
        canonical = canonical_json(task.task)
        back = decoded(canonical)
        assert canonical_json(back) == canonical
        assert back.workload.train_flops == task.task.workload.train_flops


def test_what_comes_back_need_not_have_been_imported() -> None:
    """A store holds what other studies ran: a process that never named Mamba reads its tasks too."""
    plan = make_plan(Study(Backbone([Mamba]), [1 * M], budget=Budget(steps=1), repeats=1), LAPTOP)
    canonical = canonical_json(plan.tasks[0].task)
    code = "import sys; from effdsl.decode import decoded; print(decoded(sys.argv[1]).workload.parameters)"
    printed = subprocess.run(
        [sys.executable, "-c", code, canonical], capture_output=True, text=True, check=True
    ).stdout
    assert int(printed) == plan.tasks[0].task.workload.parameters


def test_a_class_that_is_not_known_here_cannot_come_back() -> None:
    with pytest.raises(CannotDecode, match="'gone'"):
        decoded('{"$":"gone"}')
    with pytest.raises(CannotDecode, match="has no seed"):
        decoded('{"$":"task","cell":1}')
