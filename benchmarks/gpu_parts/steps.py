"""Training steps timed under the probes, with the product's own trainer and definitions of metrics."""

from __future__ import annotations

import statistics
import time

import torch
from effdsl_runtime.device import synchronise
from effdsl_runtime.engines.trainer import Trainer
from effdsl_runtime.observation import Iteration, Observation, Window
from effdsl_runtime.probes import Sampler
from effdsl_runtime.recording.metric_values import measure as metrics_of_task
from effdsl_runtime.stages import pretraining  # noqa: F401  registers its metrics

from effdsl.costs.price import lower_bound_s
from effdsl.engines.torch import Torch
from effdsl.shapes import Shape
from effdsl.task import Cell, Task
from effdsl.training import TrainingRecipe
from gpu_parts.setting import Row, Setting, windows_of, workload_of

WARM_UP = 3
METRICS = (
    "tokens_per_s",
    "mfu",
    "al_s_per_iter",
    "p95_s_per_iter",
    "memory_over_baseline_gb",
    "pcu",
    "aec_w",
    "energy_j_per_token",
)


def timed(
    setting: Setting, trainer: Trainer, shape: Shape, context: int, batch: int, seconds: float
) -> Observation:
    """Steps for about ``seconds`` after the warm-up; of the process's peak memory the sampler knows."""
    windows_bs = windows_of(shape, context, batch)
    iterations: list[Iteration] = []
    began = 0
    while len(iterations) < WARM_UP + 2 or (time.perf_counter_ns() - began) * 1e-9 < seconds:
        if len(iterations) == WARM_UP:
            began = time.perf_counter_ns()
        start = time.perf_counter_ns()
        loss = trainer.step(len(iterations), windows_bs)
        synchronise(setting.device)
        iterations.append(Iteration(len(iterations), (time.perf_counter_ns() - start) * 1e-9, loss))
        if len(iterations) < WARM_UP:
            began = time.perf_counter_ns()
    parameters = sum(parameter.numel() for parameter in trainer.model.parameters())
    return Observation(
        iterations=tuple(iterations),
        warmup=WARM_UP,
        windows=(Window(began, time.perf_counter_ns()),),
        parameters=parameters,
        threads=torch.get_num_threads(),
        values={"held_out_loss": iterations[-1].loss or 0.0, "bytes_per_token": 1.0},
    )


def trained(
    setting: Setting, model: torch.nn.Module, technique: str, shape: Shape, context: int, batch: int
) -> Row:
    """What training of ``model`` takes, beside what is predicted for ``technique``."""
    dtype = "bfloat16"
    with Sampler(setting.kind) as sampler:
        model = model.to(setting.device)
        trainer = Trainer(model, TrainingRecipe(learning_rate=1e-4, dtype=dtype), 1000, batch, setting.device)
        seen = timed(setting, trainer, shape, context, batch, 0.2 if setting.toy else 5.0)
    hardware = setting.hardware
    workload = workload_of(technique, shape, context, batch, len(seen.iterations), dtype)
    found = metrics_of_task(Task(Cell(workload, Torch(), hardware), 0), seen, sampler.summary)
    row: Row = {"parameters": seen.parameters, "steps": len(seen.measured)}
    row |= {name: found.metrics.get(name) for name in METRICS}
    row |= {"first_step_s": seen.iterations[0].seconds, "loss": seen.iterations[-1].loss}
    row["median_step_s"] = statistics.median(one.seconds for one in seen.measured)
    memory = Torch().memory(workload, hardware)
    measured_gb = found.metrics.get("memory_over_baseline_gb")
    if memory is not None and measured_gb:
        row |= {
            "predicted_gb": memory.total / 1e9,
            "predicted_over_measured_memory": memory.total / 1e9 / measured_gb,
        }
    bound_s = lower_bound_s(workload.cost(hardware), dtype, hardware)
    if bound_s is not None:
        per_step = bound_s / len(seen.iterations)
        row |= {"bound_s": per_step, "bound_over_measured_time": per_step / found.metrics["al_s_per_iter"]}
    row["flags"] = ", ".join(sampler.flags)
    return row
