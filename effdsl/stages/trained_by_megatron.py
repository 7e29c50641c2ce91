"""What Megatron-Core can train, how it is laid out, and why not: while planning, without starting it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, singledispatch

from effdsl.costs.communication import HandedOut
from effdsl.costs.divided_memory import divided_memory, under_autocast
from effdsl.costs.layouts import AS_FAST, OF_MEMORY, PricedLayout, candidates, chosen
from effdsl.costs.step_time import step_time
from effdsl.declare import evolve
from effdsl.engines.megatron import (
    Megatron,
    chosen_layout,
    lacking_in_megatron,
    layouts_of_megatron,
    memory_in_megatron,
    training_s_in_megatron,
)
from effdsl.hardware import Hardware
from effdsl.parallelism import LayoutOption, Parallelism
from effdsl.stages.lowering import NotAtAll, lowering_of
from effdsl.stages.pretraining import Pretraining
from effdsl.techniques.architecture import Architecture, Decoder
from effdsl.techniques.attention.gqa import GQA
from effdsl.techniques.attention.mla import MLA
from effdsl.techniques.feed_forward import MoE
from effdsl.techniques.technique import AttentionTechnique, FeedForwardTechnique
from effdsl.workload import MemoryEstimate

ASKED = "the study asks for another"


@chosen_layout.register
@lru_cache(maxsize=1024)  # asked for what is lacking, and for the key
def _layout(workload: Pretraining, hardware: Hardware, engine: Megatron) -> Megatron:
    """The layout that fits and is predicted to be the fastest; where none can be had, the plainest."""
    best = chosen(_candidates(workload, hardware, engine))
    return _said_in_full(engine, Parallelism() if best is None else best.parallelism)


def _candidates(workload: Pretraining, hardware: Hardware, engine: Megatron) -> tuple[PricedLayout, ...]:
    """What ``engine`` leaves to be chosen from, with what each would take and why it may be refused."""

    def refuses(parallelism: Parallelism) -> str:
        return next(not_laid_out(workload, hardware, _said_in_full(engine, parallelism)), "")

    def is_asked(parallelism: Parallelism) -> bool:
        return parallelism == _said_in_full(engine, parallelism).parallelism(hardware)

    return candidates(workload, hardware, refuses, is_asked)


def _said_in_full(engine: Megatron, parallelism: Parallelism) -> Megatron:
    """``engine``, and where it leaves something open what ``parallelism`` says."""
    shares_tokens = engine.sequence_parallel
    tensor_parallel = engine.tensor_parallel or parallelism.tensor
    return evolve(
        engine,
        tensor_parallel=tensor_parallel,
        pipeline_parallel=engine.pipeline_parallel or parallelism.pipeline,
        expert_parallel=engine.expert_parallel or parallelism.expert,
        context_parallel=engine.context_parallel or parallelism.context,
        sequence_parallel=tensor_parallel > 1 if shares_tokens is None else shares_tokens,
        recompute=engine.recompute or ("full" if parallelism.recomputes else "none"),
    )


@memory_in_megatron.register
def _memory(workload: Pretraining, hardware: Hardware, engine: Megatron) -> MemoryEstimate:
    return divided_memory(workload, engine.parallelism(hardware), under_autocast(workload.dtype))


@training_s_in_megatron.register
def _training_s(workload: Pretraining, hardware: Hardware, engine: Megatron) -> float | None:
    """Of several devices, for which the model of a step's time was made."""
    step = step_time(workload, hardware, engine.parallelism(hardware), HandedOut())
    return None if step is None or hardware.count == 1 else workload.budget.steps * step.seconds


@layouts_of_megatron.register
def _layouts(workload: Pretraining, hardware: Hardware, engine: Megatron) -> tuple[LayoutOption, ...]:
    """All, whatever the study asks for; what cannot be done last."""
    if hardware.count == 1:
        return ()
    taken = engine.parallelism(hardware)
    whole_tokens = taken.tensor > 1 and not taken.sequence_parallel
    found = _candidates(workload, hardware, Megatron(sequence_parallel=False if whole_tokens else None))
    mine = next((one for one in found if one.parallelism == taken), None)

    def option(one: PricedLayout) -> LayoutOption:
        why_not = "" if one is mine else _why_not(one, mine, hardware)
        return LayoutOption(str(one.parallelism), one.memory, one.seconds, why_not)

    def rank(one: PricedLayout) -> tuple[bool, bool, float]:
        return bool(one.refused), not one.fits, one.seconds or 0.0

    return tuple(map(option, sorted(found, key=rank)))


def _why_not(one: PricedLayout, taken: PricedLayout | None, hardware: Hardware) -> str:
    if reason := one.refused or one.memory.against(hardware.memory, OF_MEMORY):
        return reason
    if taken is None:
        return ASKED
    if taken.seconds is None or one.seconds is None:
        return "divides the model more" if one.effort > taken.effort else ASKED
    slower = one.seconds / taken.seconds - 1
    if slower > AS_FAST - 1:
        return f"{slower:.0%} slower"
    return "as fast, and divides the model more" if one.effort > taken.effort else ASKED


@lacking_in_megatron.register
def _lacking(workload: Pretraining, hardware: Hardware, engine: Megatron) -> str:
    return next(not_laid_out(workload, hardware, _layout(workload, hardware, engine)), "")


def not_laid_out(workload: Pretraining, hardware: Hardware, engine: Megatron) -> Iterator[str]:
    """Why Megatron-Core cannot divide ``workload`` as ``engine`` says, which leaves nothing open; each reason
    with what to do instead."""
    lowered, shape = lowering_of(workload.architecture), workload.architecture.shape
    tensor, stages = engine.tensor_parallel or 1, engine.pipeline_parallel or 1
    if isinstance(lowered, NotAtAll):
        yield f"{lowered.no_pipeline}; take engine=Torch()"
    if (engine.context_parallel or 1) > 1:
        yield (
            "context_parallel wants TransformerEngine's attention, which the environment megatron has not; "
            "any other would be wrong without a word: leave it out"
        )
    if hardware.count % engine.model_parallel():
        yield (
            f"tensor_parallel={tensor} times pipeline_parallel={stages} does not divide {hardware.count} "
            f"devices; take {engine.model_parallel()} devices, or a multiple of them"
        )
    if stages > 1:
        if lowered.no_pipeline:
            yield f"{lowered.no_pipeline}; take pipeline_parallel=1"
        if shape.layers % stages:
            yield _indivisible("pipeline_parallel", stages, shape.layers, "layers")
    if tensor > hardware.devices_of_a_node:
        yield (
            f"tensor_parallel={tensor} sends what its devices compute to each other in every layer, and "
            f"{hardware.devices_of_a_node} are in one machine; take as many at most, and pipeline_parallel="
        )
    if tensor > 1:
        if lowered.no_tensor_parallel:
            yield f"{lowered.no_tensor_parallel}; take tensor_parallel=1"
        else:
            yield from _matrices(workload.architecture, tensor)
        yield from _tokens(workload, engine)
    elif engine.sequence_parallel:
        yield "sequence_parallel divides tokens among the devices of tensor_parallel; give that too"
    yield from _experts(workload.architecture, hardware, engine)


def _matrices(architecture: Architecture, devices: int) -> Iterator[str]:
    """Why the matrices cannot be divided among so many ``devices``."""
    shape, degree = architecture.shape, "tensor_parallel"
    if shape.vocab_size % devices:
        yield _indivisible(degree, devices, shape.vocab_size, "tokens of the vocabulary")
    if shape.heads % devices:
        yield _indivisible(degree, devices, shape.heads, "heads")
    if isinstance(architecture, Decoder):
        yield from attention_undivided(architecture.attention, devices)
        width = inner_width(architecture.feed_forward, architecture)
        if width % devices:
            yield _indivisible(degree, devices, width, "columns of the feed-forward layer")


@singledispatch
def attention_undivided(attention: AttentionTechnique, devices: int) -> Iterator[str]:
    """Why what an attention has besides heads cannot be divided among ``devices``."""
    yield from ()


@attention_undivided.register
def _(attention: GQA, devices: int) -> Iterator[str]:
    if attention.kv_heads % devices:
        yield _indivisible("tensor_parallel", devices, attention.kv_heads, "key-value heads")


@attention_undivided.register
def _(attention: MLA, devices: int) -> Iterator[str]:
    if attention.q_rank is not None and attention.q_rank % devices:
        yield _indivisible("tensor_parallel", devices, attention.q_rank, "elements of the query's latent")


@singledispatch
def inner_width(feed_forward: FeedForwardTechnique, architecture: Decoder) -> int:
    """How wide a feed-forward layer of Megatron-Core's is inside."""
    return architecture.shape.intermediate_size


@inner_width.register
def _(feed_forward: MoE, architecture: Decoder) -> int:
    return feed_forward.width()


def _tokens(workload: Pretraining, engine: Megatron) -> Iterator[str]:
    tensor, context_length = engine.tensor_parallel or 1, workload.budget.context_length
    if engine.sequence_parallel and context_length % tensor:
        yield _indivisible("tensor_parallel", tensor, context_length, "tokens of a sequence")
    if not engine.sequence_parallel and workload.architecture.experts is not None:
        yield "Megatron-Core trains experts under tensor_parallel only with sequence_parallel=True"


def _experts(architecture: Architecture, hardware: Hardware, engine: Megatron) -> Iterator[str]:
    devices, copies = engine.expert_parallel or 1, engine.data_parallel(hardware)
    if devices == 1:
        return
    lowered, experts = lowering_of(architecture), architecture.experts
    if experts is None:
        yield "there are no experts to share; take expert_parallel=1"
    elif lowered.no_tensor_parallel:
        yield f"{lowered.no_tensor_parallel}, nor share its experts; take expert_parallel=1"
    elif experts % devices:
        yield _indivisible("expert_parallel", devices, experts, "experts")
    elif copies % devices:
        yield (
            f"expert_parallel={devices} does not divide the {copies} devices that share a batch; take fewer, "
            "or more devices"
        )


def _indivisible(degree: str, devices: int, number: int, what: str) -> str:
    allowed = ", ".join(str(n) for n in range(1, min(number, 64) + 1) if number % n == 0)
    return f"{degree}={devices} does not divide {number} {what}; allowed: {allowed}"
