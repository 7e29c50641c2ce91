"""What finished tasks say of predictions."""

from __future__ import annotations

import statistics
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from effdsl import (
    GH200,
    GQA,
    H200,
    JSONL,
    MLA,
    MQA,
    NSA,
    Attention,
    B,
    Backbone,
    Budget,
    M,
    Mamba,
    Position,
    Recipe,
    RoPE,
    Study,
    Torch,
    Transformer,
)
from effdsl.costs import FinishedTask, KnownSpeeds, lower_bound_s
from effdsl.costs.communication import Averaged, FullySharded
from effdsl.costs.price import ASSUMED, UNKNOWN, Speed
from effdsl.costs.spread import Spread
from effdsl.costs.step_time import step_time
from effdsl.display import totals
from effdsl.from_canonical import CannotDecode, decoded
from effdsl.hardware import Hardware
from effdsl.key import canonical_json
from effdsl.parallelism import Parallelism
from effdsl.plan import Plan
from effdsl.planner import make_plan
from effdsl.stages.pretraining import Pretraining
from effdsl.task import Cell

LAPTOP = Hardware(name="a laptop", kind="cpu")
STUDY = Study(Attention([MQA, GQA, MLA, NSA]), [1 * M], budget=Budget(steps=10))


def speed_of(cell: Cell, calibration: KnownSpeeds) -> Speed:
    return calibration.speed(cell, cell.workload.cost(cell.hardware))


def cells(plan: Plan) -> list[Cell]:
    return [planned.cell for planned in plan.cells if planned.cell is not None]


def at(seconds: list[float], plan: Plan) -> KnownSpeeds:
    """As if the cells of ``plan`` had taken these times, half of each in training, and twice the memory
    that is predicted."""
    tasks = []
    for cell, s in zip(cells(plan), seconds, strict=True):
        memory = cell.engine.memory(cell.workload, cell.hardware).total
        tasks.append(FinishedTask(cell, s, training_s=s / 2, memory_bytes=2 * memory))
    return KnownSpeeds.from_tasks(tasks)


def test_without_a_peak_the_pace_is_the_median_rate_of_what_has_run() -> None:
    plan = make_plan(STUDY.derive(axis=Attention([GQA]), repeats=4), LAPTOP)
    (cell,) = cells(plan)
    seconds = [1.0, 2.0, 4.0, 8.0]
    calibration = KnownSpeeds.from_tasks([FinishedTask(cell, s, training_s=s / 2) for s in seconds])
    rates = [cell.workload.train_flops / (s / 2) for s in seconds]
    speed = speed_of(cell, calibration)
    assert speed.flops_per_s == pytest.approx(statistics.median(rates))
    assert (speed.tasks, speed.alike) == (4, 4)
    again = make_plan(STUDY.derive(axis=Attention([GQA])), LAPTOP, calibration=calibration)
    expected = statistics.median(s / 2 for s in seconds) + cell.workload.train_flops / statistics.median(
        rates
    )
    price = again.cells[0].price
    assert price.seconds == pytest.approx(expected)
    assert (price.seconds_low or 0) < expected < (price.seconds_high or 0)
    assert "calibrated from 4 tasks: " in totals(again)


def test_what_has_run_of_a_technique_says_most_of_its_speed() -> None:
    """A scan reaches a fifth of the rate of attention; it is not planned at the rate of attention."""
    both = make_plan(Study(Backbone([Transformer, Mamba]), [1 * M], budget=Budget(steps=10)), LAPTOP)
    dense, scan = cells(both)
    rate = 1e11
    tasks = [FinishedTask(dense, dense.workload.train_flops / rate) for _ in range(9)]
    unseen = make_plan(
        STUDY.derive(axis=Backbone([Mamba])), LAPTOP, calibration=KnownSpeeds.from_tasks(tasks)
    )
    assert unseen.speeds()[0].flops_per_s == pytest.approx(rate)
    assert "100 GFLOP/s; a guess for Mamba, not run yet" in totals(unseen)
    tasks.append(FinishedTask(scan, scan.workload.train_flops / (rate / 5)))
    calibrated = make_plan(
        STUDY.derive(axis=Backbone([Transformer, Mamba])), LAPTOP, calibration=KnownSpeeds.from_tasks(tasks)
    )
    speeds = {p.labels.technique: p.speed.flops_per_s for p in calibrated.cells if p.speed}
    assert speeds == pytest.approx({"Transformer": rate, "Mamba": rate / 5}, rel=0.05)
    assert "calibrated from 10 tasks: 20" in totals(calibrated)
    assert "guess" not in totals(calibrated)


def test_many_tiny_tasks_do_not_make_a_large_one_look_slow() -> None:
    (large,) = cells(make_plan(STUDY.derive(axis=Attention([GQA])), LAPTOP))
    tiny_budget = Budget(steps=12, batch_size=1, micro_batch_size=1, context_length=64)
    (tiny,) = cells(make_plan(STUDY.derive(axis=Attention([GQA]), budget=tiny_budget), LAPTOP))
    tasks = [FinishedTask(tiny, tiny.workload.train_flops / 3e10) for _ in range(8)]
    tasks += [FinishedTask(large, large.workload.train_flops / 1e11) for _ in range(3)]
    calibration = KnownSpeeds.from_tasks(tasks)
    assert speed_of(large, calibration).flops_per_s == pytest.approx(1e11, rel=0.05)
    assert speed_of(tiny, calibration).flops_per_s == pytest.approx(3e10, rel=0.05)


def test_a_few_short_tasks_do_not_make_long_ones_look_slow() -> None:
    """What a task takes beside its training is not multiplied by the number of steps."""
    plan = make_plan(STUDY.derive(axis=Attention([GQA])), LAPTOP)
    (cell,) = cells(plan)
    calibration = KnownSpeeds.from_tasks([FinishedTask(cell, seconds=10.0, training_s=0.5)])
    hundredfold = STUDY.derive(axis=Attention([GQA]), budget=Budget(steps=1000))
    (longer,) = make_plan(hundredfold, LAPTOP, calibration=calibration).cells
    assert longer.price.seconds == pytest.approx(9.5 + 100 * 0.5)


def test_with_a_peak_the_pace_is_the_median_part_of_the_bound_that_was_reached() -> None:
    plan = make_plan(STUDY.derive(hw=GH200), LAPTOP)
    bounds = [
        lower_bound_s(cell.workload.cost(cell.hardware), cell.workload.dtype, cell.hardware) or 0.0
        for cell in cells(plan)
    ]
    calibration = at([4 * bound for bound in bounds], plan)
    assert speed_of(cells(plan)[0], calibration).of_bound == pytest.approx(0.5)
    assert make_plan(STUDY.derive(hw=GH200), LAPTOP).speeds()[0].of_bound == 0.4


def test_other_hardware_and_other_dtypes_have_a_pace_of_their_own() -> None:
    calibration = at([1.0] * 4, make_plan(STUDY, LAPTOP))
    other = make_plan(STUDY, Hardware(name="another laptop", kind="cpu"))
    assert speed_of(cells(other)[0], calibration) == UNKNOWN
    half = make_plan(STUDY.derive(recipe=Recipe(dtype="bfloat16")), LAPTOP)
    assert speed_of(cells(half)[0], calibration) == UNKNOWN


def test_accuracy_is_predicted_over_actual_each_task_by_the_others() -> None:
    plan = make_plan(STUDY.derive(axis=Attention([GQA])), LAPTOP)
    (alone,) = at([2.0], plan).accuracy()
    assert (alone.tasks, alone.time) == (1, None)
    assert alone.memory == Spread(0.5, 0.5, 0.5)
    assert alone.flops_per_s is not None
    assert alone.flops_per_s.median == pytest.approx(cells(plan)[0].workload.train_flops)
    assert alone.of_peak is None
    (cell,) = cells(plan)
    (two,) = KnownSpeeds.from_tasks([FinishedTask(cell, 1.0), FinishedTask(cell, 4.0)]).accuracy()
    assert two.time is not None
    assert two.time.median == pytest.approx((4 + 1 / 4) / 2)


def test_a_spread_is_the_median_and_the_5th_and_95th_percentile() -> None:
    assert Spread.of([float(n) for n in range(101)]) == Spread(50, 5, 95)
    assert Spread.of([]) is None
    assert Spread.weighted([], []) is None


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=20))
def test_equal_weights_have_the_usual_median_and_hazens_percentiles(values: list[float]) -> None:
    found = Spread.weighted(values, [0.3] * len(values))
    assert found is not None
    assert found.median == pytest.approx(statistics.median(values))
    expected = np.percentile(values, [5, 95], method="hazen")
    assert [found.low, found.high] == pytest.approx(list(expected))


@given(st.lists(st.tuples(st.floats(0.1, 100), st.integers(1, 5)), min_size=1, max_size=12))
def test_a_heavy_value_counts_like_as_many_light_ones(pairs: list[tuple[float, int]]) -> None:
    """The median lies between the neighbours of the plain median of the values written out."""
    found = Spread.weighted([v for v, _ in pairs], [float(w) for _, w in pairs])
    written = sorted(v for v, w in pairs for _ in range(w))
    assert found is not None
    values = sorted({v for v, _ in pairs})
    middle = values.index(statistics.median_low(written))
    assert (
        values[max(0, middle - 1)] - 1e-9 <= found.median <= values[min(len(values) - 1, middle + 1)] + 1e-9
    )


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
    code = "import sys, effdsl.from_canonical as d; print(d.decoded(sys.argv[1]).workload.size().parameters)"
    printed = subprocess.run(
        [sys.executable, "-c", code, canonical], capture_output=True, text=True, check=True
    ).stdout
    assert int(printed) == plan.tasks[0].task.workload.size().parameters


def test_a_class_that_is_not_known_here_cannot_come_back() -> None:
    with pytest.raises(CannotDecode, match="'gone'"):
        decoded('{"$":"gone"}')
    with pytest.raises(CannotDecode, match="has no seed"):
        decoded('{"$":"task","cell":1}')


def test_before_anything_has_run_several_devices_take_what_the_model_of_a_step_says() -> None:
    """Copies on eight H200, shards where copies do not fit; once such tasks have run, what they took."""
    study = Study(Attention([GQA]), [1.5 * B, 14 * B], hw=8 * H200, budget=Budget(steps=10))
    plan = make_plan(study, LAPTOP)
    for cell, replication in zip(cells(plan), (Averaged(), FullySharded()), strict=True):
        assert cell.engine == Torch(sharded=isinstance(replication, FullySharded))
        assert isinstance(cell.workload, Pretraining)
        step = step_time(cell.workload, cell.hardware, Parallelism(data=8), replication)
        assert step is not None
        speed = speed_of(cell, KnownSpeeds())
        assert speed.foreseen
        (planned,) = (one for one in plan.cells if one.cell == cell)
        assert planned.price.seconds == pytest.approx(10 * step.seconds)
        assert not speed_of(cell, KnownSpeeds.from_tasks([FinishedTask(cell, 9.0)])).foreseen
    assert "(estimated; speed foreseen " in totals(plan)
    assert "(estimated; speed assumed 40% of peak)" in totals(
        make_plan(study.derive(hw=H200, axis=Attention([MQA])), LAPTOP)
    )


def test_devices_of_whose_links_nothing_is_known_are_priced_as_one_is() -> None:
    """By an assumed part of the peak rates; of a peak that is not known nothing follows."""
    known = Hardware("mine", peak_flops={"bfloat16": 1e15}, bandwidth=1e12)
    for hardware in (2 * known, known):
        (cell,) = cells(make_plan(STUDY.derive(axis=Attention([GQA]), hw=hardware), LAPTOP))
        assert speed_of(cell, KnownSpeeds()) == ASSUMED
    (cell,) = cells(make_plan(STUDY.derive(axis=Attention([GQA]), hw=2 * Hardware("mine")), LAPTOP))
    assert speed_of(cell, KnownSpeeds()) == UNKNOWN
