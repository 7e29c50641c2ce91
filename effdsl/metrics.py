# ruff: noqa: E501  a table reads best with a row per line
"""Every metric effdsl can report: name, unit, direction and definition, in one place.

AMU, PCU, AL, TT and AEC follow equations 1 to 4 and 8 of the paper (arXiv 2505.13840, section 5.1);
the column names are those of its transcribed tables. A metric that does not apply, or that nothing
here can measure, is NULL with a reason: never zero, never a guess.
"""

from __future__ import annotations

import enum

import attrs


class Better(enum.Enum):
    """The direction in which a metric improves."""

    LOWER = "lower"
    HIGHER = "higher"

    @property
    def sign(self) -> int:
        """1 where lower is better, -1 where higher is: times the value, less is better."""
        return 1 if self is Better.LOWER else -1


@attrs.frozen
class Metric:
    """A measured quantity.

    ``on_default_table`` marks what rankings show unasked; everything else is there when named.
    ``stages`` says of what it is a metric; none means of every stage.
    ``is_quality`` marks how good a stage's models are, which rankings, recommendations and scaling take unasked.
    ``short`` is what rankings and scores call it: of the paper's metrics its short name in lower case.
    ``is_energy`` says that it means different things at different meter scopes.
    """

    name: str
    label: str
    unit: str
    better: Better
    definition: str
    on_default_table: bool = False
    stages: tuple[str, ...] = ()
    is_quality: bool = False
    short: str = attrs.field(default=attrs.Factory(lambda metric: metric.name, takes_self=True))
    is_energy: bool = False

    def is_of(self, stage: str) -> bool:
        """Whether it is a metric of ``stage``."""
        return not self.stages or stage in self.stages


PRETRAINING, FINE_TUNING, INFERENCE, IMAGES = ("pretraining",), ("fine-tuning",), ("inference",), ("images",)
TUNING = ("tuning",)
"""Trials of learning rates."""
TRAINING = (*PRETRAINING, *FINE_TUNING, *TUNING)
MODELS = (*PRETRAINING, *INFERENCE)
"""What language models are judged in."""
METRICS: list[Metric] = []
"""Every declared metric, in the order of tables."""
BY_NAME: dict[str, Metric] = {}
BY_SHORT: dict[str, Metric] = {}


def declare_metrics(*metrics: Metric) -> None:
    """Make ``metrics`` columns of every store, and names that commands take.

    Raises:
        ValueError: for a name that is taken.
    """
    for metric in metrics:
        if metric.name in BY_NAME or metric.short in BY_SHORT:
            raise ValueError(f"there is a metric {metric.name!r} or {metric.short!r} already")
        METRICS.append(metric)
        BY_NAME[metric.name] = BY_SHORT[metric.short] = metric


declare_metrics(
    Metric("ppl", "PPL", "", Better.LOWER, "exp of the mean held-out loss in nats per token", True, stages=MODELS, is_quality=True),
    Metric("held_out_loss", "held-out loss", "nats/token", Better.LOWER, "mean cross-entropy on held-out text", short="held-out_loss", stages=MODELS),
    Metric("bits_per_byte", "bits/byte", "bit", Better.LOWER, "held-out loss per byte of text; compares across tokenizers", short="bits/byte", stages=MODELS),
    Metric("new_domain_loss", "new-domain loss", "nats/token", Better.LOWER, "mean cross-entropy on held-out examples of what is fine-tuned on, after it; of what is predicted alone", True, stages=FINE_TUNING, is_quality=True),
    Metric("new_domain_loss_before", "new-domain loss before", "nats/token", Better.LOWER, "the same before it", stages=FINE_TUNING),
    Metric("forgetting", "forgetting", "nats/token", Better.LOWER, "by how much the held-out loss on the text that the weights were first trained on has risen", True, stages=FINE_TUNING),
    Metric("own_domain_loss", "own-domain loss", "nats/token", Better.LOWER, "held-out loss on the text that the weights were first trained on, after the fine-tuning", stages=FINE_TUNING),
    Metric("own_domain_loss_before", "own-domain loss before", "nats/token", Better.LOWER, "the same before it", stages=FINE_TUNING),
    Metric("tuning_loss", "tuning loss", "nats/token", Better.LOWER, "mean cross-entropy on the tuning part, which is neither trained on nor held out; it chooses the learning rate", True, stages=TUNING, is_quality=True),
    Metric("trainable_parameters", "trainable", "parameters", Better.LOWER, "parameters that the optimizer changes", True, stages=FINE_TUNING, short="trainable"),
    Metric("adapter_bytes", "adapter", "B", Better.LOWER, "bytes of the tensors that are saved, in float32: the adapter, or the weights that were trained", stages=FINE_TUNING, short="adapter"),
    Metric("amu_gb", "AMU", "GB", Better.LOWER, "eq. 1: time average of memory used, 1 GB = 1e9 bytes", True, short="amu"),
    Metric("peak_memory_gb", "peak memory", "GB", Better.LOWER, "largest memory used by the task, 1 GB = 1e9 bytes", True, short="peak_memory"),
    Metric("memory_over_baseline_gb", "memory over baseline", "GB", Better.LOWER, "peak memory less that at the start of the task, before data and model: what the training needed", short="memory_over_baseline"),
    Metric("pcu", "PCU", "fraction", Better.HIGHER, "eq. 2: time average of utilisation over its peak", True),
    Metric("al_s_per_iter", "AL", "s/iter", Better.LOWER, "eq. 3: mean time of an iteration after warm-up", True, short="al"),
    Metric("p50_s_per_iter", "p50", "s/iter", Better.LOWER, "median time of an iteration after warm-up", short="p50"),
    Metric("p95_s_per_iter", "p95", "s/iter", Better.LOWER, "95th percentile of the time of an iteration", short="p95"),
    Metric("p99_s_per_iter", "p99", "s/iter", Better.LOWER, "99th percentile of the time of an iteration", short="p99"),
    Metric("tokens_per_s", "tokens/s", "tokens/s", Better.HIGHER, "tokens trained on per second after warm-up", True, short="tokens/s", stages=TRAINING),
    Metric("tt_tokens_per_param_s", "TT", "tokens/param/s", Better.HIGHER, "eq. 4: tokens per parameter per second, exact parameter count", True, short="tt", stages=PRETRAINING),
    Metric("time_to_finish_s", "time", "s", Better.LOWER, "wall time of the whole training, warm-up included", short="time"),
    Metric("mfu", "MFU", "fraction", Better.HIGHER, "model FLOPs (of attention those of keys that a query sees) over time times peak FLOP/s", True, stages=TRAINING),
    Metric("aec_w", "AEC", "W", Better.LOWER, "eq. 8: energy over time, i.e. mean power", True, short="aec", is_energy=True),
    Metric("energy_j", "energy", "J", Better.LOWER, "eq. 7: energy of the measured iterations", short="energy", is_energy=True),
    Metric("energy_j_per_token", "J/token", "J/token", Better.LOWER, "energy of the measured iterations per token trained on", short="j/token", is_energy=True, stages=TRAINING),
    Metric("prefill_s", "prefill", "s", Better.LOWER, "time to read a context of one sequence into an empty cache", short="prefill", stages=PRETRAINING),
    Metric("decode_s_per_token", "decode", "s/token", Better.LOWER, "time per token generated near the end of the context, one sequence", short="decode", stages=PRETRAINING),
    Metric("decode_tokens_per_s", "decode rate", "tokens/s", Better.HIGHER, "tokens generated per second after the first; of a pretraining near the end of the context, one sequence", short="decode_rate", stages=MODELS),
    Metric("cache_bytes", "cache", "B", Better.LOWER, "measured bytes of all caches and states of one sequence at the full context", short="cache", stages=PRETRAINING),
    Metric("kv_bytes_per_token", "KV cache", "B/token", Better.LOWER, "bytes the cache grows by per generated token, all layers", True, short="kv_cache", stages=MODELS),
    Metric("samples_per_s", "samples/s", "samples/s", Better.HIGHER, "examples trained on per second after warm-up", stages=FINE_TUNING, short="samples/s"),
    Metric("loss", "loss", "nats/token", Better.LOWER, "training loss at the end of a fine-tuning: mean of its last tenth of steps", stages=FINE_TUNING, is_quality=True),
    Metric("fid", "FID", "", Better.LOWER, "Fréchet inception distance of generated images", stages=IMAGES, is_quality=True),
    Metric("avg_perf", "Avg Perf", "fraction", Better.HIGHER, "mean of the benchmark scores", True, stages=INFERENCE, is_quality=True),
    Metric("st_samples_per_param_s", "ST", "samples/param/s", Better.HIGHER, "eq. 5: samples per parameter per second, fine-tuning", stages=FINE_TUNING, short="st"),
    Metric("it_tokens_per_s", "IT", "tokens/s", Better.HIGHER, "eq. 6: tokens generated per second, not divided by parameters, reading of prompts included", True, stages=INFERENCE, short="it"),
    Metric("batched_tokens_per_s", "IT, largest batch", "tokens/s", Better.HIGHER, "the same with the largest of several batch sizes", stages=INFERENCE, short="it_batched"),
    Metric("ttft_s", "TTFT", "s", Better.LOWER, "median time from a request to its first token", True, stages=INFERENCE, short="ttft"),
    Metric("ttft_p99_s", "TTFT p99", "s", Better.LOWER, "99th percentile of the same", stages=INFERENCE),
    Metric("tpot_s", "TPOT", "s/token", Better.LOWER, "mean over requests of the time between tokens: last token less first, over their number less one", stages=INFERENCE, short="tpot"),
    Metric("itl_p50_s", "ITL p50", "s/token", Better.LOWER, "median gap between two tokens of a request", stages=INFERENCE),
    Metric("itl_p95_s", "ITL p95", "s/token", Better.LOWER, "95th percentile of the gaps", stages=INFERENCE),
    Metric("itl_p99_s", "ITL p99", "s/token", Better.LOWER, "99th percentile of the gaps", stages=INFERENCE),
    Metric("prefill_tokens_per_s", "prefill rate", "tokens/s", Better.HIGHER, "tokens of prompts over the time to the first token", stages=INFERENCE, short="prefill_rate"),
    Metric("weight_bytes", "weights", "B", Better.LOWER, "bytes of all weights in memory, scales and zero points included", True, stages=INFERENCE, short="weights"),
    Metric("kv_cache_used_gb", "KV cache used", "GB", Better.LOWER, "largest memory that held keys and values, or states, 1 GB = 1e9 bytes", stages=INFERENCE, short="kv_used"),
    Metric("kv_cache_reserved_gb", "KV cache reserved", "GB", Better.LOWER, "memory that the engine keeps for them, used or not", stages=INFERENCE, short="kv_reserved"),
    Metric("energy_j_per_output_token", "J/output token", "J/token", Better.LOWER, "energy of the measured requests per generated token", short="j/output_token", is_energy=True, stages=INFERENCE),
    Metric("sum_al_s", "Sum AL", "s", Better.LOWER, "latency summed over an evaluation; Table 9 prints it instead of AL", stages=INFERENCE, short="sum_al"),
    Metric("mcr", "MCR", "ratio", Better.HIGHER, "eq. 9: compression of the weights times the share of the score that is kept", stages=INFERENCE),
    Metric("gpu_hours_per_gpu", "GPU hours", "h/GPU", Better.LOWER, "hours of each device for the whole training; the paper prints GPU hours", short="gpu_hours", stages=PRETRAINING),
    Metric("cloze", "cloze", "fraction", Better.HIGHER, "share of passages of held-out text whose continuation is found among wrong ones, by its log-likelihood", True, stages=INFERENCE),
    Metric("cloze_per_byte", "cloze per byte", "fraction", Better.HIGHER, "the same by log-likelihood per byte of the continuation", stages=INFERENCE, short="cloze/byte"),
    Metric("mmlu_pro", "MMLU-Pro", "fraction", Better.HIGHER, "score on MMLU-Pro", stages=INFERENCE, short="mmlu-pro"),
    Metric("bbh", "BBH", "fraction", Better.HIGHER, "score on BIG-Bench Hard", stages=INFERENCE),
    Metric("gpqa", "GPQA", "fraction", Better.HIGHER, "score on GPQA", stages=INFERENCE),
    Metric("ifeval", "IFEval", "fraction", Better.HIGHER, "score on IFEval", stages=INFERENCE),
    Metric("math", "MATH", "fraction", Better.HIGHER, "score on MATH", stages=INFERENCE),
    Metric("musr", "MuSR", "fraction", Better.HIGHER, "score on MuSR", stages=INFERENCE),
    Metric("expert_load_max_over_mean", "expert load", "max/mean", Better.LOWER, "held-out tokens of a layer's busiest expert over the mean expert's, mean over layers; 1 is even", short="expert_load", stages=PRETRAINING),
    Metric("router_entropy", "router entropy", "nats", Better.HIGHER, "entropy of a layer's mean routing probabilities on held-out text, mean over layers; ln(experts) is even", stages=PRETRAINING),
    Metric("dropped_tokens", "dropped", "fraction", Better.LOWER, "share of the held-out tokens' chosen experts that did not compute them", short="dropped", stages=PRETRAINING),
)  # fmt: skip


def energy_metrics() -> tuple[str, ...]:
    """Names of the metrics that mean different things at different meter scopes."""
    return tuple(metric.name for metric in METRICS if metric.is_energy)


def quality_of(stage: str) -> tuple[Metric, ...]:
    """The metrics that say how good the models of ``stage`` are."""
    return tuple(metric for metric in METRICS if metric.is_quality and stage in metric.stages)
