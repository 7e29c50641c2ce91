"""A training step of our decoder against transformers' Qwen2: same shape, loss, optimizer, clipping, dtype.

Steps of the two alternate in one process on one thread, and the order within each pair alternates too,
so that whatever else the machine does meets both alike. Compared is CPU time, by the median of the
ratios within the pairs.
"""

import torch
from effdsl_runtime.model.decoder import parameter_count
from reporting import Result, report
from training import alternating, decoder, ours, transformers_qwen2, windows

from effdsl import M

PAIRS = 15
WARM_UP = 3


def compare(scale: int, dtype: str) -> Result:
    architecture = decoder(scale * M)
    pair = [ours(architecture, dtype), transformers_qwen2(architecture, dtype)]
    counts = [parameter_count(trainer.model) for trainer in pair]
    assert counts[0] == counts[1], counts
    mine, theirs, ratio = alternating(pair, windows(), PAIRS, WARM_UP)
    note = f"{counts[0]:,} parameters, {mine:.3f} against {theirs:.3f} CPU s"
    return Result(f"speed of ours over Qwen2's, {dtype}", ratio, "×", at_least=1.0, note=note)


torch.set_num_threads(1)
shapes = [(3, "float32"), (3, "bfloat16"), (12, "float32")]
report("training_step", [compare(scale, dtype) for scale, dtype in shapes])
