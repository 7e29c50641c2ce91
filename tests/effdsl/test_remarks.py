"""What a plan remarks of cells that are not quite what their names promise."""

from __future__ import annotations

import pytest

from effdsl import (
    GELU,
    GH200,
    ISO_FLOP,
    MHA,
    MLA,
    MQA,
    NSA,
    Aspect,
    AspectRatio,
    Attention,
    B,
    Backbone,
    Budget,
    FeedForward,
    M,
    Mamba,
    Mamba2,
    MoE,
    Pythia,
    Study,
    SwiGLU,
)
from effdsl.axes import Axis
from effdsl.display import plan_json, plan_table
from effdsl.hardware import Hardware
from effdsl.planner import make_plan
from effdsl.shapes import DEEPEST, SHALLOWEST, shape_for
from effdsl.units import Count

LAPTOP = Hardware(name="a laptop", kind="cpu")


def remarks(axis: Axis, scale: Count, context_length: int = 256) -> list[str]:
    budget = Budget(steps=1, context_length=context_length)
    plan = make_plan(Study(axis, [scale], hw=GH200, budget=budget), LAPTOP)
    return [cell.remark for cell in plan.cells]


def test_a_cell_far_smaller_than_its_scale_is_remarked() -> None:
    """At 0.5B Qwen2.5's SwiGLU is wider than GELU by half, so GELU makes a model of another size."""
    swiglu, gelu = remarks(FeedForward([SwiGLU, GELU]), 0.5 * B)
    assert swiglu == ""
    assert gelu == "32% fewer parameters than 0.5B's usual transformer"


def test_experts_are_weighed_by_what_a_token_meets() -> None:
    """Experts as wide as the dense layer cost more; those that cost the same are no other size."""
    full, same_cost = remarks(FeedForward([MoE, MoE(expert_width=ISO_FLOP)]), 3 * M)
    assert full == "64% more active parameters than 3M's usual transformer"
    assert same_cost == ""


@pytest.mark.parametrize("scale", [3 * M, 0.5 * B, 1.5 * B, 3 * B], ids=str)
def test_cells_of_about_one_size_are_not_remarked(scale: Count) -> None:
    assert remarks(Attention([MHA, MQA, MLA]), scale) == [""] * 3
    assert remarks(Backbone([Pythia, Mamba, Mamba2]), scale) == [""] * 3


def test_a_ratio_that_no_shape_comes_near_is_remarked() -> None:
    """At 3M every ratio is 7 x 192, which is 27."""
    assert remarks(Aspect([AspectRatio(16)]), 3 * M) == [
        "a ratio of 16 was asked for, the nearest at 3M is 27.4"
    ]
    assert remarks(Aspect([AspectRatio(27)]), 3 * M) == [""]


def test_a_ratio_within_a_range_of_the_hint_is_the_shape_it_names() -> None:
    """The ranges cover every whole ratio once, and hold against the shapes themselves."""
    from effdsl.stages.remarks import ratios_at

    said = ratios_at(4 * M, 2048).removeprefix("at 4M a ratio of ").split(", ")
    covered = []
    for words in said:
        ratios, _, name = words.partition(" is ")
        low, _, high = ratios.partition(" to ")
        for ratio in range(int(low), int(high or low) + 1):
            covered.append(ratio)
            shape = shape_for(4 * M, 2048, float(ratio))
            assert name == f"{shape.layers} x {shape.hidden_size}"
    assert covered == list(range(DEEPEST, SHALLOWEST + 1))


def test_compressed_blocks_longer_than_the_context_are_remarked() -> None:
    """That branch of NSA never has a key."""
    (never,) = remarks(Attention([NSA(compress_block=1024, phi="mean")]), 3 * M, 256)
    assert never == "nothing compressed: no block of 1,024 fits the context"
    (just,) = remarks(Attention([NSA(compress_block=256, phi="mean")]), 3 * M, 256)
    assert just == ""
    (both,) = remarks(Attention([NSA(compress_block=1024, phi="mean")]), 3 * M, 64)
    assert both.startswith("not sparse: 4 blocks of 16 hold the whole context; nothing compressed")
    (larger,) = remarks(Attention([NSA(compress_block=1024)]), 3 * M, 256)
    assert "276% more parameters" in larger  # of the matrices that would compress


def test_a_remark_is_in_the_table_and_in_the_document() -> None:
    plan = make_plan(Study(FeedForward([GELU]), [0.5 * B]), LAPTOP)
    table = plan_table(plan)
    assert "32% fewer parameters" in table.rows[0][table.columns.index("reason")]
    assert "32% fewer parameters" in plan_json(plan)["cells"][0]["remark"]
