"""What the runtime knows of pretraining: how its text is made ready, and its metrics."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping

from effdsl.hardware import Hardware
from effdsl.stages.pretraining import Pretraining, TrainingText
from effdsl_runtime.data.cached_text import times_read, too_short
from effdsl_runtime.endings import Diverged
from effdsl_runtime.inputs import make_ready, remark, unfit
from effdsl_runtime.observation import Observation
from effdsl_runtime.probes import Measurement
from effdsl_runtime.recording.metric_values import metrics_of

DECODING = ("prefill_s", "decode_s_per_token", "decode_tokens_per_s", "cache_bytes")
UNKNOWN_FLOPS = "which keys a query needs is not known: no method causal_train_flops_per_token() says it"
OFTEN = 4
"""Text read so often is nearly as good as new (Muennighoff et al. 2023, arXiv 2305.16264)."""
LARGEST_LOSS = math.log(sys.float_info.max)
ROUTING = ("expert_load_max_over_mean", "router_entropy", "dropped_tokens")


@make_ready.register
def _text(wanted: TrainingText, report: Callable[[str], None]) -> None:
    from effdsl_runtime.data.prepare import prepare

    prepare(wanted.data, report, wanted.tokens)


@unfit.register
def _short(wanted: TrainingText) -> str:
    return too_short(wanted.data, wanted.tokens, wanted.context_length)


@remark.register
def _repeated(wanted: TrainingText) -> str:
    times = times_read(wanted.data, wanted.tokens)
    if times is None or times <= OFTEN:
        return ""
    return f"the training text is read {times:,.0f} times"


@metrics_of.register
def _metrics(
    workload: Pretraining, hardware: Hardware, observation: Observation, common: Mapping[str, float]
) -> Measurement:
    """Quality, rates by token, decoding and routing."""
    tokens_per_step = workload.budget.tokens_per_step
    tokens_per_s = tokens_per_step / common["al_s_per_iter"]
    metrics = quality(observation) | {
        "tokens_per_s": tokens_per_s,
        "tt_tokens_per_param_s": tokens_per_s / observation.parameters,
        "gpu_hours_per_gpu": common["time_to_finish_s"] / 3600,
        "kv_bytes_per_token": float(workload.architecture.kv_bytes_per_token(workload.dtype)),
    }
    if "energy_j" in common:
        tokens = len(observation.measured) * tokens_per_step
        metrics["energy_j_per_token"] = common["energy_j"] / tokens
    missing: dict[str, str] = {}
    _add_decoding(observation, metrics, missing)
    _add_routing(observation, metrics, missing)
    _add_mfu(workload, hardware, metrics, missing)
    return Measurement(metrics, missing)


def quality(observation: Observation) -> dict[str, float]:
    """Held-out loss, perplexity, and bits per byte, which compares across tokenizers.

    Raises:
        Diverged: when the loss is NaN, or so large that its perplexity is no number.
    """
    loss = observation.values["held_out_loss"]
    if not loss <= LARGEST_LOSS:
        raise Diverged(f"the held-out loss is {loss:.4g}, which has no perplexity")
    return {
        "held_out_loss": loss,
        "ppl": math.exp(loss),
        "bits_per_byte": loss / (math.log(2) * observation.values["bytes_per_token"]),
    }


def _add_decoding(observation: Observation, metrics: dict[str, float], missing: dict[str, str]) -> None:
    """Decoding at the whole context."""
    rows = observation.tables.get("decoding")
    if not rows:
        missing |= dict.fromkeys(DECODING, "decoding was not measured")
        return
    whole = rows[-1] | {"decode_tokens_per_s": 1 / rows[-1]["decode_s_per_token"]}
    metrics |= {name: float(whole[name]) for name in DECODING}


def _add_routing(observation: Observation, metrics: dict[str, float], missing: dict[str, str]) -> None:
    """How evenly the trained model uses its experts."""
    rows = observation.tables.get("expert_shares")
    if not rows:
        missing |= dict.fromkeys(ROUTING, "the model has no experts")
        return
    layers: dict[float, list[float]] = {}
    for row in rows:
        layers.setdefault(row["layer"], []).append(row["share"])
    uneven = [max(shares) * len(shares) for shares in layers.values()]
    values = (
        math.fsum(uneven) / len(uneven),
        observation.values["router_entropy"],
        observation.values["dropped_tokens"],
    )
    metrics |= zip(ROUTING, values, strict=True)


def _add_mfu(
    workload: Pretraining, hardware: Hardware, metrics: dict[str, float], missing: dict[str, str]
) -> None:
    peak = hardware.peak_flops.get(workload.dtype)
    if peak is None:
        missing["mfu"] = f"the peak FLOP/s of {hardware.name} in {workload.dtype} is not known"
        return
    if not workload.architecture.causal_flops_known:  # what was counted gives an upper bound only
        missing["mfu"] = UNKNOWN_FLOPS
        return
    flops_per_token = workload.architecture.causal_train_flops_per_token(workload.budget.context_length)
    metrics["mfu"] = flops_per_token * metrics["tokens_per_s"] / (peak * hardware.count)
