"""The one interface of all probes: what a reading holds, and where its power comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import attrs


@attrs.frozen
class Meter:
    """Where energy and power come from.

    Attributes:
        name: ``"nvml-counter"``, ``"nvml-power"``, ``"rapl"`` or ``"none"``.
        scope: what is measured: ``"gpu"``, ``"module"`` (GPU, CPU and memory of one board),
            ``"package"`` (all CPU sockets) or ``""``. Two scopes are two different quantities.
    """

    name: str = "none"
    scope: str = ""


@attrs.frozen
class Reading:
    """One look at a device. ``None`` is what the device or its driver cannot tell.

    Attributes:
        memory_bytes: memory used: of the device on a GPU, resident memory of the process on a CPU.
        process_memory_bytes: memory of the device that this process holds; unknown before it holds any.
        utilisation: busy share of the device, 0 to 1; ``None`` on a CPU, where CPU time tells more.
        power_w: power drawn.
        energy_j: a counter that only grows; differences mean something, the value does not.
        throttle: bits of :class:`Throttle`.
        foreign: number of processes of others on the device.
    """

    memory_bytes: int | None = None
    process_memory_bytes: int | None = None
    utilisation: float | None = None
    power_w: float | None = None
    energy_j: float | None = None
    throttle: int = 0
    foreign: int = 0


class ProbeError(Exception):
    """A device that answered before does not answer any more; the message says what it said."""


class Probe(Protocol):
    """Reads one device."""

    @property
    def meter(self) -> Meter:
        """Where energy comes from."""
        ...

    @property
    def missing(self) -> Mapping[str, str]:
        """What cannot be read (a field of Reading), with the reason."""
        ...

    @property
    def flags(self) -> tuple[str, ...]:
        """Warnings that hold for the whole run."""
        ...

    def read(self) -> Reading:
        """Read the device now.

        Raises:
            ProbeError: when the device has stopped answering.
        """
        ...

    def peak_memory_bytes(self) -> int | None:
        """The high-water mark where the system keeps one; readings in between may miss it."""
        ...

    def memory_over_start_bytes(self) -> int | None:
        """How much more memory the task has held than when this probe was made, where that is known better
        than from readings."""
        ...

    def close(self) -> None:
        """Give back what was opened; nothing is read afterwards."""
        ...
