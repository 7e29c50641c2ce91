"""Run every benchmark, one after the other, each in a process of its own."""

import subprocess
import sys
from pathlib import Path

BENCHMARKS = (
    "start_up",
    "plan",
    "cached_execute",
    "store",
    "pareto",
    "noop_task",
    "probe_cost",
    "memory",
    "training_step",
    "fine_tuning_step",
    "scans",
    "matmul_rate",
    "against_transformers",
)

if __name__ == "__main__":
    here = Path(__file__).parent
    failed = [
        name
        for name in BENCHMARKS
        if subprocess.run([sys.executable, str(here / f"{name}.py")], check=False).returncode
    ]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")
