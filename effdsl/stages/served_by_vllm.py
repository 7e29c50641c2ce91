"""What vLLM can serve, and the memory that it takes: by format and kind of device, without starting it.

Of vLLM 0.32 with weights in the layout of compressed-tensors, which both its builds read.
"""

from __future__ import annotations

from functools import singledispatch

import attrs

from effdsl.costs.generating import generating_memory, kv_bytes_per_token
from effdsl.engines.vllm import VLLM, lacking_in_vllm, memory_in_vllm
from effdsl.evaluation import Perplexity
from effdsl.hardware import Hardware
from effdsl.load import Batches, ClosedLoop, ResolvedLoad
from effdsl.stages.generation import Inference
from effdsl.subjects.trained import TrainedWeights
from effdsl.techniques.precision.calibrated import AWQ, GPTQ
from effdsl.techniques.precision.floating import FP8
from effdsl.techniques.precision.integers import INT4, INT8, Grouped
from effdsl.techniques.precision.normal_float import NF4
from effdsl.techniques.precision.weight_format import WeightFormat
from effdsl.workload import MemoryEstimate

SEQUENCES = 256
"""Computed together, at most, of requests that arrive at any time."""
GROUP_SIZES = (32, 64, 128)
"""That vLLM's kernels for 4-bit integers take, on every device."""
BLOCK = 128
"""Tokens of a block of the cache on a CPU."""
HALVES = ("bfloat16", "float16")
UNKNOWN_POOL = 1 << 30
"""Bytes for keys and values on a CPU, of a model whose matrices nothing here knows."""


@singledispatch
def not_in_vllm(format: WeightFormat, kind: str) -> str:
    """Why vLLM takes no weights in ``format`` on a device of ``kind``; empty where it does."""
    return ""


@not_in_vllm.register
def _(format: Grouped, kind: str) -> str:
    return f"vLLM has no kernel for {format.bits}-bit integers"


@not_in_vllm.register
def _(format: INT4, kind: str) -> str:
    return _group_size(format.group_size)


@not_in_vllm.register
def _(format: AWQ, kind: str) -> str:
    return "weights by AWQ are not written for vLLM; those by GPTQ are"


@not_in_vllm.register
def _(format: GPTQ, kind: str) -> str:
    if format.bits != INT4.bits:
        return f"vLLM has no kernel for {format.bits}-bit integers"
    return _group_size(format.group_size)


@not_in_vllm.register
def _(format: INT8, kind: str) -> str:
    return (
        "vLLM multiplies 8-bit weights on a CPU with 8-bit activations alone: W8A8" if kind == "cpu" else ""
    )


@not_in_vllm.register
def _(format: NF4, kind: str) -> str:
    return "vLLM reads normal floats of bitsandbytes by a plug-in only"


def is_emulated(format: WeightFormat, kind: str) -> bool:
    """Whether a device of ``kind`` lacks the products of ``format``, so that time says nothing of it."""
    return isinstance(format, FP8) and kind == "cpu"


def _group_size(size: int) -> str:
    if size in GROUP_SIZES:
        return ""
    return f"vLLM's kernels take group_size={', '.join(map(str, GROUP_SIZES))}, and not {size}"


@lacking_in_vllm.register
def _lacking(work: Inference, hardware: Hardware) -> str:
    if why := not_in_vllm(work.format, hardware.kind):
        return why
    if work.format.bits < 16 and work.dtype not in HALVES:
        return f"vLLM multiplies {work.format.label()} in 16 bits, and {hardware.name} has no bfloat16"
    if isinstance(work.weights, TrainedWeights) and work.model is None:
        return f"vLLM has no model for what {work.weights.name} is: Transformers() runs it"
    others = [one.name for one in work.evaluation if not isinstance(one, Perplexity)]
    if others:
        return f"with vLLM only perplexity is evaluated, and not {others[0]}: Transformers() does"
    return ""


def max_model_len(work: Inference) -> int:
    """Tokens of a sequence, at most: of the load, and of what is evaluated, which is continued by one."""
    evaluated = [one.context_length + 1 for one in work.evaluation if isinstance(one, Perplexity)]
    return max(work.load.context_length, *evaluated, 0)


@singledispatch
def sequences_of(load: ResolvedLoad) -> int:
    """How many are computed together, at most."""
    return SEQUENCES


@sequences_of.register
def _(load: Batches | ClosedLoop) -> int:
    return load.sequences


def most_sequences(work: Inference) -> int:
    """How many ``work`` has computed together, at most."""
    return sequences_of(work.load)


def pool_bytes(work: Inference) -> int:
    """Bytes for keys and values on a CPU: as many blocks as all sequences that are computed together fill."""
    if work.model is None:
        return UNKNOWN_POOL
    blocks = most_sequences(work) * (1 - -max_model_len(work) // BLOCK) + 1
    return blocks * BLOCK * kv_bytes_per_token(work.model, work.dtype)


@memory_in_vllm.register
def _memory(work: Inference, hardware: Hardware, engine: VLLM) -> MemoryEstimate | None:
    """On a GPU at least its share of the device, whatever is in it; on a CPU what is asked for."""
    model, load = work.model, work.load
    if model is None:
        return None
    one = generating_memory(model, work.format, work.dtype, 1, load.context_length, load.prompt_tokens)
    devices = engine.tensor_parallel
    held = attrs.evolve(one, weights=one.weights // devices, cache=one.cache // devices)
    if hardware.kind == "cpu":
        return attrs.evolve(held, cache=pool_bytes(work))
    if hardware.memory is None:
        return held
    share = int(engine.gpu_memory_utilization * hardware.memory.value)
    if held.total > share:  # nothing that vLLM may take is enough for a sequence
        return attrs.evolve(held, slack=hardware.memory.value - share)
    return attrs.evolve(held, cache=held.cache + share - held.total)
