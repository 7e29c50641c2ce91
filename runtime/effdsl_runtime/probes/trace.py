"""What was read of a device over time, one column per quantity."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from itertools import pairwise

import attrs

from effdsl_runtime.probes.integrate import NS


class Throttle(enum.IntFlag):
    """Why clocks are held down; the values are NVML's clocks event reasons (nvml.h)."""

    SW_POWER_CAP = 0x4
    HW_SLOWDOWN = 0x8
    SW_THERMAL = 0x20
    HW_THERMAL = 0x40
    HW_POWER_BRAKE = 0x80


SLOW_SAMPLER_NS = 1_000_000_000


@attrs.frozen(eq=False)
class Trace:
    """Columns of equal length; a column that the device cannot fill is ``None``.

    Attributes:
        t_ns: ``time.perf_counter_ns`` of each reading, ascending.
        cpu_time_s: CPU time of this process so far, all threads.
        cores: cores this process may use.
        The other columns are those of :class:`effdsl_runtime.probes.probe.Reading`.
    """

    t_ns: Sequence[int]
    cpu_time_s: Sequence[float]
    cores: int
    memory_bytes: Sequence[int] | None = None
    process_memory_bytes: Sequence[int | None] | None = None
    device_utilisation: Sequence[float] | None = None
    power_w: Sequence[float] | None = None
    energy_j: Sequence[float] | None = None
    throttle: Sequence[int] = ()
    foreign: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self.t_ns)

    @property
    def utilisation(self) -> Sequence[float]:
        """Busy share, 0 to 1: of the device where it tells, else of this process's cores.

        On a CPU each value is the mean since the reading before; the first one repeats the second.
        """
        if self.device_utilisation is not None:
            return self.device_utilisation
        steps = zip(self.t_ns[:-1], self.t_ns[1:], self.cpu_time_s[:-1], self.cpu_time_s[1:], strict=True)
        shares = [(busy1 - busy0) / ((t1 - t0) * NS * self.cores) for t0, t1, busy0, busy1 in steps]
        return [*shares[:1], *shares]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What should make a reader careful with these readings."""
        seen = 0
        for bits in set(self.throttle):
            seen |= bits
        found = [f"throttled_{reason.name.lower()}" for reason in Throttle if reason & seen and reason.name]
        if any(self.foreign):
            found.append("foreign_process")
        if any(b - a > SLOW_SAMPLER_NS for a, b in pairwise(self.t_ns)):
            found.append("sampling_gap")
        return tuple(found)

    def columns(self) -> dict[str, Sequence[float | None]]:
        """The columns that were read, by name, as they are written to a file."""
        named: dict[str, Sequence[float | None] | None] = {
            "t_ns": self.t_ns,
            "memory_bytes": self.memory_bytes,
            "process_memory_bytes": self.process_memory_bytes,
            "utilisation": self.utilisation,
            "power_w": self.power_w,
            "energy_j": self.energy_j,
            "cpu_time_s": self.cpu_time_s,
            "throttle": self.throttle,
            "foreign": self.foreign,
        }
        return {name: column for name, column in named.items() if column is not None}
