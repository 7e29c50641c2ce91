"""How Megatron-Core is to divide a model, and what it is refused: known while planning."""

from __future__ import annotations

import re
from typing import Any

import pytest

from effdsl import (
    GQA,
    MHA,
    MQA,
    NSA,
    B,
    Budget,
    M,
    Megatron,
    MoE,
    Pythia,
    Study,
    T5Bias,
    Torch,
)
from effdsl.axes import Attention, Backbone, FeedForward, Position
from effdsl.hardware import H200, Hardware
from effdsl.key import canonical_json
from effdsl.plan import Plan
from effdsl.planner import make_plan

CPU = Hardware("a machine", kind="cpu", count=4)


def plan_of(axis: Any, engine: Any, hardware: Any = CPU, scale: Any = 3 * M, **budget: Any) -> Plan:
    study = Study(axis, [scale], engine=engine, hw=hardware, budget=Budget(**budget), repeats=1)
    return make_plan(study, hardware)


def refused(axis: Any, engine: Any, hardware: Any = CPU, **budget: Any) -> str:
    (cell,) = plan_of(axis, engine, hardware, **budget).cells
    return cell.unsupported


@pytest.mark.parametrize(
    ("axis", "engine", "said"),
    [
        (Attention([GQA]), Megatron(tensor_parallel=4), "does not divide 2 key-value heads; allowed: 1, 2"),
        (Attention([MQA]), Megatron(tensor_parallel=2), "does not divide 1 key-value heads; allowed: 1"),
        (Attention([MHA]), Megatron(tensor_parallel=3), "does not divide 4 devices; take 3 devices"),
        (Attention([MHA]), Megatron(context_parallel=2), "leave it out"),
        (Attention([MHA]), Megatron(tensor_parallel=1, sequence_parallel=True), "give that too"),
        (Attention([MHA]), Megatron(expert_parallel=2), "no experts to share; take expert_parallel=1"),
        (
            Attention([NSA]),
            Megatron(tensor_parallel=2),
            "ours computes NSA, .*; take tensor_parallel=1",
        ),
        (
            Position([T5Bias]),
            Megatron(pipeline_parallel=2),
            "what T5Bias learns, .*; take pipeline_parallel=1",
        ),
        (Backbone([Pythia]), Megatron(tensor_parallel=2), "take tensor_parallel=1"),
        (FeedForward([MoE]), Megatron(expert_parallel=3), "does not divide 8 experts; allowed: 1, 2, 4, 8"),
        (FeedForward([MoE]), Megatron(expert_parallel=8), "does not divide the 4 devices that share a batch"),
        (
            FeedForward([MoE]),
            Megatron(tensor_parallel=2, sequence_parallel=False),
            "only with sequence_parallel=True",
        ),
    ],
)
def test_what_cannot_be_divided_is_unsupported_with_what_to_do(axis: Any, engine: Any, said: str) -> None:
    """Heads, layers, experts and devices are counted, and layers of our own are whole on each device."""
    assert re.search(said, refused(axis, engine)), refused(axis, engine)


def test_of_stock_modules_nothing_but_shared_sequences_is_refused_on_a_cpu() -> None:
    """As docs/megatron.md has it: the attention that knows of them is CUDA's."""
    stock = Attention([MHA]) * FeedForward([MoE])
    ways = ("tensor_parallel", "pipeline_parallel", "expert_parallel", "context_parallel")
    refusals = {way: refused(stock, Megatron(**{way: 2})) for way in ways}  # type: ignore[arg-type]
    assert [way for way, reason in refusals.items() if reason] == ["context_parallel"]
    assert not refused(stock, Megatron(recompute="full"))
    assert not refused(stock, Megatron(recompute="selective"))


def test_devices_that_share_matrices_are_of_one_machine() -> None:
    """Which has eight H200."""
    (cell,) = plan_of(Attention([MHA]), Megatron(tensor_parallel=16), 16 * H200, scale=3 * B).cells
    assert "8 are in one machine" in cell.unsupported


def test_stages_of_a_pipeline_have_as_many_layers_each() -> None:
    """28 layers of Qwen2.5's 1.5B."""
    (cell,) = plan_of(Attention([GQA]), Megatron(pipeline_parallel=8), 8 * H200, scale=1.5 * B).cells
    assert cell.unsupported == ("pipeline_parallel=8 does not divide 28 layers; allowed: 1, 2, 4, 7, 14, 28")


def test_tokens_of_a_sequence_are_divided_evenly_or_not_at_all() -> None:
    """Of 255 no two devices have as many."""
    two = Megatron(tensor_parallel=2)
    assert "tokens of a sequence" in refused(Attention([MHA]), two, context_length=255)
    whole = Megatron(tensor_parallel=2, sequence_parallel=False)
    assert not refused(Attention([MHA]), whole, context_length=255)


def test_what_is_left_open_is_decided_before_the_key_is_made() -> None:
    """So the key of ``Megatron()`` is that of the same layout said in full."""
    said = Megatron(1, 1, 1, 1, sequence_parallel=False, recompute="none")
    keys = []
    for engine in (Megatron(), said):
        (task,) = plan_of(Attention([GQA]), engine).tasks
        assert "null" not in canonical_json(task.task.engine)
        keys.append(task.address.key)
    assert keys[0] == keys[1]


def test_layouts_are_cells_of_their_own_and_so_are_engines() -> None:
    """What takes another time is another result."""
    engines = (Torch(), Megatron(), Megatron(tensor_parallel=2), Megatron(recompute="full"))
    cells = [plan_of(Attention([GQA]), engine).tasks[0].address.cell for engine in engines]
    assert len(set(cells)) == len(cells)


def test_devices_that_share_no_matrix_share_the_batch() -> None:
    """16 devices in groups of 2 by 2 are 4 copies."""
    hardware = 16 * H200
    (cell,) = plan_of(
        Attention([GQA]), Megatron(tensor_parallel=2, pipeline_parallel=2), hardware, scale=0.5 * B
    ).cells
    assert cell.cell is not None
    assert isinstance(cell.cell.engine, Megatron)
    assert cell.cell.engine.data_parallel(hardware) == 4
    assert str(cell.cell.engine.parallelism(hardware)) == "2 tensor × 2 pipeline × 4 data parallel"
    assert cell.remark == "2 tensor × 2 pipeline × 4 data parallel"
    assert cell.cell.engine.processes(hardware) == 16


def engine_of(plan: Plan) -> Megatron:
    (cell,) = plan.cells
    assert cell.cell is not None, cell.unsupported
    assert isinstance(cell.cell.engine, Megatron)
    return cell.cell.engine


def test_a_model_that_fits_is_copied_and_one_that_does_not_is_divided() -> None:
    """1.5B takes a fifth of an H200; 20B fits none of them whole."""
    small = plan_of(Attention([GQA(4)]), Megatron(), 16 * H200, scale=1.5 * B)
    assert engine_of(small).data_parallel(16 * H200) == 16
    large = plan_of(Attention([GQA(4)]), Megatron(), 64 * H200, scale=20 * B)
    engine = engine_of(large)
    assert engine.model_parallel() > 1 or engine.recompute == "full"
    (cell,) = large.cells
    assert H200.memory is not None
    assert cell.memory is not None
    assert cell.memory.total < H200.memory.value


def test_what_a_study_says_is_kept_and_the_rest_is_chosen() -> None:
    """Also where it is not the fastest."""
    engine = engine_of(plan_of(Attention([GQA]), Megatron(tensor_parallel=2), 16 * H200, scale=1.5 * B))
    assert (engine.tensor_parallel, engine.sequence_parallel) == (2, True)
    engine = engine_of(
        plan_of(
            Attention([GQA]), Megatron(recompute="selective", pipeline_parallel=2), 16 * H200, scale=1.5 * B
        )
    )
    assert (engine.pipeline_parallel, engine.recompute) == (2, "selective")


def test_experts_are_shared_where_a_device_cannot_hold_them_all() -> None:
    """Eight of 3B take 16 bytes for each of 20B parameters."""
    engine = engine_of(plan_of(FeedForward([MoE]), Megatron(), 16 * H200, scale=3 * B))
    assert (engine.expert_parallel or 1) * (engine.tensor_parallel or 1) * (engine.pipeline_parallel or 1) > 1
