"""Study files with a given number of tasks, for the benchmarks of planning."""

from pathlib import Path

STUDY = """\
from effdsl import *

study = Study(
    axis=Attention([MHA, MQA, GQA, MLA, NSA])
    * Position([RoPE(theta=10_000 + n) for n in range({positions})]),
    scales=[3 * M, 6 * M, 12 * M, 24 * M],
    budget=Budget(steps=100, batch_size=8, context_length=256),
    repeats={repeats},
)
"""
TECHNIQUES = 5
SCALES = 4
REPEATS = 100


def write_study(folder: Path, tasks: int) -> Path:
    """Five attentions, four scales, a hundred repeats, and as many positions as ``tasks`` needs."""
    positions = tasks // (TECHNIQUES * SCALES * REPEATS)
    assert positions * TECHNIQUES * SCALES * REPEATS == tasks
    path = folder / f"study_{tasks}.py"
    path.write_text(STUDY.format(positions=positions, repeats=REPEATS), encoding="utf-8")
    return path
