"""Every metric of a task from what was observed; the definitions are in :mod:`effdsl.metrics`."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence

import numpy as np

from effdsl.task import Task
from effdsl_runtime.observation import Observation, Window
from effdsl_runtime.outcomes import Diverged
from effdsl_runtime.probes import Measurement

MEAN_OVER_TIME = ("amu_gb", "pcu")
LARGEST = ("peak_memory_gb", "memory_over_baseline_gb")
DECODING = ("prefill_s", "decode_s_per_token", "decode_tokens_per_s", "cache_bytes")
ROUTING = ("expert_load_max_over_mean", "router_entropy", "dropped_tokens")
NS = 1e-9
LARGEST_LOSS = math.log(sys.float_info.max)


def measure(task: Task, observation: Observation, summary: Callable[[int, int], Measurement]) -> Measurement:
    """All metrics of ``task``.

    Args:
        task: what was run.
        observation: what its engine saw.
        summary: the probe's metrics over a window of time, e.g. ``Sampler.summary``.
    """
    metrics = quality(observation) | speed(observation, task.workload.budget.tokens_per_step)
    workload = task.workload
    metrics["kv_bytes_per_token"] = float(workload.architecture.kv_bytes_per_token(workload.recipe.dtype))
    device = over_windows([summary(*window) for window in observation.windows], observation.windows)
    metrics |= device.metrics
    missing = dict(device.missing)
    _add_decoding(observation, metrics, missing)
    _add_routing(observation, metrics, missing)
    if "energy_j" in metrics:
        tokens = len(observation.measured) * task.workload.budget.tokens_per_step
        metrics["energy_j_per_token"] = metrics["energy_j"] / tokens
    _add_mfu(task, metrics, missing)
    return Measurement(metrics, missing)


def quality(observation: Observation) -> dict[str, float]:
    """Held-out loss, perplexity, and bits per byte, which compares across tokenizers.

    Raises:
        Diverged: when the loss is NaN, or so large that its perplexity is no number.
    """
    loss = observation.held_out_loss
    if not loss <= LARGEST_LOSS:
        raise Diverged(f"the held-out loss is {loss:.4g}, which has no perplexity")
    return {
        "held_out_loss": loss,
        "ppl": math.exp(loss),
        "bits_per_byte": loss / (math.log(2) * observation.bytes_per_token),
    }


def speed(observation: Observation, tokens_per_step: int) -> dict[str, float]:
    """AL (eq. 3), TT (eq. 4), percentiles (linear between ranks) and rates over the measured iterations."""
    seconds = np.array([iteration.seconds for iteration in observation.measured])
    tokens_per_s = tokens_per_step * len(seconds) / seconds.sum()
    p50, p95, p99 = np.percentile(seconds, (50, 95, 99))
    time_to_finish_s = math.fsum(iteration.seconds for iteration in observation.iterations)
    return {
        "al_s_per_iter": float(seconds.mean()),
        "p50_s_per_iter": float(p50),
        "p95_s_per_iter": float(p95),
        "p99_s_per_iter": float(p99),
        "tokens_per_s": float(tokens_per_s),
        "tt_tokens_per_param_s": float(tokens_per_s / observation.parameters),
        "time_to_finish_s": time_to_finish_s,
        "gpu_hours_per_gpu": time_to_finish_s / 3600,
    }


def over_windows(summaries: Sequence[Measurement], windows: Sequence[Window]) -> Measurement:
    """The probe's metrics over several windows together: AMU and PCU (eq. 1, 2), energy and AEC (eq. 7, 8).

    Means are weighted by time, energies add up, the peak is the largest. A metric that one window
    cannot give is missing.
    """
    missing = {name: why for summary in reversed(summaries) for name, why in summary.missing.items()}
    given = {name for summary in summaries for name in summary.metrics} - set(missing)
    weights = [(end - start) * NS for start, end in windows]
    total_s = math.fsum(weights)

    def values(name: str) -> list[float]:
        return [summary.metrics[name] for summary in summaries]

    metrics = {
        name: float(np.average(values(name), weights=weights)) for name in MEAN_OVER_TIME if name in given
    }
    metrics |= {name: max(values(name)) for name in LARGEST if name in given}
    if "energy_j" in given:
        metrics["energy_j"] = math.fsum(values("energy_j"))
        metrics["aec_w"] = metrics["energy_j"] / total_s
    return Measurement(metrics, missing)


def _add_decoding(observation: Observation, metrics: dict[str, float], missing: dict[str, str]) -> None:
    """Decoding at the whole context."""
    if not observation.decoding:
        missing |= dict.fromkeys(DECODING, "decoding was not measured")
        return
    whole = observation.decoding[-1]
    values = (whole.prefill_s, whole.decode_s_per_token, 1 / whole.decode_s_per_token, whole.cache_bytes)
    metrics |= zip(DECODING, map(float, values), strict=True)


def _add_routing(observation: Observation, metrics: dict[str, float], missing: dict[str, str]) -> None:
    """How evenly the trained model uses its experts."""
    seen = observation.routed
    if seen is None:
        missing |= dict.fromkeys(ROUTING, "the model has no experts")
        return
    uneven = [max(shares) * len(shares) for shares in seen.shares]
    values = (math.fsum(uneven) / len(uneven), seen.entropy, seen.dropped)
    metrics |= zip(ROUTING, values, strict=True)


def _add_mfu(task: Task, metrics: dict[str, float], missing: dict[str, str]) -> None:
    workload, hardware = task.workload, task.hardware
    dtype = workload.recipe.dtype
    peak = hardware.peak_flops.get(dtype)
    if peak is None:
        missing["mfu"] = f"the peak FLOP/s of {hardware.name} in {dtype} is not known"
        return
    flops_per_token = workload.architecture.causal_train_flops_per_token(workload.budget.context_length)
    metrics["mfu"] = flops_per_token * metrics["tokens_per_s"] / (peak * hardware.count)
