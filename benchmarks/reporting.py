"""How every benchmark here reports: a Markdown table, and JSON with the machine, the date and the bars."""

import json
import os
import re
import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import attrs
from effdsl_runtime.machine import describe, detect, load_average

RESULTS = Path(__file__).parent / "results"
EFFDSL = Path(sys.executable).parent / "effdsl"


@attrs.frozen
class Result:
    """One measured number. ``at_most`` or ``at_least`` is its bar, where it has one."""

    what: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.at_most is not None:
            return "ok" if self.value <= self.at_most else "MISSED"
        if self.at_least is not None:
            return "ok" if self.value >= self.at_least else "MISSED"
        return ""

    @property
    def bar(self) -> str:
        if self.at_most is not None:
            return f"≤ {self.at_most:g} {self.unit}"
        return f"≥ {self.at_least:g} {self.unit}" if self.at_least is not None else ""


def report(benchmark: str, results: Sequence[Result]) -> None:
    """Print the results and keep them under ``results/<machine>/<benchmark>.json``."""
    machine = detect().name
    print(f"\n### {benchmark.replace('_', ' ')} on {machine}\n")
    print("| what | measured | bar | |\n| --- | --- | --- | --- |")
    for result in results:
        note = f" ({result.note})" if result.note else ""
        print(f"| {result.what}{note} | {result.value:.3g} {result.unit} | {result.bar} | {result.verdict} |")
    document = {
        "benchmark": benchmark,
        "machine": machine,
        "date": datetime.now(UTC).date().isoformat(),
        "load_average": load_average(),
        "facts": {k: v for k, v in describe().items() if k != "host"},
        "results": [attrs.asdict(result) | {"verdict": result.verdict} for result in results],
    }
    path = RESULTS / re.sub(r"[^a-z0-9]+", "-", machine.lower()).strip("-") / f"{benchmark}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def cpu_seconds(command: Sequence[str | Path], cwd: Path | None = None, **environment: str) -> float:
    """CPU time, user and system, of a command and everything it waits for. It must succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def median(values: Sequence[float]) -> float:
    return statistics.median(values)
