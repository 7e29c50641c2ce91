# ruff: noqa: E501  a table reads best with a row per line
"""Writes docs/several_devices.md: how a step on several devices is predicted, beside what others measured.

python docs/several_devices.py
"""

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path

from effdsl.costs import step_time as constants
from effdsl.costs.divided import attention_flops_per_token, matrix_flops_per_token
from effdsl.costs.published_runs import PublishedRun, published_runs
from effdsl.costs.step_time import StepTime, step_time

TARGET = Path(__file__).with_suffix(".md")
HELD = 28
HEAD = """# Several devices: time, memory, layout

Before anything has run on some devices, `effdsl plan` predicts a step from what the hardware declares (peak
rate, memory bandwidth, `interconnect`, `network`, `per_node`) and how the model is divided. Once tasks have
run there, their speed is used instead. This page is written by `python docs/several_devices.py`.

## Time of a step

    token   = matrices / (0.60 peak) + attention / (0.15 peak) + (300 L d + 24 V) bytes / memory bandwidth
    compute = tokens of a copy * token / (tensor * pipeline);  layers computed again: 4/3 of theirs
    step    = compute * (1 + (pipeline - 1) / micro-batches)
              + 0.3 tensor + 0.2 pipeline + experts + max(0, data - 0.8 compute)

Matrices are 6 FLOPs for each weight that a token meets, output layer included; attention is the rest of the
causal FLOPs (scores and values that a query may see; scans). `L` layers of width `d`, vocabulary `V`.

| what is shared | bytes that a device sends in a step | over |
|---|---|---|
| batches, DDP | `(D-1)/D * 8` for each parameter (float32, all-reduce) | the network, beyond one machine |
| batches, FSDP2 | `(D-1)/D * (8 m + 4)` | the same |
| batches, Megatron-Core's distributed optimizer | `(D-1)/D * (4 + element)` for each parameter of a device | the same |
| matrices (and tokens: the same) | `8 (t-1)/t` activations for each layer of a stage and micro-batch; 12 where layers are computed again | the machine |
| layers | 4 activations, over `t`, for each micro-batch | the network, or the machine if it holds all |
| experts | `4 (e-1)/e * k` activations for each layer of a stage and micro-batch | the machine if it holds them, else what leaves it |

`D`, `t`, `e` are the degrees, `m` the micro-batches, `k` the experts of a token; an activation is tokens of a
micro-batch times width times bytes of an element. Collectives reach 0.85 of a link's rate and take 15
microseconds each; a ring that spans machines leaves each through the adapter of every member that it has
there. Bandwidths are one way: NVLink 4 has 450 GB/s, a 400 Gb/s adapter 50.

## Held to published runs

`effdsl/costs/scaling_rows.csv` has the rows with their sources. The constants above were fitted to the first
28 of them.
"""
TAIL = """
## Memory of a device

`Torch()` holds 16 bytes for each parameter (float32 weight, gradient, two Adam states) and autocast's copy; by
FSDP2 the 16 are divided among the devices, while two layers and what belongs to no layer are gathered, the
copies stay whole, and so do gradients between the micro-batches of a step. A test holds this to the tensors of
two processes.

`Megatron()` holds, of the stage that has most parameters, 8 bytes for each of its parameters and 8 divided by the
devices that share a batch, 2 for autocast's copy with each micro-batch between its passes; activations as
`Torch()` keeps them, over the devices that share matrices, for as many micro-batches as there are stages (on
the first stage; the last has one, and the logits: `4 n (V + d) / t` bytes), or where layers are computed again
their inputs and one layer's. Experts are divided by expert parallelism too. (Megatron-LM itself, with weights
in bfloat16, takes 6 + 12 / D bytes: its `theoretical_memory_usage.py`.)

## Which layout

`Megatron()` leaves to the planner what it does not say. Candidates are t of 1, 2, 4 or 8 devices of a machine,
stages that divide the layers, experts that divide, layers computed again or not, copies of all that on the rest
of the devices. What fills more than 0.9 of a device's memory, or what the engine refuses (docs/megatron.md), is
left out; the fastest is taken, and of those within 3% of it the one that divides the model least.
`effdsl plan STUDY --layout` shows all of them, with memory and step, and why each is not taken. The layout is in
the key: it changes time, memory and rounding.

## Not modelled

- What a step needs besides: launching kernels (it bounds small models), the optimizer's own time, reading
  data, the checkpoint.
- Power limits: the rows at 500 W come out too fast, as do eager kernels and selective recomputing, which is
  taken as none. 8-way tensor parallelism with micro-batches of 12 sequences (rows 66, 67) is the worst.
- Attention kernels of one kind of device: 0.15 of the peak is what FlashAttention of 2023 reached at the
  contexts of these rows. Kernels made for Hopper reach twice that, so long contexts come out too slow there;
  sparse attention and scans were in no row.
- Stages of a pipeline that take unequally long: the output layer of a small model with a large vocabulary is
  worth several layers. Interleaved stages.
- Unevenly routed experts, congestion of a network that others use, node failures, devices of unequal speed.
- Any hardware but NVIDIA's of 2022: no row has another. float16 and float32 are taken to be like bfloat16, at
  their own peaks.
"""
Factors = tuple[float, float, float]
FITTED: Factors = (
    constants.MATRICES_OF_PEAK,
    constants.ATTENTION_OF_PEAK,
    constants.BYTES_PER_ELEMENT_OF_WIDTH,
)


def predicted(run: PublishedRun) -> StepTime:
    time = step_time(run, run.hardware, run.parallelism, run.replication)
    if time is None:
        raise ValueError(f"row {run.number}: a rate of {run.hardware.name} is not known")
    return time


def with_factors(run: PublishedRun, factors: Factors) -> float:
    """Seconds of a step, were the constants of computing others; what is exposed stays."""
    time, (matrices, attention, element_wise) = predicted(run), factors
    peak, bandwidth = run.hardware.peak_flops[run.dtype], run.hardware.bandwidth or math.nan
    shape = run.architecture.shape
    shares = run.budget.tokens_per_step / run.parallelism.devices

    def token(of_matrices: float, of_attention: float, of_bytes: float) -> float:
        return (
            matrix_flops_per_token(run) / (of_matrices * peak)
            + attention_flops_per_token(run) / (of_attention * peak)
            + of_bytes * shape.layers * shape.hidden_size / bandwidth
        )

    more = shares * (token(matrices, attention, element_wise) - token(*FITTED))
    return time.seconds + more * (1 + time.bubble_s / time.compute_s)


def mean_error(runs: Sequence[PublishedRun], seconds: Callable[[PublishedRun], float]) -> float:
    return statistics.mean(abs(math.log(seconds(run) / run.seconds)) for run in runs)


def fitted_to(runs: Sequence[PublishedRun]) -> Factors:
    """Of a grid, what has the least mean error."""
    grid = product([x / 100 for x in range(50, 73, 2)], [x / 100 for x in range(8, 41, 1)], range(0, 601, 50))
    return min(grid, key=lambda factors: mean_error(runs, lambda run: with_factors(run, factors)))


def one_efficiency(run: PublishedRun, efficiency: float) -> float:
    context = run.budget.context_length
    flops = run.architecture.causal_train_flops_per_token(context) * run.budget.tokens_per_step
    return flops / (efficiency * run.hardware.peak_flops[run.dtype] * run.hardware.count)


def summary(held: Sequence[PublishedRun]) -> Iterator[str]:
    ratios = [predicted(run).seconds / run.seconds for run in held]
    yield (
        f"Predicted over measured lies between {min(ratios):.3f} and {max(ratios):.3f}; the mean of "
        f"|log| is {mean_error(held, lambda run: predicted(run).seconds):.1%}."
    )
    best = min(
        (x / 1000 for x in range(200, 701)),
        key=lambda e: mean_error(held, lambda run: one_efficiency(run, e)),
    )
    wide = [one_efficiency(run, best) / run.seconds for run in held]
    yield (
        f"The single efficiency that fits these rows best, {best:.0%} of the peak, has a mean of "
        f"{mean_error(held, lambda run: one_efficiency(run, best)):.1%}, between {min(wide):.2f} and "
        f"{max(wide):.2f}."
    )
    families = {"Megatron-LM's": held[:9], "llm-foundry's": held[9:]}
    for (name, seen), (other, unseen) in zip(families.items(), reversed(list(families.items())), strict=True):
        factors = fitted_to(seen)
        ratios = [with_factors(run, factors) / run.seconds for run in unseen]
        yield (
            f"With the three constants of computing fitted to {name} rows alone, {other} come out with a mean of "
            f"{mean_error(unseen, lambda run, f=factors: with_factors(run, f)):.1%}, between "  # type: ignore[misc]
            f"{min(ratios):.2f} and {max(ratios):.2f}."
        )
    yield "(Megatron-LM's rows have one context length, which cannot tell attention from matrices.)"


def row(run: PublishedRun) -> str:
    time = predicted(run)
    cells = (
        run.number,
        run.model,
        run.hardware.count,
        f"{run.budget.context_length:,}",
        run.parallelism,
        run.recipe if run.number > HELD else run.source.split(" (")[0],
        f"{time.seconds:.3f}",
        f"{run.seconds:.3f}",
        f"{time.seconds / run.seconds - 1:+.1%}",
    )
    return f"| {' | '.join(map(str, cells))} |"


def table(runs: Sequence[PublishedRun], said: str) -> Iterator[str]:
    yield f"| row | model | devices | context | layout | {said} | predicted s | measured s | error |"
    yield "|---:|---|---:|---:|---|---|---:|---:|---:|"
    yield from map(row, runs)


def main() -> None:
    runs = list(published_runs())
    held, others = runs[:HELD], runs[HELD:]
    lines = [HEAD, *summary(held), "", *table(held, "source")]
    lines += ["", "Rows outside of what is modelled, fitted to by nothing (torchtitan; 500 W, 2.4 TB/s):", ""]
    lines += [*table(others, "recipe"), TAIL]
    TARGET.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
