"""Run in a process of its own, with the stand-in driver on LD_LIBRARY_PATH: read it at given times.

Standard input: {"times_s": [...], "window_s": [start, end]}. Standard output: what the probe made of it.
"""

import ctypes
import json
import sys

from effdsl_runtime.probes import Recorder, summarise
from effdsl_runtime.probes.nvml import open_gpu


def main() -> None:
    asked = json.load(sys.stdin)
    driver = ctypes.CDLL("libnvidia-ml.so.1")
    driver.standin_set_time_s.argtypes = [ctypes.c_double]
    now_s = 0.0
    driver.standin_set_time_s(now_s)
    probe = open_gpu()
    recorder = Recorder(probe, clock_ns=lambda: round(now_s * 1e9), cpu_time_s=lambda: 0.0, cores=1)
    for now_s in asked["times_s"]:
        driver.standin_set_time_s(now_s)
        recorder.record()
    trace = recorder.trace()
    start_ns, end_ns = (round(edge * 1e9) for edge in asked["window_s"])
    summary = summarise(trace, start_ns, end_ns, probe.missing, None, recorder.failure)
    answer = {
        "meter": probe.meter.name,
        "scope": probe.meter.scope,
        "flags": [*probe.flags, *trace.warnings],
        "metrics": summary.metrics,
        "missing": summary.missing,
        "columns": {name: list(column) for name, column in trace.columns().items()},
    }
    probe.close()
    json.dump(answer, sys.stdout)


main()
