"""What sampling at 10 Hz costs the training step that it watches.

The share of a core that the sampling thread uses is measured directly: it is what the probe takes from
a step, and it can be told from noise. Beside it, the medians of alternating blocks of steps with and
without the probe, whose difference drowns in the noise of a shared machine.
"""

import time

import torch
from effdsl_runtime.probes import Sampler
from reporting import Result, median, report
from training import decoder, ours, step_cpu_seconds, windows

from effdsl import M

BLOCKS = 8
STEPS = 10
WARM_UP = 3

torch.set_num_threads(1)
trainer = ours(decoder(3 * M), "float32")
batch = windows()
for number in range(WARM_UP):
    trainer.step(number, batch)
watched: list[float] = []
alone: list[float] = []
shares: list[float] = []
for _ in range(BLOCKS):
    alone += [step_cpu_seconds(trainer, step, batch) for step in range(STEPS)]
    start = time.perf_counter()
    with Sampler("cpu", period_s=0.1) as sampler:
        watched += [step_cpu_seconds(trainer, step, batch) for step in range(STEPS)]
    shares.append(sampler.cost_s / (time.perf_counter() - start))
results = [
    Result("CPU time of the sampling thread over wall time", 100 * median(shares), "%", at_most=1.0,
           note="10 Hz, 3M GQA decoder, float32, one thread"),
    Result("a step with the probe against one without", 100 * (median(watched) / median(alone) - 1), "%",
           note=f"medians of {len(alone)} steps of {median(alone):.3f} CPU s"),
]  # fmt: skip
report("probe_cost", results)
