"""What the runtime knows of inference: what a task needs elsewhere, and its metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from effdsl_registry.checkpoints import Checkpoints

from effdsl.hardware import Hardware
from effdsl.load import Batches, ClosedLoop, OpenLoop
from effdsl.stages.generation import Inference
from effdsl.task import Task
from effdsl_runtime.inputs import hand_over
from effdsl_runtime.observation import Observation
from effdsl_runtime.probes import Measurement
from effdsl_runtime.recording.metric_values import metrics_of

ONE_SIZE = "one batch size alone was measured"
NOT_ASKED = {
    "ppl": "the study asks for no Perplexity",
    "cloze": "the study asks for no Cloze",
    "avg_perf": "the study asks for no benchmark",
}
OF_TWO = "it is of two precisions: `effdsl sql 'FROM compression'`, or `effdsl recommend --best mcr`"
NO_POOL = "the engine keeps no room for a cache beyond what it holds"


@hand_over.register
def _hand_over(
    workload: Inference,
    task: Task,
    checkpoints: Checkpoints,
    folder: Path,
    report: Callable[[str], None],
) -> None:
    from effdsl_runtime.generating.giving import give

    give(workload, task.seed, checkpoints, folder, report)


@metrics_of.register
def _metrics(
    workload: Inference, hardware: Hardware, observation: Observation, common: Mapping[str, float]
) -> Measurement:
    metrics: dict[str, float] = {}
    missing = {name: why for name, why in NOT_ASKED.items() if name not in observation.values}
    missing["mcr"] = OF_TWO
    if "batched_tokens_per_s" not in observation.values:
        missing["batched_tokens_per_s"] = ONE_SIZE
    if "kv_cache_reserved_gb" not in observation.values:
        missing["kv_cache_reserved_gb"] = NO_POOL
    if "energy_j" in common:
        metrics["energy_j_per_output_token"] = common["energy_j"] / _tokens(workload, observation)
    return Measurement(metrics, missing)


def _tokens(workload: Inference, observation: Observation) -> int:
    """Generated in the measured windows."""
    load = workload.load
    if isinstance(load, Batches):
        return len(observation.measured) * load.batch_sizes[0] * load.new_tokens
    assert isinstance(load, (ClosedLoop, OpenLoop))  # noqa: S101  there is no other
    return load.requests * load.new_tokens
