"""1.5B parameters at fewer bits: tokens per second of one sequence and of sixteen, watts, J per token."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from effdsl_runtime.device import DTYPES
from effdsl_runtime.generating.request_times import Request, of_loads, summary
from effdsl_runtime.generating.timed_batches import continue_batch
from effdsl_runtime.observation import Iteration, Observation, Window
from effdsl_runtime.probes import Sampler
from effdsl_runtime.quantizing import quantize
from effdsl_runtime.recording.metric_values import measure as metrics_of_task
from effdsl_runtime.stages import inference  # noqa: F401  registers its metrics

from effdsl import PythonHelp
from effdsl.engines.transformers import Transformers
from effdsl.language_model import language_model
from effdsl.load import Batches
from effdsl.stages.generation import ROUNDS, Inference
from effdsl.task import Cell, Task
from effdsl.techniques import precision
from effdsl.techniques.precision.weight_format import WeightFormat
from gpu_parts.public_shape import config_of, random_model, weights_of
from gpu_parts.setting import Row, Setting

SECONDS = 70.0
FORMATS = ("BF16", "FP8", "INT4", "INT8", "NF4")
METRICS = (
    "it_tokens_per_s",
    "batched_tokens_per_s",
    "ttft_s",
    "decode_tokens_per_s",
    "aec_w",
    "energy_j_per_output_token",
    "memory_over_baseline_gb",
)


def cases(setting: Setting) -> Sequence[str]:
    return FORMATS


def measure(setting: Setting, case: str) -> Row:
    config = config_of(setting)
    shape = language_model(config)
    assert shape is not None
    chosen: WeightFormat = getattr(precision, case)()
    dtype = chosen.dtype(bf16=True)
    load = Batches(32, 8, (1, 4)) if setting.toy else Batches(512, 64, (1, 16))
    work = Inference(weights_of(shape), chosen, PythonHelp(), load, (), dtype)
    if why := Transformers().lacks(work, setting.hardware):
        return {"reason": why}
    with Sampler(setting.kind) as sampler:
        model = random_model(config, setting.device, DTYPES[dtype])
        stored = quantize(model.eval(), chosen, DTYPES[dtype])
        seen = continued(setting, model, load, shape.vocab_size)
    found = metrics_of_task(Task(Cell(work, Transformers(), setting.hardware), 0), seen, sampler.summary)
    row: Row = {"kernel": stored.kernel, "parameters": shape.parameters}
    row |= {name: found.metrics.get(name) for name in METRICS}
    row |= {"weight_gb": stored.bytes / 1e9}
    row |= {"weights_over_formula": stored.bytes / chosen.weight_bytes(shape, dtype)}
    return row | {"flags": ", ".join((*stored.flags, *sampler.flags))}


def continued(setting: Setting, model: Any, load: Batches, vocab_size: int) -> Observation:
    """Batches of each size, of random tokens: speed does not depend on what they say."""
    rows: list[dict[str, float]] = []
    windows: list[Window] = []
    iterations: list[Iteration] = []
    for size in load.batch_sizes:
        prompts = torch.randint(0, vocab_size, (1 + ROUNDS, size, load.prompt_tokens)).to(setting.device)
        _, *batches = [continue_batch(model, prompts_bt, load.new_tokens) for prompts_bt in prompts]
        calls = [Request(one.start_ns, one.tokens_ns) for one in batches]
        if not windows:
            windows = [Window(one.arrival_ns, one.tokens_ns[-1]) for one in calls]
            iterations = [Iteration(number, one.latency_s) for number, one in enumerate(calls)]
        seconds = math.fsum(one.latency_s for one in calls)
        rows.append({"batch_size": float(size), **summary(calls, load.prompt_tokens, seconds, alike=size)})
    return Observation(
        iterations=tuple(iterations),
        warmup=0,
        windows=tuple(windows),
        parameters=model.num_parameters(),
        threads=torch.get_num_threads(),
        values=of_loads(rows),
    )
