"""The metrics of a task from what was observed; the definitions are in :mod:`effdsl.metrics`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import singledispatch

from effdsl.hardware import Hardware
from effdsl.metrics import BY_NAME
from effdsl.task import Task
from effdsl.workload import Workload
from effdsl_runtime.observation import Observation, Window
from effdsl_runtime.probes import Measurement

MEAN_OVER_TIME = ("amu_gb", "pcu")
LARGEST = ("peak_memory_gb", "memory_over_baseline_gb")
NS = 1e-9


def measure(task: Task, observation: Observation, summary: Callable[[int, int], Measurement]) -> Measurement:
    """All metrics of ``task``: those of every stage, those that its engine gives, those of its stage.

    Args:
        task: what was run.
        observation: what its engine saw.
        summary: the probe's metrics over a window of time, e.g. ``Sampler.summary``.
    """
    metrics = speed(observation) if observation.measured else {}
    metrics |= {name: value for name, value in observation.values.items() if name in BY_NAME}
    device = over_windows([summary(*window) for window in observation.windows], observation.windows)
    metrics |= device.metrics
    own = metrics_of(task.workload, task.hardware, observation, metrics)
    return Measurement(metrics | own.metrics, device.missing | own.missing)


@singledispatch
def metrics_of(
    workload: Workload, hardware: Hardware, observation: Observation, common: Mapping[str, float]
) -> Measurement:
    """The metrics of a stage beside the ``common`` ones; each stage registers its own."""
    return Measurement({}, {})


def speed(observation: Observation) -> dict[str, float]:
    """AL (eq. 3), percentiles (linear between ranks) and the time of all iterations together."""
    import numpy as np  # which plans, whose stages are loaded with this, do without

    seconds = np.array([iteration.seconds for iteration in observation.measured])
    p50, p95, p99 = np.percentile(seconds, (50, 95, 99))
    return {
        "al_s_per_iter": float(seconds.mean()),
        "p50_s_per_iter": float(p50),
        "p95_s_per_iter": float(p95),
        "p99_s_per_iter": float(p99),
        "time_to_finish_s": math.fsum(iteration.seconds for iteration in observation.iterations),
    }


def over_windows(summaries: Sequence[Measurement], windows: Sequence[Window]) -> Measurement:
    """The probe's metrics over several windows together: AMU and PCU (eq. 1, 2), energy and AEC (eq. 7, 8).

    Means are weighted by time, energies add up, the peak is the largest. A metric that one window
    cannot give is missing.
    """
    import numpy as np

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
