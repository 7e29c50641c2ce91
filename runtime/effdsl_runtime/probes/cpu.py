"""The probe for tasks that run on the CPU: resident memory of the process, and RAPL where readable."""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from effdsl_runtime.probes.probe import Meter, ProbeError, Reading
from effdsl_runtime.probes.rapl import POWERCAP, Rapl

STATUS = Path("/proc/self/status")


class CpuProbe:
    """Reads this process. CPU time is kept by the recorder, for all devices alike."""

    flags: tuple[str, ...] = ()

    def __init__(self, powercap: Path = POWERCAP) -> None:
        rapl = Rapl.open(powercap)
        self._rapl = rapl if isinstance(rapl, Rapl) else None
        self._process = _this_process()
        self._private_at_start = self._private_bytes()
        self.meter = Meter("rapl", "package") if self._rapl else Meter()
        self.missing: Mapping[str, str] = {} if self._rapl else {"energy_j": f"no power meter: {rapl}"}

    def read(self) -> Reading:
        """Memory, and the energy counter where there is one."""
        try:
            energy_j = self._rapl.energy_j() if self._rapl else None
        except (OSError, ValueError) as error:
            raise ProbeError(f"RAPL: {error}") from error
        return Reading(memory_bytes=self._process.memory_info().rss, energy_j=energy_j)

    def peak_memory_bytes(self) -> int | None:
        """The kernel's high-water mark of this process's resident memory."""
        try:
            lines = STATUS.read_text(encoding="ascii").splitlines()
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
        except (OSError, StopIteration):  # where getrusage counts this program alone, unlike on Linux
            unit = 1 if sys.platform == "darwin" else 1024
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

    def memory_over_start_bytes(self) -> int | None:
        """The peak without pages of files, less what the process held by itself when this was made.

        Pages of the libraries' files come in as they are first used, which says nothing of the task.
        """
        peak = self.peak_memory_bytes()
        if peak is None:
            return None
        return peak - int(self._process.memory_info().shared) - self._private_at_start

    def _private_bytes(self) -> int:
        memory = self._process.memory_info()
        return int(memory.rss - memory.shared)

    def close(self) -> None:
        """Nothing to give back."""


def _this_process() -> Any:
    import psutil  # comes with the extra "torch"; to plan a study nothing is read

    return psutil.Process()
