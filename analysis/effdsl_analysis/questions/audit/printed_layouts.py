"""How the attentions of Table 3 could be laid out over the paper's GPUs, and what each layout takes.

The paper trained with Megatron-Core and does not say how it divided its models. A step is at least one
micro-batch, of the size that Table 3 prints and of 8,192 tokens a sequence (Tables 4 and 6). It is faster
than any published run: all its products, attention's too, at what those with weights reach of the peak, and
nothing else. Memory is between that with optimizer states divided among all copies and that with none
divided.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any

import attrs

from effdsl.costs.divided_memory import divided_memory, in_megatron_lm
from effdsl.costs.step_time import AGAIN, MATRICES_OF_PEAK
from effdsl.hardware import GH200
from effdsl.parallelism import Parallelism
from effdsl.shapes import QWEN, Shape
from effdsl.techniques.architecture import Architecture, Decoder
from effdsl.techniques.attention import GQA, MLA, MQA, NSA
from effdsl.techniques.position import RoPE
from effdsl.techniques.technique import AttentionTechnique
from effdsl.training import TrainingBudget
from effdsl.units import Count

ATTENTIONS: Mapping[str, AttentionTechnique] = {"mqa": MQA(), "gqa": GQA(), "mla": MLA(), "nsa": NSA()}
VOCABULARY, CONTEXT = 151_936, 8192
TENSOR, STAGES = (1, 2, 4), (1, 2, 4)


@attrs.frozen
class PrintedRun:
    """A line of Table 3 as a training of one micro-batch on every copy."""

    architecture: Architecture
    budget: TrainingBudget
    dtype: str = "bfloat16"


def printed_layouts(runs: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """A row for each layout of each of ``runs``, which have the columns of ``printed_rows``: its words, the
    least seconds of a step, and GB of memory at least and at most."""
    for run in runs:
        for tensor, stages, again in product(TENSOR, STAGES, (False, True)):
            copies, left = divmod(int(run["devices"]), tensor * stages)
            if not left:
                way = Parallelism(tensor, stages, 1, 1, copies, tensor > 1, again)
                yield {
                    "table_number": run["table_number"],
                    "line": run["line"],
                    **_taken(_run(run, way), way),
                }


def _run(run: Mapping[str, Any], way: Parallelism) -> PrintedRun:
    shape = Shape(*QWEN[Count(round(run["parameters_b"] * 1e9))], vocab_size=VOCABULARY)
    decoder = Decoder(shape, ATTENTIONS[run["method"]].resolve(shape), RoPE())
    sequences = int(run["micro_batch_size"])
    return PrintedRun(decoder, TrainingBudget(1, sequences * way.data, CONTEXT, sequences))


def _taken(run: PrintedRun, way: Parallelism) -> dict[str, Any]:
    memory = divided_memory(run, way, in_megatron_lm(run.dtype))
    whole = attrs.evolve(memory, optimizer=memory.optimizer * way.data)
    return {
        "layout": str(way),
        "least_s": least_s(run, way),
        "least_gb": memory.total / 1e9,
        "most_gb": whole.total / 1e9,
    }


def least_s(run: PrintedRun, way: Parallelism) -> float:
    """Of one micro-batch, which passes the stages of a pipeline one after the other."""
    rate = MATRICES_OF_PEAK * GH200.peak_flops[run.dtype]
    per_token = run.architecture.causal_train_flops_per_token(CONTEXT) * (AGAIN if way.recomputes else 1)
    seconds: float = way.tokens(run.budget) * per_token / rate / way.tensor
    return seconds
