"""Positions as declared: names, refusals, prices, and what they go together with."""

import pytest

from effdsl import (
    GQA,
    MHA,
    MLA,
    MQA,
    NSA,
    ALiBi,
    Attention,
    Backbone,
    Budget,
    Learned,
    M,
    MoBA,
    NoPE,
    Position,
    Pythia,
    RoPE,
    Sinusoidal,
    Study,
    StudyError,
    T5Bias,
)
from effdsl.hardware import Hardware
from effdsl.plan import TaskState
from effdsl.planner import make_plan
from effdsl.shapes import Shape, shape_for
from effdsl.techniques.architecture import Decoder
from effdsl.techniques.technique import AttentionTechnique, PositionTechnique, Unsupported

LAPTOP = Hardware(name="a laptop", kind="cpu")
SMALL = shape_for(3 * M, 2048)
EVERY = [RoPE(), Sinusoidal(), Learned(), T5Bias(), ALiBi(), NoPE()]
BIASES = (T5Bias, ALiBi)


def decoder(position: PositionTechnique, attention: AttentionTechnique | None = None) -> Decoder:
    return Decoder(SMALL, (attention or GQA()).resolve(SMALL), position)


@pytest.mark.parametrize(
    ("position", "name"),
    [
        (Sinusoidal(), "Sinusoidal"),
        (Learned(), "Learned"),
        (ALiBi(), "ALiBi"),
        (T5Bias(), "T5Bias"),
        (T5Bias(buckets=16), "T5Bias(buckets=16)"),
        (RoPE(fraction=0.25), "RoPE(fraction=0.25)"),
    ],
    ids=str,
)
def test_a_position_is_called_by_its_class_and_what_differs(position: PositionTechnique, name: str) -> None:
    assert position.label(SMALL) == name


def test_only_what_is_learned_has_parameters() -> None:
    without = decoder(NoPE()).parameters(256)
    more = {type(p).__name__: decoder(p).parameters(256) - without for p in EVERY}
    learned = {"Learned": 256 * SMALL.hidden_size, "T5Bias": 32 * SMALL.heads}
    assert more == {"RoPE": 0, "Sinusoidal": 0, "ALiBi": 0, "NoPE": 0} | learned


@pytest.mark.parametrize("position", EVERY, ids=str)
def test_a_position_changes_neither_matrix_products_nor_the_cache(position: PositionTechnique) -> None:
    this, without = decoder(position), decoder(NoPE())
    for context in (1, 256):
        assert this.train_flops_per_token(context) == without.train_flops_per_token(context)
        assert this.causal_train_flops_per_token(context) == without.causal_train_flops_per_token(context)
        assert this.cache_bytes(context, "float32") == without.cache_bytes(context, "float32")


def test_only_a_learned_bias_keeps_more_the_longer_the_context() -> None:
    def grown(position: PositionTechnique) -> float:
        long, short = (decoder(position).dense_masks_per_token(n) for n in (512, 256))
        return long - short

    expected = {type(p).__name__: 0 for p in EVERY} | {"T5Bias": SMALL.layers * SMALL.heads * 256}
    assert {type(p).__name__: grown(p) for p in EVERY} == expected


def test_every_attention_takes_every_position_but_sparse_ones_no_bias() -> None:
    sparse = (NSA, MoBA)
    axes = Attention([MHA, MQA, GQA, MLA, NSA, MoBA]) * Position(EVERY)
    plan = make_plan(Study(axes, [3 * M], budget=Budget(steps=10)), LAPTOP)
    assert len(plan.cells) == 36
    for cell in plan.cells:
        refused = isinstance(cell.choice.attention, sparse) and isinstance(cell.choice.position, BIASES)
        assert (cell.cell is None) == refused, cell.labels.technique
    assert {task.state for task in plan.tasks} == {TaskState.NEW}
    reasons = {cell.labels.technique: cell.unsupported for cell in plan.cells if cell.unsupported}
    assert reasons == {
        f"{name} · {bias.__name__}": f"{name} takes no {bias.__name__}: {why}"
        for bias in BIASES
        for name, why in {
            "NSA": "a compressed key stands for many tokens, so it has no one distance",
            "MoBA": "the mean key that selects a block has no one distance",
        }.items()
    }


def test_pythia_takes_every_position() -> None:
    plan = make_plan(Study(Backbone([Pythia]) * Position(EVERY), [3 * M], budget=Budget(steps=10)), LAPTOP)
    assert all(cell.cell is not None for cell in plan.cells)


def test_waves_want_an_even_width() -> None:
    with pytest.raises(Unsupported, match="hidden_size=9 is odd"):
        Sinusoidal().resolve(Shape(1, 9, 1, 9, 32, 10))


@pytest.mark.parametrize(
    ("buckets", "max_distance", "message"),
    [
        (1, 128, "buckets=1 tells no distances apart"),
        (0, 128, "must be a whole number of at least 1"),
        (32, 16, "max_distance=16 leaves nothing beyond the first 16 distances"),
    ],
)
def test_buckets_that_cannot_be_are_refused_where_they_are_declared(
    buckets: int, max_distance: int, message: str
) -> None:
    with pytest.raises(StudyError, match=message):
        T5Bias(buckets=buckets, max_distance=max_distance)
