"""CPU time of `effdsl plan` for 10,000 and 100,000 tasks, with an empty store."""

import tempfile
from pathlib import Path

from reporting import EFFDSL, Result, cpu_seconds, median, report
from studies_of import write_study

REPEATS = 5
BARS = {10_000: 0.6, 100_000: 3.0}

results = []
for tasks, bar in BARS.items():
    with tempfile.TemporaryDirectory() as folder:
        study = write_study(Path(folder), tasks)
        command = [EFFDSL, "plan", study, "--store", Path(folder) / "store"]
        seconds = [cpu_seconds(command) for _ in range(REPEATS)]
    note = f"{tasks // 100:,} cells of 100 repeats, median of {REPEATS}"
    results.append(
        Result(f"`effdsl plan` of {tasks:,} tasks", median(seconds), "CPU s", at_most=bar, note=note)
    )
report("plan", results)
