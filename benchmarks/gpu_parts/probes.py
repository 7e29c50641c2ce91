"""Whether the probes tell the truth: energy by counter against power over time, utilisation, memory."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import torch
from effdsl_runtime.device import synchronise
from effdsl_runtime.machine import detect, gpu_in_use
from effdsl_runtime.probes import Sampler
from effdsl_runtime.probes.integrate import increase, integral, mean

from gpu_parts.setting import Row, Setting

SECONDS = 40.0


def cases(setting: Setting) -> Sequence[str]:
    return ("the machine", "idle", "busy", "memory held")


def measure(setting: Setting, case: str) -> Row:
    return {"the machine": _machine, "idle": _idle, "busy": _busy, "memory held": _memory}[case](setting)


def _machine(setting: Setting) -> Row:
    found = detect()
    refused = "; ".join(f"{what}: {why}" for what, why in gpu_in_use().missing.items())
    return {
        "name": found.name,
        "kind": found.kind,
        "memory_gb": None if found.memory is None else found.memory.value / 1e9,
        "peak_bf16_tflops": found.peak_flops.get("bfloat16", 0.0) / 1e12 or None,
        "not_told": refused,
        "torch": torch.__version__,
        "cores": os.cpu_count(),
    }


def _idle(setting: Setting) -> Row:
    return _watched(setting, lambda: time.sleep(0.1))


def _busy(setting: Setting) -> Row:
    """Square products in bfloat16, as large as fill the device."""
    size = 256 if setting.toy else 8192
    a = torch.randn(size, size, device=setting.device, dtype=torch.bfloat16)
    done = 0

    def once() -> None:
        nonlocal done
        for _ in range(8):
            a @ a
        synchronise(setting.device)
        done += 8

    start = time.perf_counter()
    row = _watched(setting, once)
    return row | {"tflops": 2 * size**3 * done / (time.perf_counter() - start) / 1e12}


def _watched(setting: Setting, once: object) -> Row:
    """The probe's readings over ``once`` again and again."""
    assert callable(once)
    with Sampler(setting.kind) as sampler:
        start = time.perf_counter_ns()
        while time.perf_counter_ns() - start < (0.5 if setting.toy else 6.0) * 1e9:
            once()
        end = time.perf_counter_ns()
    trace, seen = sampler.trace, sampler.summary(start, end)
    row: Row = {"meter": sampler.meter, "scope": sampler.meter_scope, "readings": len(trace)}
    row |= {name: seen.metrics.get(name) for name in ("pcu", "amu_gb", "peak_memory_gb", "aec_w")}
    if trace.energy_j is not None and trace.power_w is not None and seen.metrics.get("aec_w"):
        counted = increase(trace.t_ns, trace.energy_j, start, end)
        integrated = integral(trace.t_ns, trace.power_w, start, end)
        row |= {
            "counter_over_integral": counted / integrated,
            "mean_power_w": mean(trace.t_ns, trace.power_w, start, end),
        }
    row |= {"flags": ", ".join(sampler.flags), "not_told": "; ".join(sorted(set(seen.missing.values())))}
    row["thread_s"] = sampler.cost_s
    return row


def _memory(setting: Setting) -> Row:
    """A block of known size, against what the probe sees of it."""
    size = 10**8 if setting.toy else 4 * 10**9
    with Sampler(setting.kind) as sampler:
        held = torch.ones(size // 4, device=setting.device)
        synchronise(setting.device)
        time.sleep(0.3)
        float(held[0])
    over = sampler.memory_over_start_bytes
    trace = sampler.trace
    seen = over if over is not None else max(trace.memory_bytes or [0]) - (trace.memory_bytes or [0])[0]
    return {"held_gb": size / 1e9, "seen_gb": seen / 1e9, "seen_over_held": seen / size}
