"""Reads a device beside the task, from a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType

from effdsl_runtime.probes.cpu import CpuProbe
from effdsl_runtime.probes.nvml import open_gpu
from effdsl_runtime.probes.probe import Probe
from effdsl_runtime.probes.recorder import Recorder
from effdsl_runtime.probes.summary import Measurement, summarise, unmeasurable
from effdsl_runtime.probes.trace import Trace

PROBES: Mapping[str, Callable[[], Probe]] = {"cpu": CpuProbe, "gpu": open_gpu}


class Sampler:
    """A context manager that samples while its block runs, first at its start and last at its end.

    Attributes:
        period_s: the time between readings that is aimed at; the real times are in the trace.
        cost_s: CPU time that the sampling thread has used, known after the block.
    """

    def __init__(self, kind: str, period_s: float = 0.1, probe: Probe | None = None) -> None:
        """Sample the device of ``kind``, which is that of a :class:`effdsl.hardware.Hardware`."""
        self.period_s = period_s
        self.cost_s = 0.0
        self.peak_memory_bytes: int | None = None
        self.memory_over_start_bytes: int | None = None
        self._probe = probe or PROBES[kind]()
        self._recorder = Recorder(self._probe)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="effdsl-sampler", daemon=True)

    @property
    def trace(self) -> Trace:
        """What has been read so far."""
        return self._recorder.trace()

    @property
    def meter(self) -> str:
        """Where energy comes from: ``"nvml-counter"``, ``"nvml-power"``, ``"rapl"`` or ``"none"``."""
        return self._probe.meter.name

    @property
    def meter_scope(self) -> str:
        """What the meter covers: ``"gpu"``, ``"module"``, ``"package"`` or ``""``."""
        return self._probe.meter.scope

    @property
    def missing(self) -> dict[str, str]:
        """Metrics that this device cannot give, whatever the window, with the reason."""
        return unmeasurable(self._probe.missing)

    def summary(self, start_ns: int, end_ns: int) -> Measurement:
        """The metrics over a window given in ``time.perf_counter_ns``; call it after the block."""
        return summarise(
            self.trace,
            start_ns,
            end_ns,
            self._probe.missing,
            self.peak_memory_bytes,
            self.failure,
            self.memory_over_start_bytes,
        )

    @property
    def flags(self) -> tuple[str, ...]:
        """Warnings about the readings so far."""
        failed = ("probe_failed",) if self.failure else ()
        return (*self._probe.flags, *self.trace.warnings, *failed)

    @property
    def failure(self) -> str:
        """Why the device stopped answering; ``""`` while it answers."""
        return self._recorder.failure

    def __enter__(self) -> Sampler:
        self._recorder.record()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._recorder.record()
        self.peak_memory_bytes = self._probe.peak_memory_bytes()
        self.memory_over_start_bytes = self._probe.memory_over_start_bytes()
        self._probe.close()

    def _run(self) -> None:
        due = time.monotonic()
        while True:
            # A reading that came late is not made up for: two readings at once say no more than one.
            due = max(due + self.period_s, time.monotonic())
            if self._stop.wait(due - time.monotonic()):
                break
            self._recorder.record()
        self.cost_s = time.thread_time()
