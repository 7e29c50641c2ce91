"""What the runtime knows of fine-tuning: how its examples are made ready, and its metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from effdsl.hardware import Hardware
from effdsl.installing import how_to_install
from effdsl.stages.tuning import Trial, Tuning
from effdsl.stages.with_weights import ModelExamples
from effdsl.subjects.hub import HubDownload
from effdsl_runtime.data.text_files import DataError
from effdsl_runtime.inputs import make_ready
from effdsl_runtime.observation import Observation
from effdsl_runtime.probes import Measurement
from effdsl_runtime.recording.metric_values import metrics_of

NO_OWN_DOMAIN = "what the weights were first trained on is not known here"
DOMAINS = ("forgetting", "own_domain_loss", "own_domain_loss_before")


@make_ready.register
def _examples(wanted: ModelExamples, report: Callable[[str], None]) -> None:
    from effdsl_runtime.data.prepare_examples import prepare_examples
    from effdsl_runtime.tuning.base_model import tokenizer_source

    source, revision = tokenizer_source(wanted.weights, report)
    prepare_examples(wanted.data, source, wanted.context_length, report, revision)


@make_ready.register
def _download(wanted: HubDownload, report: Callable[[str], None]) -> None:
    """All of a model that transformers reads; no pickles."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise DataError(
            f"{wanted.id} needs the hub's client; run: {how_to_install('transformers')}"
        ) from None
    report(f"fetching {wanted.id}")
    try:
        files = ["*.json", "*.safetensors", "*.jinja", "*.txt", "*.model"]
        snapshot_download(wanted.id, revision=wanted.revision, allow_patterns=files)
    except (OSError, ValueError) as error:  # what the hub's client raises without a network, or a revision
        raise DataError(
            f"{wanted.id} (revision {wanted.revision}) cannot be fetched: {error}\n"
            "Run where https://huggingface.co can be reached, or give a folder: Local('path/to/it')"
        ) from error


@metrics_of.register
def _metrics(
    workload: Tuning, hardware: Hardware, observation: Observation, common: Mapping[str, float]
) -> Measurement:
    """Rates by example and token, and what the method trained."""
    samples_per_s = workload.budget.batch_size / common["al_s_per_iter"]
    metrics = {
        "samples_per_s": samples_per_s,
        "st_samples_per_param_s": samples_per_s / observation.parameters,
    }
    missing = {} if "forgetting" in observation.values else dict.fromkeys(DOMAINS, NO_OWN_DOMAIN)
    saved = workload.method.adapter_bytes(workload.model)
    if saved is None:
        missing["adapter_bytes"] = "which targets keep their ranks is known from its files alone"
    else:
        metrics["adapter_bytes"] = float(saved)
    _add_rates(workload, hardware, observation, common, metrics, missing)
    return Measurement(metrics, missing)


@metrics_of.register
def _metrics_of_trial(
    workload: Trial, hardware: Hardware, observation: Observation, common: Mapping[str, float]
) -> Measurement:
    metrics: dict[str, float] = {}
    missing: dict[str, str] = {}
    _add_rates(workload.of, hardware, observation, common, metrics, missing)
    return Measurement(metrics, missing)


def _add_rates(
    work: Tuning,
    hardware: Hardware,
    observation: Observation,
    common: Mapping[str, float],
    metrics: dict[str, float],
    missing: dict[str, str],
) -> None:
    """Tokens per second, energy per token and MFU; of the examples' own tokens, none of what fills up."""
    seen, seconds = observation.values, common["al_s_per_iter"] * len(observation.measured)
    metrics["tokens_per_s"] = seen["measured_tokens"] / seconds
    if "energy_j" in common:
        metrics["energy_j_per_token"] = common["energy_j"] / seen["measured_tokens"]
    peak = hardware.peak_flops.get(work.dtype)
    if peak is None:
        missing["mfu"] = f"the peak FLOP/s of {hardware.name} in {work.dtype} is not known"
    else:
        metrics["mfu"] = flops_of(work, observation) / (seconds * peak * hardware.count)


def flops_of(work: Tuning, observation: Observation) -> float:
    """Model FLOPs of the measured iterations: the output layer where something is predicted, and of
    attention the keys that causality lets a query see."""
    seen, model = observation.values, work.model
    passes = len(observation.measured) * work.passes
    tokens, keys = seen["measured_tokens"], seen["measured_pairs"] / seen["measured_tokens"]
    whole = passes * work.method.flops_with(model, tokens / passes, keys)
    unused = tokens - seen["measured_predicted_tokens"]
    return whole - unused * work.method.output_flops(model)
