"""The rules of the audit that tie columns to each other, a second time: in plain Python over the CSV files.

Each function returns what its rule should find: (severity, cells) with cells as (table, line, metric).
"""

from __future__ import annotations

import itertools
import math

from effdsl.shapes import QWEN, Shape
from effdsl.techniques.architecture import Decoder
from effdsl.techniques.attention import GQA, MLA, MQA, NSA
from effdsl.techniques.position import RoPE
from effdsl.units import Count

from .printed_lines import (
    AL,
    BENCHMARKS,
    IT,
    ST,
    TEXT,
    TT,
    TUNED,
    Found,
    Line,
    by,
    by_table,
    half,
    lines,
    model_of,
    one,
    read_table,
    served,
)


def rate_above_peak() -> list[Found]:
    above = [
        line
        for line in lines(*TEXT)
        if 6 * line.parameters**2 * line[TT] * (1 - line.off(TT)) > 48 * 989.4e12
    ]
    return by_table("error", above, TT)


def above_device() -> list[Found]:
    limits = dict.fromkeys(TEXT, (96, 1000)) | {7: (141, 700), 8: (141, 700), 9: (384, 4000)}
    return [
        one("error", [line], metric)
        for line in lines(*limits)
        for metric, limit in zip(("amu_gb", "aec_w"), limits[line.table], strict=True)
        if line[metric] - half(line.tokens[metric]) > limit
    ]


def memory_below_weights() -> list[Found]:
    held = [line for line in lines(7, 8, 12, 13) if line.said["deepspeed"] == "false"]
    tuned = [line for line in held if line["amu_gb"] < 2e-9 * line.parameters]
    served = [
        line
        for line in lines(9)
        if line["amu_gb"] < (0.5e-9 if line.method == "int4" else 2e-9) * line.parameters
    ]
    return [one("warning", g, "amu_gb") for g in by(model_of, tuned)] + [
        one("error", g, "amu_gb") for g in by(model_of, served)
    ]


def tokens_per_iteration() -> list[Found]:
    found = []
    groups = [*by(model_of, lines(3, 4, 6, 11)), list(lines(5))]
    for group in groups:
        high = max(line[TT] * line.parameters * line[AL] * (1 - line.off(TT, AL)) for line in group)
        low = min(line[TT] * line.parameters * line[AL] * (1 + line.off(TT, AL)) for line in group)
        if high / low > 1.02:
            found.append(one("error" if high / low > 1.25 else "warning", group, TT, AL))
    return found


def samples(line: Line) -> float:
    return line[ST] * line.parameters * line[AL]


def samples_per_iteration() -> list[Found]:
    def is_off(line: Line) -> bool:
        gpus = 8 if line.table in (7, 8) else 1
        nearest = gpus * math.floor(samples(line) / gpus + 0.5)
        return abs(samples(line) - nearest) > samples(line) * (line.off(ST, AL) + 0.01)

    return [
        one("error" if group[0].table in (7, 8) else "note", group, ST, AL)
        for group in by(model_of, filter(is_off, lines(*TUNED)))
    ]


def latency_across_batches() -> list[Found]:
    uneven = [g for g in by(model_of, lines(*TUNED)) if max(map(samples, g)) > 1.05 * min(map(samples, g))]
    return [one("warning", g, AL) for g in uneven] + [one("note", lines(3), AL)]


def tokens_of_run() -> list[Found]:
    def tokens(line: Line) -> float:
        return line[TT] * line.parameters * line["gpu_hours_per_gpu"] * 3600

    dense = [line for line in lines(3, 4, 5) if line.method != "moe"]
    return by_table(
        "error", (d for d in dense if not 0.95 < tokens(d) / 350e9 < 1.05), TT, "gpu_hours_per_gpu"
    )


def hours_per_iteration() -> list[Found]:
    def iterations(line: Line) -> float:
        return line["gpu_hours_per_gpu"] / line[AL]

    groups = by(model_of, lines(3, 4, 5))
    return [
        one("warning", g, "gpu_hours_per_gpu", AL)
        for g in groups
        if max(map(iterations, g)) > 1.05 * min(map(iterations, g))
    ]


def compression_rate() -> list[Found]:
    found = []
    for line, base in served():
        rate = (4 if line.method == "int4" else 1) * line["avg_perf"] / base["avg_perf"]
        if abs(line["mcr"] / rate - 1) > line.off("avg_perf", "mcr") + base.off("avg_perf"):
            found.append(("error", frozenset(line.cells("mcr", "avg_perf") | base.cells("avg_perf"))))
    return found


def mean_of_benchmarks() -> list[Found]:
    scores = {(line.size, line.method): line for line in lines(16)}
    found = []
    for line in lines(9):
        other = scores[line.size, line.method]
        mean = math.fsum(other[name] for name in BENCHMARKS) / len(BENCHMARKS)
        if abs(line["avg_perf"] - mean) > 0.00011:
            found.append(("error", frozenset(line.cells("avg_perf") | other.cells(*BENCHMARKS))))
    return found


def work_per_evaluation() -> list[Found]:
    found = []
    for group in by(model_of, lines(9)):
        tokens = [line[IT] * line["sum_al_s"] for line in group]
        spread = max(tokens) / min(tokens)
        if spread > 1.05:
            found.append(one("warning" if spread > 1.25 else "note", group, IT, "sum_al_s"))
    return found


def slower_and_faster() -> list[Found]:
    return [
        one("warning", [line, base], IT, "sum_al_s")
        for line, base in served()
        if (line[IT] - base[IT]) * (line["sum_al_s"] - base["sum_al_s"]) > 0
    ]


def same_work() -> list[Found]:
    alike = [line for line in lines(*TUNED) if line.method in ("lora", "lora-plus", "rslora", "pissa")]
    return [
        one("warning", group, metric)
        for group in by(model_of, alike)
        for metric in (ST, "amu_gb")
        if len(group) > 1 and max(g[metric] for g in group) > 1.25 * min(g[metric] for g in group)
    ]


def size_printed_twice() -> list[Found]:
    listed = {row["model"]: row for n in ("02", "15") for row in read_table(n)}
    different = [
        line
        for line in lines(*TUNED)
        if line.size in listed and float(listed[line.size]["parameters_b"]) * 1e9 != line.parameters
    ]
    return [one("error", group, ST) for group in by(model_of, different)]


def score_direction() -> list[Found]:
    """Eq. 12 as printed, over the rows of a model: does the slowest row score best?"""
    found = []
    metrics = ("amu_gb", "pcu", AL, ST, "aec_w")
    for group in by(model_of, lines(*TUNED)):
        least = {metric: min(line[metric] for line in group) for metric in metrics}

        def score(line: Line, least: dict[str, float] = least) -> float:
            falling = math.fsum(least[m] / line[m] for m in metrics if m != AL)
            return 0.2 * (falling + line[AL] / least[AL])

        best = max(group, key=score)
        if best[AL] == max(line[AL] for line in group):
            found.append(one("error", [best], *metrics))
    return found


def unlike_definition() -> list[Found]:
    all_lines = [line for line in lines(*TEXT, *TUNED, 9, 10, 11) if "amu_gb" in line]
    largest = [
        max(group, key=lambda line: line["amu_gb"]) for group in by(lambda line: line.table, all_lines)
    ]
    images = [line[TT] * line.parameters * line[AL] for line in lines(11)]
    assert max(images) < 4096
    return [
        one("note", largest, "amu_gb"),
        one("note", lines(9), "sum_al_s"),
        one("warning", lines(11), TT, AL),
    ]


def outside_unit() -> list[Found]:
    fractions = ("pcu", "avg_perf", *BENCHMARKS)
    return [
        one("error", [line], metric)
        for line in lines(*TEXT, *TUNED, 9, 10, 11, 16)
        for metric in line.tokens
        if not (0 <= line[metric] <= 1 if metric in fractions else line[metric] > 0)
    ]


def one_layout() -> list[Found]:
    """States and logits by Megatron-LM's formula, with the activations that our attentions keep; FLOPs of a
    micro-batch at 0.6 of the peak."""
    attentions = {"mqa": MQA(), "gqa": GQA(), "mla": MLA(), "nsa": NSA()}
    unexplained = []
    for line in lines(3):
        shape = Shape(*QWEN[Count(round(line.parameters))], vocab_size=151_936)
        model = Decoder(shape, attentions[line.method].resolve(shape), RoPE())
        tokens = 8192 * int(line.said["micro_batch_size"])
        weights, embedding = model.parameters(8192), 151_936 * shape.hidden_size
        seconds = tokens * model.causal_train_flops_per_token(8192) / (0.6 * 989.4e12)
        kept = tokens * model.activation_bytes_per_token(8192, 2) / shape.layers
        inputs = 2 * tokens * shape.hidden_size
        logits = 4 * tokens * (151_936 + shape.hidden_size)
        explained = False
        for t, p, again in itertools.product((1, 2, 4), (1, 2, 4), (False, True)):
            held = (weights - embedding) / (t * p) + embedding / t
            stage = shape.layers / p * (inputs if again else kept) / t + (kept / t if again else 0)
            rest = 6 * held + stage + logits / t
            least, most = rest + 12 * held * t * p / 48, rest + 12 * held
            fast = seconds / t * (4 / 3 if again else 1) <= line[AL] * (1 + line.off(AL))
            explained |= fast and least / 2e9 <= line["amu_gb"] <= most * 4 / 3e9
        if not explained:
            unexplained.append(line)
    return by_table("warning", unexplained, AL, "amu_gb")
