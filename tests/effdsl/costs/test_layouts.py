"""Which layout is chosen, what it needs, and why others are left out."""

from __future__ import annotations

import attrs
import pytest

from effdsl import GB, GH200, GQA, H200, MoE, NoPE
from effdsl.costs.divided_memory import divided_memory, in_megatron_lm, under_autocast
from effdsl.costs.layouts import OF_MEMORY, candidates, chosen
from effdsl.declare import evolve
from effdsl.hardware import Hardware
from effdsl.parallelism import Parallelism
from effdsl.shapes import QWEN, Shape, shape_for
from effdsl.techniques.architecture import Architecture, Decoder
from effdsl.techniques.feed_forward import GELU, SwiGLU
from effdsl.training import TrainingBudget
from effdsl.units import Count
from effdsl.workload import MemoryEstimate

VOCABULARY = 151_936
BUDGET = TrainingBudget(10, 96, 8192, 1)
CLUSTER = 48 * GH200


def of(billions: float) -> Decoder:
    scale = Count(round(billions * 1e9))
    shape = Shape(*QWEN[scale], vocab_size=VOCABULARY) if scale in QWEN else shape_for(scale, VOCABULARY)
    return Decoder(shape, GQA(), NoPE(), SwiGLU())


@attrs.frozen
class Training:
    """A decoder and how much of it is trained in a step."""

    architecture: Architecture
    budget: TrainingBudget = BUDGET
    dtype: str = "bfloat16"


def megatron_memory(work: Training, parallelism: Parallelism) -> MemoryEstimate:
    return divided_memory(work, parallelism, in_megatron_lm(work.dtype))


def anything(parallelism: Parallelism) -> str:
    return ""


def best(work: Training, hardware: Hardware) -> Parallelism:
    found = chosen(candidates(work, hardware, anything))
    assert found is not None
    return found.parallelism


@pytest.mark.parametrize("billions", [0.5, 1.5, 3])
@pytest.mark.parametrize("hardware", [CLUSTER, 8 * H200], ids=str)
def test_a_dense_model_that_fits_is_copied(billions: float, hardware: Hardware) -> None:
    """The paper's sizes, a sequence at a time: nothing is sent within a layer, and gradients are hidden."""
    assert best(Training(of(billions)), hardware) == Parallelism(data=hardware.count)


def test_a_model_that_does_not_fit_is_divided_no_further_than_it_takes() -> None:
    """14B: 70 GB of weights and gradients are too much for a copy; a quarter of them is not."""
    work = Training(of(14))
    found = best(work, CLUSTER)
    assert found.effort > Parallelism(data=48).effort
    most = OF_MEMORY * 96e9
    assert divided_memory(work, found, under_autocast("bfloat16")).total <= most
    fewer = [
        c for c in candidates(work, CLUSTER, anything) if c.parallelism.effort < found.effort and c.possible
    ]
    fastest = chosen(candidates(work, CLUSTER, anything))
    assert fastest is not None
    assert fastest.time is not None
    assert all(one.time is not None and one.time.seconds > 1.03 * fastest.time.seconds for one in fewer)


def test_what_an_engine_refuses_is_not_chosen_and_keeps_its_reason() -> None:
    """Of 14B, where matrices cannot be shared, a pipeline or recomputing is left."""

    def refuses(parallelism: Parallelism) -> str:
        return "no two devices share a matrix" if parallelism.tensor > 1 else ""

    found = candidates(Training(of(14)), CLUSTER, refuses)
    picked = chosen(found)
    assert picked is not None
    assert picked.parallelism.tensor == 1
    assert {one.refused for one in found if one.parallelism.tensor > 1} == {"no two devices share a matrix"}
    assert chosen(candidates(Training(of(14)), CLUSTER, lambda parallelism: "never")) is None


def test_only_what_a_study_asks_for_is_considered() -> None:
    found = candidates(Training(of(3)), CLUSTER, anything, lambda way: way.pipeline == 4)
    assert found
    assert {one.parallelism.pipeline for one in found} == {4}


def test_every_layout_uses_all_devices_and_leaves_no_remainder() -> None:
    """Layers by stages, experts and copies by those that share them, sequences by copies; tensor parallelism
    stays within a machine."""
    moe = Training(evolve(of(0.5), feed_forward=MoE(experts=6).resolve(of(0.5).shape)))
    found = [candidate.parallelism for candidate in candidates(moe, CLUSTER, anything)]
    assert len(set(found)) == len(found) > 50
    for way in found:
        assert way.devices == 48
        assert way.tensor in {1, 2, 4}
        assert 24 % way.pipeline == 6 % way.expert == way.data % way.expert == 96 % way.data == 0


def test_experts_that_do_not_fit_are_shared() -> None:
    """3B with eight experts has 20B parameters; no copy of them fits a device of 96 GB."""
    work = Training(evolve(of(3), feed_forward=MoE().resolve(of(3).shape)))
    whole = megatron_memory(work, Parallelism(data=48))
    shared = megatron_memory(work, Parallelism(expert=8, data=48))
    assert whole.total > 96e9
    experts = 36 * 8 * 3 * 2048 * 11008
    assert whole.weights - shared.weights == pytest.approx(2 * experts * 7 / 8)
    assert whole.optimizer == pytest.approx(shared.optimizer)  # divided among all copies either way
    assert not candidates(work, CLUSTER, anything, lambda way: way == Parallelism(data=48))[0].fits


def test_states_of_a_parameter_are_those_of_megatron() -> None:
    """6 + 12 / D bytes of each parameter in bfloat16, 8 + 8 / D in float32 (theoretical_memory_usage.py)."""
    decoder = of(1.5)
    parameters = decoder.parameters(8192)
    for dtype, each in (("bfloat16", 6 + 12 / 24), ("float32", 8 + 8 / 24)):
        found = megatron_memory(Training(decoder, dtype=dtype), Parallelism(data=24))
        assert found.weights + found.gradients + found.optimizer == pytest.approx(each * parameters)
    embedding = VOCABULARY * 1536
    staged = megatron_memory(Training(decoder), Parallelism(tensor=2, pipeline=2, data=24))
    divided = (parameters - embedding) / 4 + embedding / 2
    assert staged.weights + staged.gradients + staged.optimizer == pytest.approx(6.5 * divided)


def test_our_engine_keeps_weights_in_float32_and_a_copy_for_each_micro_batch() -> None:
    """8 + 8 / D bytes, and two of a copy under autocast; on the first of four stages of four copies."""
    decoder = evolve(of(1.5), shape=evolve(of(1.5).shape, vocab_size=2048))
    work, each = Training(decoder), under_autocast("bfloat16")
    whole = divided_memory(work, Parallelism(data=48), each)
    assert whole.weights == 6 * decoder.parameters(8192)
    assert whole.optimizer == pytest.approx(8 * decoder.parameters(8192) / 48)
    embedding = 2048 * 1536
    staged = divided_memory(work, Parallelism(pipeline=4, data=12), each)
    stage = (decoder.parameters(8192) - embedding) / 4 + embedding
    assert staged.weights == pytest.approx((4 + 4 * 2) * stage)
    assert divided_memory(
        Training(decoder, dtype="float32"), Parallelism(data=48), under_autocast("float32")
    ).weights == 4 * decoder.parameters(8192)


def test_activations_are_about_those_that_megatron_counts() -> None:
    """18 d + 4 f bytes per token and layer of a GPT; computed again, inputs and one layer."""
    shape = Shape(24, 2048, 16, 128, 8192, 50_304)
    work = Training(Decoder(shape, GQA(kv_heads=16), NoPE(), GELU()), TrainingBudget(1, 8, 4096, 1))
    kept = megatron_memory(work, Parallelism(data=8)).activations
    assert kept == pytest.approx(24 * 4096 * (18 * 2048 + 4 * 8192), rel=0.1)
    again = megatron_memory(work, Parallelism(data=8, recomputes=True)).activations
    assert again == pytest.approx(24 * 4096 * 2 * 2048 + kept / 24)
    shared = megatron_memory(work, Parallelism(tensor=2, data=4, sequence_parallel=True)).activations
    assert shared == pytest.approx(kept / 2)
    half = megatron_memory(work, Parallelism(tensor=2, data=4)).activations
    assert half == pytest.approx(kept / 2 + 24 * 4096 * 5 * 2048)


def test_the_first_stage_keeps_as_many_micro_batches_as_there_are_stages() -> None:
    """With four or more of them; with fewer, those that there are. (Few words: the last stage's logits are
    small.)"""
    decoder = evolve(of(1.5), shape=evolve(of(1.5).shape, vocab_size=2048))
    work = Training(decoder)
    one = megatron_memory(work, Parallelism(data=48)).activations
    assert megatron_memory(work, Parallelism(pipeline=4, data=12)).activations == pytest.approx(one)
    few = evolve(BUDGET, batch_size=24)
    first = megatron_memory(Training(decoder, few), Parallelism(pipeline=4, data=12))
    assert first.activations == pytest.approx(one / 2)


def test_without_rates_the_model_is_divided_as_little_as_fits() -> None:
    """Of a device whose peak nobody knows, its memory still decides."""
    mine = Hardware("mine", count=8, memory=GH200.memory, bf16=True)
    found = chosen(candidates(Training(of(3)), mine, anything))
    assert found is not None
    assert found.time is None
    assert found.parallelism == Parallelism(data=8)


def test_where_nothing_fits_the_smallest_is_named() -> None:
    """So that a plan can say how much would be missing."""
    small = evolve(CLUSTER, memory=1 * GB)
    found = candidates(Training(of(3)), small, anything)
    picked = chosen(found)
    assert picked is not None
    assert not picked.fits
    assert picked.memory.total == min(one.memory.total for one in found)
