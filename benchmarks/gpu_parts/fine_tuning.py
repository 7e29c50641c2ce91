"""The seven methods on 1.5B parameters in bfloat16: speed, MFU, watts, memory beside what is predicted."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import torch
from effdsl_runtime.data.model_tokenizer import Example
from effdsl_runtime.device import synchronise
from effdsl_runtime.observation import Iteration, Observation, Window
from effdsl_runtime.probes import Sampler
from effdsl_runtime.recording.metric_values import measure as metrics_of_task
from effdsl_runtime.stages import fine_tuning  # noqa: F401  registers its metrics
from effdsl_runtime.tuning.methods import applied, keep_frozen_in
from effdsl_runtime.tuning.tuner import Tuner

from effdsl import PythonHelp
from effdsl.engines.transformers import Transformers
from effdsl.language_model import language_model
from effdsl.stages.tuning import Tuning
from effdsl.task import Cell, Task
from effdsl.techniques import fine_tuning as methods
from effdsl.techniques.fine_tuning.method import Method
from effdsl.training import TrainingBudget, TrainingRecipe
from gpu_parts.public_shape import config_of, random_model, weights_of
from gpu_parts.setting import Row, Setting
from gpu_parts.steps import METRICS, WARM_UP

SECONDS = 90.0
METHODS = ("LoRA", "Full", "DoRA", "Freeze", "PiSSA", "LoRAPlus", "RSLoRA")
CONTEXT, MICRO_BATCH = 2048, 4
DTYPE = "bfloat16"


def cases(setting: Setting) -> Sequence[str]:
    return METHODS


def measure(setting: Setting, case: str) -> Row:
    config, context = config_of(setting), 128 if setting.toy else CONTEXT
    shape = language_model(config)
    assert shape is not None
    method: Method = getattr(methods, case)().resolve(shape)
    budget = TrainingBudget(1000, MICRO_BATCH, context, MICRO_BATCH)
    recipe = TrainingRecipe(learning_rate=1e-5, weight_decay=0.0, dtype=DTYPE)
    work = Tuning(weights_of(shape), method, PythonHelp(), budget, recipe)
    with Sampler(setting.kind) as sampler:
        seen = steps(setting, work, config)
    found = metrics_of_task(Task(Cell(work, Transformers(), setting.hardware), 0), seen, sampler.summary)
    trained = seen.values["trainable_parameters"]
    row: Row = {"parameters": seen.parameters, "trained": trained, "steps": len(seen.measured)}
    row |= {name: found.metrics.get(name) for name in METRICS}
    row["median_step_s"] = statistics.median(one.seconds for one in seen.measured)
    row["loss"] = seen.iterations[-1].loss
    memory = Transformers().memory(work, setting.hardware)
    measured_gb = found.metrics.get("memory_over_baseline_gb")
    if memory is not None and measured_gb:
        row |= {"predicted_gb": memory.total / 1e9}
        row |= {"predicted_over_measured_memory": memory.total / 1e9 / measured_gb}
    return row | {"flags": ", ".join(sampler.flags)}


def steps(setting: Setting, work: Tuning, config: dict[str, object]) -> Observation:
    """Steps for about six seconds after the warm-up, on examples of full length and random tokens: speed does
    not depend on what they say."""
    made = random_model(config, setting.device)
    model = applied(work.method, made, work.model, work.budget.steps)
    keep_frozen_in(torch.bfloat16, model)
    tuner = Tuner(work.method, model.train(), work.recipe, work.budget.steps, MICRO_BATCH, setting.device)
    tokens = torch.randint(0, work.model.vocab_size, (MICRO_BATCH, work.budget.context_length))
    batch = [Example(row.tolist(), [i > 0 for i in range(len(row))]) for row in tokens]
    iterations: list[Iteration] = []
    began = time.perf_counter_ns()
    limit_s = 0.2 if setting.toy else 6.0
    while len(iterations) < WARM_UP + 2 or (time.perf_counter_ns() - began) * 1e-9 < limit_s:
        start = time.perf_counter_ns()
        loss = tuner.step(len(iterations), batch)
        synchronise(setting.device)
        iterations.append(Iteration(len(iterations), (time.perf_counter_ns() - start) * 1e-9, loss))
        if len(iterations) == WARM_UP:
            began = time.perf_counter_ns()
    measured = len(iterations) - WARM_UP
    tokens_of_step, length = tokens.numel(), work.budget.context_length
    return Observation(
        iterations=tuple(iterations),
        warmup=WARM_UP,
        windows=(Window(began, time.perf_counter_ns()),),
        parameters=work.model.parameters,
        threads=torch.get_num_threads(),
        values={
            "loss": iterations[-1].loss or 0.0,
            "trainable_parameters": float(sum(p.numel() for p in model.parameters() if p.requires_grad)),
            "measured_tokens": float(measured * tokens_of_step),
            "measured_predicted_tokens": float(measured * MICRO_BATCH * (length - 1)),
            "measured_pairs": float(measured * MICRO_BATCH * (length * (length + 1) // 2)),
        },
    )
