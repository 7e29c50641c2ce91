"""What ``plan --layout`` shows of each cell on several devices."""

from __future__ import annotations

from typing import Any

import pytest

from effdsl import GH200, GQA, H200, NSA, Attention, B, Budget, Megatron, Study, Torch
from effdsl.engine import Engine
from effdsl.hardware import Hardware
from effdsl.layout_rows import CellLayouts, layouts_json, layouts_of
from effdsl.plan import Plan
from effdsl.planner import make_plan

LAPTOP = Hardware(name="a laptop", kind="cpu")


def plan_on(hardware: Hardware, engine: Engine | None = None, axis: Any = None, scale: Any = 1.5 * B) -> Plan:
    budget = Budget(batch_size=96, micro_batch_size=1, steps=10)
    study = Study(axis or Attention([GQA]), [scale], hw=hardware, engine=engine, budget=budget)
    return make_plan(study, LAPTOP)


def only(plan: Plan) -> CellLayouts:
    (found,) = layouts_of(plan)
    return found


@pytest.mark.parametrize(
    "engine", [Megatron(), Megatron(tensor_parallel=2), Megatron(2, sequence_parallel=False)]
)
def test_the_layout_of_the_cell_is_the_only_one_that_is_taken(engine: Megatron) -> None:
    """Whether the planner chose it or the study, and what is shown is what the key was made of."""
    plan = plan_on(48 * GH200, engine)
    (cell,) = plan.cells
    assert cell.cell is not None
    assert isinstance(cell.cell.engine, Megatron)
    taken = [option for option in only(plan).options if not option.why_not]
    assert [option.name for option in taken] == [str(cell.cell.engine.parallelism(48 * GH200))]
    assert taken[0].memory == cell.memory
    assert cell.price.seconds == pytest.approx(10 * (taken[0].step_s or 0))


def test_the_planner_leaves_what_does_not_fit_and_says_so() -> None:
    """14B is too much for copies on devices of 96 GB."""
    reasons = {
        option.name: option.why_not for option in only(plan_on(48 * GH200, Megatron(), scale=14 * B)).options
    }
    assert reasons["48 data parallel"] == "more than 90% of 96 GB"
    assert "as fast, and divides the model more" not in reasons["48 data parallel"]
    assert list(reasons.values()).count("") == 1


def test_why_a_layout_is_not_taken_is_one_of_four_reasons() -> None:
    """Slower, more divided, refused by the engine, or not what the study asks for."""
    free = {one.name: one.why_not for one in only(plan_on(48 * GH200, Megatron())).options}
    assert free["48 data parallel"] == ""
    assert free["2 tensor × 24 data parallel"] == "as fast, and divides the model more"
    assert free["48 data parallel, recomputed"].endswith("% slower")
    asked = {one.name: one.why_not for one in only(plan_on(48 * GH200, Megatron(2))).options}
    assert asked["48 data parallel"] == "the study asks for another"
    sparse = {
        one.name: one.why_not for one in only(plan_on(48 * GH200, Megatron(), Attention([NSA]))).options
    }
    assert "take tensor_parallel=1" in sparse["2 tensor × 24 data parallel"]


def test_copies_or_shards_are_what_the_embedded_engine_chooses_from() -> None:
    """Copies where they fit, shards where not, either where a study says so."""
    expected = {
        (1.5, Torch()): ["", "copies fit"],
        (14, Torch()): ["more than 141 GB", ""],
        (1.5, Torch(sharded=True)): ["the study asks for the other", ""],
    }
    for (billions, engine), why_not in expected.items():
        found = only(plan_on(8 * H200, engine, scale=billions * B))
        assert [option.why_not for option in found.options] == why_not
        assert [option.name for option in found.options] == ["8 copies (DDP)", "8 shards (FSDP2)"]


def test_one_device_has_no_layout() -> None:
    for engine in (Torch(), Megatron()):
        assert list(layouts_of(plan_on(H200, engine))) == []


def test_few_rows_have_the_one_that_is_taken_and_all_are_in_json() -> None:
    """Of a study that asks for a slow layout, too."""
    plan = plan_on(48 * GH200, Megatron(1, 4, recompute="full"))
    rows = only(plan).rows(3)
    assert len(rows) == 4
    assert rows[-1][-1] == "yes"
    (cell,) = layouts_json(plan)["cells"]
    assert len(cell["layouts"]) == len(only(plan).options) > 10
    (taken,) = [one for one in cell["layouts"] if one["taken"]]
    assert taken["layout"] == rows[-1][0] == "4 pipeline × 12 data parallel, recomputed"
    assert taken["why_not"] is None
    assert taken["estimated"]["memory_bytes_per_device"]["weights"] > 0
