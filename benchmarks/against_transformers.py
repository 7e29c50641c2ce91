"""A training step of every family against transformers' own model of the same shape, at about 3M parameters.

Same parameters, loss, optimizer, clipping, dtype; ours and theirs take turns in one process per family
on one thread, and which comes first alternates. Compared is CPU time, by the median of the ratios within the
pairs. Their Mamba and RWKV step through time in Python where no CUDA kernel is installed, so a few pairs
have to do.
"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import torch
from effdsl_runtime.model.build import build
from effdsl_runtime.model.decoder import parameter_count
from families import FAMILIES, Family, Theirs
from reporting import Result, report
from training import CONTEXT, alternating, trainer_of, windows

from effdsl import M

PAIRS, WARM_UP = 15, 3
SLOW_PAIRS, SLOW_WARM_UP, SLOW_BATCH = 2, 1, 4
DTYPE = "float32"


def compare(family: Family) -> Result:
    architecture = family.ours(3 * M)
    models = [build(architecture, CONTEXT, seed=0), Theirs(family.theirs(architecture))]
    counts = [parameter_count(model) for model in models]
    assert abs(counts[0] / counts[1] - 1) < 1e-3, (family.name, counts)  # Mixtral has no biases on q, k and v
    trainers = [trainer_of(model, DTYPE) for model in models]
    pairs, warm_up = (SLOW_PAIRS, SLOW_WARM_UP) if family.slow else (PAIRS, WARM_UP)
    batch = windows()[:SLOW_BATCH] if family.slow else windows()
    mine, theirs, ratio = alternating(trainers, batch, pairs, warm_up)
    note = f"{counts[0]:,} parameters, batch {len(batch)}, {mine:.3f} against {theirs:.3f} CPU s"
    what = f"speed of ours over transformers', {family.name}, {DTYPE}"
    return Result(what, ratio, "×", at_least=family.at_least, note=note)


def compare_by_number(number: int) -> Result:
    """In a process of its own, so that no family meets the heap that another left."""
    torch.set_num_threads(1)
    return compare(FAMILIES[number])


if __name__ == "__main__":
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        report("against_transformers", list(pool.map(compare_by_number, range(len(FAMILIES)))))
