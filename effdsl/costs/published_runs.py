"""Trainings on many devices that others have measured, as the formulas of costs take them.

``scaling_rows.csv`` has a row for each, with its source. A row says tokens per second and device, or FLOP/s
of a device with masked scores counted in full. A micro-batch that a source does not tell is taken to be of
one sequence, a batch to be of one micro-batch.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from importlib.resources import files

import attrs

from effdsl.costs.communication import FullySharded, Replication, ShardedOptimizer
from effdsl.declare import evolve
from effdsl.hardware import CATALOG, H100, Hardware
from effdsl.parallelism import Parallelism
from effdsl.shapes import Shape
from effdsl.techniques.architecture import Architecture, Decoder
from effdsl.techniques.attention.gqa import GQA
from effdsl.techniques.feed_forward import GELU, SwiGLU
from effdsl.techniques.position import NoPE
from effdsl.training import TrainingBudget

HALF = 2
"""Bytes of a weight and of a gradient as FSDP sends them in mixed precision."""
OF_TODAY = (*CATALOG, evolve(H100, name="H100 96GB 500W", bandwidth=2.4e12, power_limit_w=500.0))


@attrs.frozen
class PublishedRun:
    """One row.

    Attributes:
        number: of the row.
        model: what its source calls it.
        source, url: who measured it, and where that stands.
        dtype: of the matrix products.
        seconds: of a step, as measured.
        recipe: what differs between rows that are otherwise alike.
    """

    number: int
    model: str
    source: str
    url: str
    architecture: Architecture
    budget: TrainingBudget
    dtype: str
    hardware: Hardware
    parallelism: Parallelism
    replication: Replication
    seconds: float
    recipe: str


def published_runs() -> Iterator[PublishedRun]:
    """All rows, in the order of their numbers."""
    table = files("effdsl.costs").joinpath("scaling_rows.csv").read_text(encoding="utf-8")
    yield from map(_run, csv.DictReader(table.splitlines()))


def _run(row: Mapping[str, str]) -> PublishedRun:
    numbers = {name: int(row[name] or 1) for name in ("tp", "pp", "cp", "ep", "dp", "micro_batch")}
    parallelism = Parallelism(
        tensor=numbers["tp"],
        pipeline=numbers["pp"],
        expert=numbers["ep"],
        context=numbers["cp"],
        data=numbers["dp"],
        sequence_parallel=numbers["tp"] > 1,
        recomputes=row["recompute"] == "full",
    )
    batch_size = int(row["global_batch"] or numbers["micro_batch"] * parallelism.data)
    budget = TrainingBudget(1, batch_size, int(row["seq_len"]), numbers["micro_batch"])
    architecture = _architecture(row)
    (hardware,) = (each for each in OF_TODAY if each.name == row["gpu"])
    return PublishedRun(
        number=int(row["id"]),
        model=row["model"],
        source=row["source"],
        url=row["url"],
        architecture=architecture,
        budget=budget,
        dtype=row["precision"],
        hardware=evolve(hardware, count=int(row["gpus"]), per_node=int(row["gpus_per_node"])),
        parallelism=parallelism,
        replication=_replication(row["sharding"]),
        seconds=budget.tokens_per_step / int(row["gpus"]) / _tokens_per_s(row, architecture),
        recipe=row["note"],
    )


def _replication(sharding: str) -> Replication:
    """FSDP, of either generation, in mixed precision; else Megatron-Core's."""
    if sharding.startswith("F"):
        return FullySharded(gathered=HALF, reduced=HALF, accumulates=False)
    return ShardedOptimizer()


def _architecture(row: Mapping[str, str]) -> Architecture:
    """A GPT where the feed-forward layer is four times as wide as the model, else a Llama. Positions cost
    neither parameters nor products in any of them."""
    width, heads, inner = int(row["hidden"]), int(row["heads"]), int(row["ffn"])
    shape = Shape(int(row["layers"]), width, heads, width // heads, inner, int(row["vocab"]))
    feed_forward = GELU() if inner == 4 * width else SwiGLU()
    return Decoder(shape, GQA(kv_heads=int(row["kv_heads"])), NoPE(), feed_forward)


def _tokens_per_s(row: Mapping[str, str], architecture: Architecture) -> float:
    """Of one device."""
    if row["tokens_per_s_per_gpu"]:
        return float(row["tokens_per_s_per_gpu"])
    return float(row["tflops_per_gpu"]) * 1e12 / architecture.train_flops_per_token(int(row["seq_len"]))
