"""What vLLM is asked to do, and what it refuses: known while planning."""

from __future__ import annotations

from typing import Any

import pytest

from effdsl import (
    AWQ,
    BF16,
    FP8,
    FP16,
    FP32,
    GPTQ,
    GQA,
    INT2,
    INT3,
    INT4,
    INT8,
    MLA,
    NF4,
    NSA,
    VLLM,
    W8A8,
    Attention,
    Budget,
    Load,
    M,
    Perplexity,
    Precision,
    Study,
    StudyError,
    Trained,
)
from effdsl.costs.generating import kv_bytes_per_token
from effdsl.hardware import H100, Hardware
from effdsl.key import canonical_json
from effdsl.plan import Plan
from effdsl.planner import make_plan
from effdsl.stages.generation import Inference
from effdsl.stages.served_by_vllm import max_model_len, most_sequences, not_in_vllm, pool_bytes

LAPTOP = Hardware(name="a laptop", kind="cpu", bf16=True)
USUAL = VLLM()
SHORT = [Perplexity(context_length=64)]


def plan_of(
    format: Any, attention: Any = GQA, machine: Hardware = LAPTOP, engine: VLLM = USUAL, **more: Any
) -> Plan:
    """Of a format, on a model that is trained with ``attention``."""
    base = Study(Attention([attention]), [3 * M], budget=Budget(steps=10), repeats=1, name="base")
    study = Study(Precision([format]), models=Trained(base), repeats=1, engine=engine, **more)
    return make_plan(study, machine)


def work(**more: Any) -> Inference:
    (cell,) = plan_of(BF16, **more).cells
    assert cell.cell is not None
    assert isinstance(cell.cell.workload, Inference)
    return cell.cell.workload


CPU = {FP32: "", BF16: "", FP16: "", FP8: "", W8A8: "", INT4: "", INT8: "W8A8"}
GPU = {FP32: "", BF16: "", FP16: "", FP8: "", W8A8: "", INT4: "", INT8: ""}


@pytest.mark.parametrize(("kind", "takes"), [("cpu", CPU), ("gpu", GPU)])
def test_the_formats_that_vllm_takes(kind: str, takes: dict[Any, str]) -> None:
    """By kind of device; of what it does not take the reason names a way out."""
    for format, reason in takes.items():
        why = not_in_vllm(format(), kind)
        assert reason in why
        assert bool(why) == bool(reason)


@pytest.mark.parametrize(
    ("format", "reason"),
    [
        (INT3(), "vLLM has no kernel for 3-bit integers"),
        (INT2(), "vLLM has no kernel for 2-bit integers"),
        (GPTQ(bits=3), "vLLM has no kernel for 3-bit integers"),
        (AWQ(), "weights by AWQ are not written for vLLM; those by GPTQ are"),
        (INT4(group_size=16), "vLLM's kernels take group_size=32, 64, 128, and not 16"),
        (GPTQ(group_size=16), "vLLM's kernels take group_size=32, 64, 128, and not 16"),
        (NF4(), "vLLM reads normal floats of bitsandbytes by a plug-in only"),
    ],
)
@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_the_formats_that_vllm_has_no_kernel_for(format: Any, reason: str, kind: str) -> None:
    """On whatever device."""
    assert not_in_vllm(format, kind) == reason
    assert not_in_vllm(GPTQ(), kind) == ""


def test_what_it_refuses_is_said_in_the_plan() -> None:
    """A format, an architecture of ours, four bits without bfloat16; more devices than share the matrices."""
    old = Hardware(name="old", kind="cpu")
    reasons = {
        "vLLM has no kernel for 3-bit integers": plan_of(INT3),
        "vLLM has no model for what NSA 3M is: Transformers() runs it": plan_of(BF16, attention=NSA),
        "vLLM multiplies INT4 in 16 bits, and old has no bfloat16": plan_of(INT4, machine=old),
        "": plan_of(BF16, attention=MLA),
    }
    for reason, plan in reasons.items():
        assert [cell.unsupported for cell in plan.cells] == [reason]
    two = VLLM(tensor_parallel=2).refuses(work(), LAPTOP)
    assert two == "tensor_parallel=2, and there are 1 devices"


def test_a_sequence_is_as_long_as_the_load_or_the_text_that_is_evaluated() -> None:
    """Of which vLLM makes one token more than it reads."""
    assert max_model_len(work(load=Load(prompt_tokens=100, new_tokens=20), evaluation=SHORT)) == 120
    assert max_model_len(work(evaluation=[Perplexity(context_length=512)])) == 513


@pytest.mark.parametrize(
    ("load", "together"),
    [
        (Load(batch_size=[1, 8]), 8),
        (Load(requests=64, concurrency=4), 4),
        (Load(requests=64, rate=2), 256),
    ],
)
def test_as_many_are_computed_together_as_the_load_may_ask_for(load: Load, together: int) -> None:
    """Of requests at any time, as many as vLLM takes by itself."""
    assert most_sequences(work(load=load)) == together


def test_the_pool_on_a_cpu_holds_every_sequence_in_whole_blocks() -> None:
    """Eight of 192 tokens, in blocks of 128, and no more than a block each beside them."""
    asked = work(load=Load(prompt_tokens=128, new_tokens=64, batch_size=8), evaluation=SHORT)
    assert asked.model is not None
    token = kv_bytes_per_token(asked.model, "bfloat16")
    assert 8 * 256 * token < pool_bytes(asked) <= (8 * 3 + 1) * 128 * token


def test_on_a_gpu_its_share_of_the_memory_is_taken_whatever_is_in_it() -> None:
    """By preallocation."""
    (cell,) = plan_of(BF16, machine=H100, engine=VLLM(gpu_memory_utilization=0.5)).cells
    assert H100.memory is not None
    assert cell.memory is not None
    assert cell.memory.total == pytest.approx(0.5 * H100.memory.value, rel=1e-6)


def test_compiling_is_left_out_on_a_cpu_unless_it_is_asked_for() -> None:
    """Where it takes minutes."""
    assert [VLLM().is_eager(machine) for machine in (LAPTOP, H100)] == [True, False]
    assert not VLLM(enforce_eager=False).is_eager(LAPTOP)


def test_an_engine_is_in_the_key_as_it_is_asked_for() -> None:
    """For good: what differs in numerics or timing."""
    assert canonical_json(VLLM(tensor_parallel=2)) == (
        '{"$":"vllm-engine","enforce_eager":null,"gpu_memory_utilization":0.9,"tensor_parallel":2,"version":1}'
    )


def test_a_share_of_nothing_is_a_mistake() -> None:
    """And is said where the study stands."""
    with pytest.raises(StudyError, match="gpu_memory_utilization"):
        VLLM(gpu_memory_utilization=0)
