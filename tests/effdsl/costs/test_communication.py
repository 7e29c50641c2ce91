"""What devices send each other, by hand for GQA at 1.5B on twelve machines of four."""

from __future__ import annotations

import attrs
import pytest

from effdsl import GH200, GQA, H200, MoE, NoPE
from effdsl.costs.communication import Averaged, FullySharded, ShardedOptimizer, communication, rate_among
from effdsl.declare import evolve
from effdsl.hardware import Hardware
from effdsl.parallelism import Parallelism
from effdsl.shapes import QWEN, Shape
from effdsl.techniques.architecture import Architecture, Decoder
from effdsl.techniques.feed_forward import SwiGLU
from effdsl.training import TrainingBudget
from effdsl.units import Count

VOCABULARY = 151_936
SHAPE = Shape(*QWEN[Count(1_500_000_000)], vocab_size=VOCABULARY)
GPT = Decoder(SHAPE, GQA(), NoPE(), SwiGLU())
CLUSTER = 48 * GH200
BUDGET = TrainingBudget(10, 96, 8192, 2)


@attrs.frozen
class Training:
    """A decoder and how much of it is trained in a step."""

    architecture: Architecture = GPT
    budget: TrainingBudget = BUDGET
    dtype: str = "bfloat16"


@pytest.mark.parametrize(
    ("parallelism", "gigabytes"),
    [
        (Parallelism(data=48), 9.07),
        (Parallelism(tensor=2, data=24, sequence_parallel=True), 4.44),
        (Parallelism(tensor=4, data=12, sequence_parallel=True), 2.12),
    ],
    ids=str,
)
def test_gradients_and_weights_are_sent_once_a_step(parallelism: Parallelism, gigabytes: float) -> None:
    """(D - 1) / D of four bytes of a gradient and two of a weight: of 1.54B, a half, a quarter."""
    sent = communication(Training(), CLUSTER, parallelism, ShardedOptimizer())
    assert sent is not None
    assert sent.data.bytes / 1e9 == pytest.approx(gigabytes, rel=0.01)


@pytest.mark.parametrize(
    ("tensor", "micro_batches", "gigabytes"), [(2, 1, 5.64), (2, 42, 237), (4, 1, 8.46), (4, 84, 710)]
)
def test_matrices_that_are_shared_cost_eight_transfers_a_layer(
    tensor: int, micro_batches: int, gigabytes: float
) -> None:
    """8 (t - 1) / t of 2 x 8192 tokens, 1,536 wide, two bytes each, in 28 layers, with each micro-batch."""
    copies = 48 // tensor
    budget = TrainingBudget(10, 2 * copies * micro_batches, 8192, 2)
    divided = Parallelism(tensor=tensor, data=copies, sequence_parallel=True)
    sent = communication(Training(budget=budget), CLUSTER, divided, ShardedOptimizer())
    assert sent is not None
    assert sent.tensor.bytes / 1e9 == pytest.approx(gigabytes, rel=0.01)
    again = communication(
        Training(budget=budget), CLUSTER, attrs.evolve(divided, recomputes=True), ShardedOptimizer()
    )
    assert again is not None
    assert again.tensor.bytes == pytest.approx(1.5 * sent.tensor.bytes)


def test_stages_send_what_one_layer_makes_and_its_gradient() -> None:
    """Four times 2 x 8192 tokens, 1,536 wide, two bytes each, with each of two micro-batches."""
    sent = communication(Training(), CLUSTER, Parallelism(pipeline=2, data=24), ShardedOptimizer())
    assert sent is not None
    assert sent.pipeline.bytes == 2 * 4 * 2 * 8192 * 1536 * 2


def test_experts_get_each_token_as_often_as_it_chooses() -> None:
    """There and back, forward and backward, to two experts each in 28 layers; half of them stay."""
    work = Training(evolve(GPT, feed_forward=MoE(experts=8, top_k=2).resolve(SHAPE)))
    shared = Parallelism(expert=2, data=48)
    sent = communication(work, CLUSTER, shared, ShardedOptimizer())
    assert sent is not None
    assert sent.expert.bytes == 4 * 2 * 28 * (2 * 8192 * 1536 * 2) / 2
    whole = communication(work, CLUSTER, attrs.evolve(shared, expert=1), ShardedOptimizer())
    assert whole is not None
    assert whole.expert.bytes == 0
    # an expert's gradient is reduced over 24 devices that have it, of half as many experts
    experts = 28 * 8 * 3 * 1536 * 8960
    assert whole.data.bytes - sent.data.bytes == pytest.approx(6 * experts * (47 / 48 - 23 / 24 / 2))


def test_copies_send_gradients_alone_and_shards_their_weights_with_every_micro_batch() -> None:
    """DDP: twice (D - 1) / D of four bytes. FSDP2: weights twice a micro-batch, gradients once."""
    budget = TrainingBudget(10, 96, 8192, 4)
    work, alone = Training(budget=budget), Parallelism(data=8)
    parameters = GPT.parameters(8192)
    copied = communication(work, 8 * H200, alone, Averaged())
    sharded = communication(work, 8 * H200, alone, FullySharded())
    assert copied is not None
    assert sharded is not None
    assert copied.data.bytes == pytest.approx(7 / 8 * 8 * parameters)
    assert sharded.data.bytes == pytest.approx(7 / 8 * (2 * 4 * 3 + 4) * parameters)
    assert communication(work, H200, Parallelism(), Averaged()) == communication(
        work, H200, Parallelism(), FullySharded()
    )


def test_a_ring_leaves_a_machine_through_as_many_adapters_as_it_has_members_there() -> None:
    """Within a machine NVLink; of twelve machines of four, four adapters of 25 GB/s for each ring, or one."""
    assert GH200.interconnect is not None
    assert GH200.network is not None
    assert rate_among(CLUSTER, 4, 1) == rate_among(4 * GH200, 4, 1) == 0.85 * GH200.interconnect
    assert rate_among(CLUSTER, 48, 1) == 0.85 * 4 * GH200.network
    assert rate_among(CLUSTER, 12, 4) == 0.85 * GH200.network


def test_what_a_link_takes_is_unknown_where_the_link_is() -> None:
    mine = Hardware("mine", count=2, peak_flops={"bfloat16": 1e15}, bandwidth=1e12)
    assert communication(Training(), mine, Parallelism(data=2), Averaged()) is None
    joined = evolve(mine, interconnect=1e11)
    assert communication(Training(), joined, Parallelism(data=2), Averaged()) is not None
    apart = evolve(joined, per_node=1)
    assert communication(Training(), apart, Parallelism(data=2), Averaged()) is None
