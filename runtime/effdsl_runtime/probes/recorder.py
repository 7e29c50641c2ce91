"""Builds a trace out of readings, one by one; the caller decides when."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from effdsl_runtime.cgroup import usable_cores
from effdsl_runtime.probes.probe import Probe, ProbeError, Reading
from effdsl_runtime.probes.trace import Trace


class Recorder:
    """Keeps what a probe reads, with the time of each reading.

    Attributes:
        failure: why the probe stopped answering; ``""`` while it answers.
    """

    def __init__(
        self,
        probe: Probe,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
        cpu_time_s: Callable[[], float] = time.process_time,
        cores: int | None = None,
    ) -> None:
        self.probe = probe
        self.failure = ""
        self._clock_ns = clock_ns
        self._cpu_time_s = cpu_time_s
        self._cores = cores or usable_cores()
        self._rows: list[tuple[int, float, Reading]] = []

    def record(self) -> None:
        """Read the probe once. A probe that fails is asked no more; what it read so far stays."""
        if self.failure:
            return
        try:
            reading = self.probe.read()
        except ProbeError as error:
            self.failure = str(error)
            return
        # After the reading: a counter's value is at most as old as its time stamp says.
        self._rows.append((self._clock_ns(), self._cpu_time_s(), reading))

    def trace(self) -> Trace:
        """Everything read so far."""
        rows = list(self._rows)

        def column(name: str) -> Any:
            values = [getattr(reading, name) for _, _, reading in rows]
            return None if values.count(None) == len(values) else values

        return Trace(
            t_ns=[t_ns for t_ns, _, _ in rows],
            cpu_time_s=[cpu_time_s for _, cpu_time_s, _ in rows],
            cores=self._cores,
            memory_bytes=column("memory_bytes"),
            process_memory_bytes=column("process_memory_bytes"),
            device_utilisation=column("utilisation"),
            power_w=column("power_w"),
            energy_j=column("energy_j"),
            throttle=column("throttle") or (),
            foreign=column("foreign") or (),
        )
