"""`benchmarks/gpu.py`, whose minutes on a GPU are few: it runs here at toy size on a CPU."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

pytestmark = pytest.mark.slow  # processes that load torch
SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu.py"


def command(out: Path, *more: str, device: str = "cpu") -> list[str]:
    return [sys.executable, str(SCRIPT), "--toy", "--device", device, "--out", str(out), *more]


def json_of(out: Path) -> dict[str, Any]:
    """What is there now; nothing before anything is."""
    path = out / "gpu.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"measuring": "", "parts": {}}
    return found


def parts_of(out: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Rows by part and case."""
    found: dict[str, dict[str, dict[str, Any]]] = json_of(out)["parts"]
    return found


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_every_part_measures_every_case_on_a_cpu(tmp_path: Path) -> None:
    """No case fails; every technique agrees with itself in float32, every cache with its closed form."""
    ran = subprocess.run(command(tmp_path), capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    parts = parts_of(tmp_path)
    wanted = ["probes", "against_cpu", "throughput", "fine_tuning", "inference", "kernels", "decoding"]
    assert list(parts) == wanted
    reasons = [
        (case, row["reason"]) for rows in parts.values() for case, row in rows.items() if "reason" in row
    ]
    assert not reasons
    assert all(row["agrees"] for row in parts["against_cpu"].values())
    assert all(row["cache_over_formula"] == pytest.approx(1) for row in parts["decoding"].values())
    assert all(row["tokens_per_s"] > 0 for row in parts["throughput"].values())
    assert all(row["tokens_per_s"] > 0 for row in parts["fine_tuning"].values())
    assert all(row["batched_tokens_per_s"] > 0 for row in parts["inference"].values())
    assert all(row["weights_over_formula"] == pytest.approx(1) for row in parts["inference"].values())
    assert all(row["mfu"] is None for row in parts["throughput"].values())  # a CPU's peak is not known
    table = (tmp_path / "gpu.md").read_text()
    assert all(f"| {case} |" in table for rows in parts.values() for case in rows)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, so nothing fails for want of one")
def test_where_a_case_fails_its_reason_is_a_row_and_the_others_are_tried(tmp_path: Path) -> None:
    """Here every case fails that wants a GPU."""
    wanted = command(tmp_path, "--parts", "probes", "decoding", device="gpu")
    ran = subprocess.run(wanted, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    parts = parts_of(tmp_path)
    assert "reason" not in parts["probes"]["the machine"]
    assert [case for case, row in parts["decoding"].items() if row.get("reason")] == list(parts["decoding"])
    assert len(parts["decoding"]) == 5


def test_a_process_that_dies_costs_one_case_and_a_cut_leaves_what_was_there(tmp_path: Path) -> None:
    """The part goes on with the next case in another process; a killed script leaves whole files."""
    script = subprocess.Popen(command(tmp_path, "--parts", "against_cpu"), stdout=subprocess.DEVNULL)
    wait_for(lambda: parts_of(tmp_path).get("against_cpu") and json_of(tmp_path)["measuring"])
    for child in psutil.Process(script.pid).children():
        child.kill()
    wait_for(lambda: len(parts_of(tmp_path)["against_cpu"]) >= 5)
    script.kill()
    script.wait()
    rows = parts_of(tmp_path)["against_cpu"]
    (dead,) = [row["reason"] for row in rows.values() if "reason" in row]
    assert "its process ended with -9" in dead
    assert "| MHA |" in (tmp_path / "gpu.md").read_text()


def test_what_there_is_no_time_for_is_said(tmp_path: Path) -> None:
    """With no minutes at all, every part is named with the reason."""
    ran = subprocess.run(command(tmp_path, "--minutes", "0"), capture_output=True, timeout=60, check=False)
    assert ran.returncode == 0
    assert {row["reason"] for rows in parts_of(tmp_path).values() for row in rows.values()} == {
        "not run: the minutes were spent"
    }
