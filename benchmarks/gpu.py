"""The first minutes on a GPU: one command, no network, at most nine minutes.

    PYTHONPATH=.:registry:runtime:analysis python3 benchmarks/gpu.py --out results

Each part runs in a process of its own, case by case. What a case gives, or why it gives nothing, is on
disk before the next begins, so that a cut loses one case; a crash or a hang loses one case, and its part
goes on with the next in a new process.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PARTS = ("probes", "against_cpu", "throughput", "fine_tuning", "inference", "kernels", "decoding")
SLOWEST_CASE_S = 90.0
LOST = "CUDA error"  # after one, nothing in its process works any more
BROKEN = 3


class Results:
    """All rows so far, as JSON and as Markdown, written anew after each."""

    def __init__(self, folder: Path, facts: dict[str, Any]) -> None:
        self._folder, self._facts = folder, facts
        self._rows: dict[str, dict[str, dict[str, Any]]] = {}
        self._started = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, part: str, case: str, row: dict[str, Any]) -> None:
        said = row.get("reason") or ", ".join(f"{name} {_short(value)}" for name, value in row.items())
        print(f"{time.monotonic() - self._started:5.0f} s  {part}: {case}: {said}", flush=True)
        self._rows.setdefault(part, {})[case] = row
        self._keep("")

    def begin(self, part: str, case: str) -> None:
        """Say what is being measured, so that after a cut it is known what was."""
        self._keep(f"{part}: {case}")

    def _keep(self, measuring: str) -> None:
        self._write(
            "gpu.json",
            json.dumps(self._facts | {"measuring": measuring, "parts": self._rows}, indent=2) + "\n",
        )
        self._write("gpu.md", "\n".join(self._tables()) + "\n")

    def _tables(self) -> Iterator[str]:
        yield "# What the GPU said\n"
        yield from (f"- {name}: {value}" for name, value in self._facts.items())
        for part, cases in self._rows.items():
            names = list(dict.fromkeys(name for row in cases.values() for name in row))
            yield f"\n## {part.replace('_', ' ')}\n"
            yield f"| case | {' | '.join(names)} |"
            yield f"| --- |{' --- |' * len(names)}"
            for case, row in cases.items():
                yield f"| {case} | {' | '.join(_short(row.get(name)) for name in names)} |"

    def _write(self, name: str, text: str) -> None:
        beside = self._folder / f".{name}.tmp"
        beside.write_text(text, encoding="utf-8")
        beside.replace(self._folder / name)


def _short(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace("\n", " ").replace("|", "/")


def run_part(part: str, options: argparse.Namespace, results: Results, deadline: float) -> None:
    """All cases of ``part``, in as many processes as it takes."""
    left: list[str] | None = None
    while left is None or left:
        left = _run_some(part, left, options, results, deadline)
        if left and time.monotonic() > deadline:
            for case in left:
                results.add(part, case, {"reason": "not run: its minutes were spent"})
            return


def _run_some(
    part: str, wanted: list[str] | None, options: argparse.Namespace, results: Results, deadline: float
) -> list[str]:
    """Run cases in one process until they are done, it breaks, hangs or its time is over; what is left."""
    command = [sys.executable, __file__, "--child", part, "--device", options.device]
    command += ["--toy"] * options.toy
    command += ["--cases", json.dumps(wanted)] if wanted is not None else []
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
    said: queue.Queue[str | None] = queue.Queue()
    errors: list[str] = []
    threading.Thread(target=_listen, args=(child, said), daemon=True).start()
    threading.Thread(target=lambda: errors.extend(child.stderr or ()), daemon=True).start()
    left, case = wanted, "its start"
    reason = ""
    while True:
        limit = min(SLOWEST_CASE_S, deadline - time.monotonic())
        try:
            line = said.get(timeout=max(limit, 0.1))
        except queue.Empty:
            child.kill()
            reason = (
                f"stopped: it took more than {limit:.0f} s"
                if limit > 0
                else "stopped: its minutes were spent"
            )
            break
        if line is None:
            break
        told = json.loads(line)
        if "cases" in told:
            left = told["cases"]
        elif "begin" in told:
            case = told["begin"]
            results.begin(part, case)
        else:
            results.add(part, case, told["row"])
            left = [name for name in left or [] if name != case]
            case = ""
    code = child.wait()
    if case and (reason or code not in (0, BROKEN)):
        last = " ".join("".join(errors).split()[-40:])
        results.add(part, case, {"reason": reason or f"its process ended with {code}: {last}"})
        left = [name for name in left or [] if name != case]
    return left or []


def _listen(child: subprocess.Popen[str], said: queue.Queue[str | None]) -> None:
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith("{"):
            said.put(line)
    said.put(None)


def child(part: str, device: str, toy: bool, wanted: Sequence[str] | None) -> int:
    """Measure the cases of ``part`` and say each on a line of its own."""
    sys.path.insert(0, str(HERE))
    from gpu_parts.setting import Setting

    module: Any = importlib.import_module(f"gpu_parts.{part}")
    setting = Setting(device, toy)
    cases = list(module.cases(setting) if wanted is None else wanted)
    _say({"cases": cases})
    for case in cases:
        _say({"begin": case})
        try:
            row = module.measure(setting, case)
        except Exception as error:  # whatever it is, the other cases want to run
            row = {"reason": f"{type(error).__name__}: {' '.join(str(error).split())[:400]}"}
        _say({"row": row})
        if LOST in row.get("reason", ""):
            return BROKEN
        _tidy()
    return 0


def _tidy() -> None:
    """Give back what the last case held."""
    import torch

    gc.collect()
    torch.compiler.reset()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _say(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)


def facts(options: argparse.Namespace) -> dict[str, Any]:
    commit = subprocess.run(
        ["git", "-C", str(HERE), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip() or "not a checkout",
        "python": sys.version.split()[0],
        "device": options.device,
        "sizes": "toy" if options.toy else "real",
    }


def seconds_of(part: str) -> float:
    sys.path.insert(0, str(HERE))
    return float(importlib.import_module(f"gpu_parts.{part}").SECONDS)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, default=HERE / "results" / "gpu", help="folder of gpu.json and gpu.md"
    )
    parser.add_argument("--minutes", type=float, default=9.0, help="after which nothing more is begun")
    parser.add_argument("--device", choices=("gpu", "cpu"), default="gpu")
    parser.add_argument("--toy", action="store_true", help="sizes that a CPU runs in seconds")
    parser.add_argument(
        "--parts", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS)
    )
    parser.add_argument("--child", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--cases", type=json.loads, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    given = options()
    if given.child:
        return child(given.child, given.device, given.toy, given.cases)
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    end = time.monotonic() + 60 * given.minutes
    results = Results(given.out, facts(given))
    for part in given.parts:
        if time.monotonic() >= end:
            results.add(part, "all", {"reason": "not run: the minutes were spent"})
            continue
        run_part(part, given, results, min(end, time.monotonic() + seconds_of(part)))
    print(f"{given.out / 'gpu.json'} and gpu.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
