"""The sampling thread and the CPU probe on this very process."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import attrs
import psutil
import pytest
from effdsl_runtime.probes import Meter, ProbeError, Reading, Recorder, Sampler, summarise
from effdsl_runtime.probes.cpu import CpuProbe
from effdsl_runtime.probes.sampler import PROBES

from effdsl.hardware import Hardware

MS = 1_000_000


@attrs.define
class Scripted:
    """A probe that gives readings one after the other, then fails."""

    readings: list[Reading]
    meter: Meter = attrs.Factory(Meter)
    missing: dict[str, str] = attrs.Factory(dict)
    flags: tuple[str, ...] = ()
    asked: int = 0
    closed: bool = False

    def read(self) -> Reading:
        self.asked += 1
        if self.asked > len(self.readings):
            raise ProbeError("gone")
        return self.readings[self.asked - 1]

    def peak_memory_bytes(self) -> int | None:
        return None

    def memory_over_start_bytes(self) -> int | None:
        return None

    def close(self) -> None:
        self.closed = True


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_trace_covers_the_whole_block_with_ascending_real_times() -> None:
    with Sampler("cpu", period_s=0.01) as sampler:
        start_ns = time.perf_counter_ns()
        wait_until(lambda: len(sampler.trace) >= 5)
        end_ns = time.perf_counter_ns()
    t_ns = list(sampler.trace.t_ns)
    assert t_ns[0] <= start_ns
    assert t_ns[-1] >= end_ns
    assert t_ns == sorted(set(t_ns))
    summary = sampler.summary(start_ns, end_ns)
    assert {"amu_gb", "peak_memory_gb", "pcu"} <= summary.metrics.keys()


def test_a_block_shorter_than_the_period_still_has_a_reading_at_each_end() -> None:
    with Sampler("cpu", period_s=60) as sampler:
        pass
    assert len(sampler.trace) == 2


def test_the_thread_ends_with_the_block_and_its_cost_is_known() -> None:
    before = threading.active_count()
    with Sampler("cpu", period_s=0.005) as sampler:
        wait_until(lambda: len(sampler.trace) >= 10)
    assert threading.active_count() == before
    assert 0 < sampler.cost_s < 10


def test_an_error_in_the_block_comes_through_and_ends_the_thread() -> None:
    before = threading.active_count()
    with pytest.raises(KeyError), Sampler("cpu", period_s=0.005):
        raise KeyError
    assert threading.active_count() == before


def test_a_probe_that_fails_is_flagged_and_its_metrics_are_missing_with_what_it_said() -> None:
    probe = Scripted([Reading(memory_bytes=1), Reading(memory_bytes=1)])
    with Sampler("cpu", period_s=0.001, probe=probe) as sampler:
        start_ns = time.perf_counter_ns()
        wait_until(lambda: bool(sampler.failure))
        end_ns = time.perf_counter_ns()
    assert sampler.failure == "gone"
    assert "probe_failed" in sampler.flags
    assert sampler.summary(start_ns, end_ns).missing["amu_gb"] == "gone"
    assert probe.asked == 3  # two answers and the failure: a dead probe is asked no more
    assert probe.closed


def test_resident_memory_is_that_of_this_process() -> None:
    rss = CpuProbe().read().memory_bytes
    assert rss == pytest.approx(psutil.Process(os.getpid()).memory_info().rss, rel=0.05)


def sampled(body: str, metric: str) -> float:
    """The bytes of a metric of ``body``, read at its start and end only.

    In a process of its own: what other tests left behind moves the high-water mark of this one.
    """
    code = (
        "from effdsl_runtime.probes import Sampler\n"
        "with Sampler('cpu', period_s=60) as sampler:\n"
        f"    {body}\n"
        f"print(sampler.summary(sampler.trace.t_ns[0], sampler.trace.t_ns[-1]).metrics[{metric!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout) * 1e9


BLOCK = 64 * 2**20


@pytest.mark.slow
def test_peak_memory_sees_what_was_freed_between_two_readings() -> None:
    empty = sampled("pass", "peak_memory_gb")
    assert sampled(f"held = b'x' * {BLOCK}; del held", "peak_memory_gb") >= empty + 0.9 * BLOCK


def test_memory_over_the_baseline_is_what_came_on_top_of_the_start() -> None:
    assert sampled(f"held = b'x' * {BLOCK}", "memory_over_baseline_gb") == pytest.approx(BLOCK, rel=0.1)


def test_without_a_probe_that_knows_better_the_first_reading_is_the_baseline() -> None:
    recorder = Recorder(Scripted([Reading(memory_bytes=n * 10**9) for n in (3, 7, 5)]))
    for _ in range(3):
        recorder.record()
    trace = recorder.trace()
    found = summarise(trace, trace.t_ns[0], trace.t_ns[-1], {})
    assert found.metrics["memory_over_baseline_gb"] == pytest.approx(4)


def test_cpu_utilisation_is_cpu_time_over_wall_time_and_cores() -> None:
    """Two cores; 0.3 s of CPU time in the first second and 1.7 s in the next."""
    clock_ns = iter([0, 1000 * MS, 2000 * MS])
    cpu_time_s = iter([10.0, 10.3, 12.0])
    recorder = Recorder(Scripted([Reading()] * 3), lambda: next(clock_ns), lambda: next(cpu_time_s), cores=2)
    for _ in range(3):
        recorder.record()
    trace = recorder.trace()
    assert trace.utilisation == pytest.approx([0.15, 0.15, 0.85])
    pcu = summarise(trace, 500 * MS, 1500 * MS, {}).metrics["pcu"]
    assert pcu == pytest.approx((0.15 + 0.85) / 2)


def test_a_gpu_without_a_driver_has_no_metrics_and_a_reason_for_each(tmp_path: Path) -> None:
    if Path("/proc/driver/nvidia").exists():
        pytest.skip("this machine has an NVIDIA driver")
    with Sampler("gpu", period_s=60) as sampler:
        pass
    assert sampler.meter == "none"
    summary = sampler.summary(*sampler.trace.t_ns)
    assert summary.metrics == {}
    assert {"amu_gb", "pcu", "aec_w"} <= summary.missing.keys()
    assert "Not Found" in summary.missing["aec_w"]


@pytest.mark.parametrize("other", ["cuda", "cuda:1", "tpu"])
def test_there_are_probes_for_the_kinds_of_hardware_and_no_others(other: str) -> None:
    for kind in PROBES:
        Hardware("any", kind=kind)
    with pytest.raises(KeyError):
        Sampler(other)
