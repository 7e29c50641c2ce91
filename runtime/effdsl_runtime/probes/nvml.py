"""The probe for NVIDIA GPUs, through ``pynvml`` (the package nvidia-ml-py) and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import pynvml

from effdsl_runtime.probes.probe import Meter, Probe, ProbeError, Reading
from effdsl_runtime.probes.visible import find_gpu, is_lost, leave_nvml

T = TypeVar("T")
D = TypeVar("D")

GRACE = ("GH200", "GB200", "GB300")


def open_gpu() -> Probe:
    """The probe of the first CUDA device, on which tasks run, or one that says why there is none."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return NoGpu(f"NVML: {error}")
    found = find_gpu()
    if found.handle is None:
        leave_nvml()
        return NoGpu(found.reason)
    return NvmlProbe(found.handle)


class NoGpu:
    """Stands for a GPU that cannot be read: every quantity is missing, with the reason."""

    meter = Meter()
    flags: tuple[str, ...] = ()

    def __init__(self, reason: str) -> None:
        self.missing: Mapping[str, str] = {
            "memory_bytes": reason,
            "utilisation": reason,
            "energy_j": f"no power meter: {reason}",
        }

    def read(self) -> Reading:
        """Nothing."""
        return Reading()

    def peak_memory_bytes(self) -> int | None:
        """Unknown."""
        return None

    def memory_over_start_bytes(self) -> int | None:
        """Unknown."""
        return None

    def close(self) -> None:
        """Nothing to give back."""


class NvmlProbe:
    """Reads one GPU. What the device does not support is found out once, at the start.

    Memory is that of the whole device without what the driver reserves; utilisation is the share of
    time in which any kernel ran (NVML's, not occupancy). Energy comes from the device's own counter
    where there is one, else power is kept and integrated.
    """

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._own = {os.getpid()}
        self._memory, no_memory = _first([self._memory_v2, self._memory_v1])
        self._utilisation, no_utilisation = _first([self._utilisation_rate])
        self._throttle, _ = _first([self._clock_reasons])
        self._processes, _ = _first([self._compute_processes])
        counters, powers = self._counters(), self._powers()
        self._counter, no_counter = _first([call for _, call in counters])
        self._power, no_power = _first([call for _, call in powers])
        self.meter = self._meter({call: scope for scope, call in [*counters, *powers]})
        reasons = {"memory_bytes": no_memory, "utilisation": no_utilisation}
        if self.meter.name == "none":
            reasons["energy_j"] = f"no power meter: energy counter {no_counter}, power {no_power}"
        self.missing: Mapping[str, str] = {name: f"NVML: {why}" for name, why in reasons.items() if why}
        self.flags = ("mig",) if self._is_partitioned() else ()

    def read(self) -> Reading:
        """Everything that the device supports, in one go."""
        try:
            processes = _or_else((), self._processes)
            return Reading(
                memory_bytes=self._memory() if self._memory else None,
                process_memory_bytes=self._own_memory(processes),
                utilisation=self._utilisation() if self._utilisation else None,
                power_w=self._power() if self._power else None,
                energy_j=self._counter() if self._counter else None,
                throttle=_or_else(0, self._throttle),
                foreign=self._foreign(processes),
            )
        except pynvml.NVMLError as error:
            raise ProbeError(f"NVML: {error}") from error

    def peak_memory_bytes(self) -> int | None:
        """NVML keeps no high-water mark."""
        return None

    def memory_over_start_bytes(self) -> int | None:
        """The readings tell."""
        return None

    def close(self) -> None:
        leave_nvml()

    # One call each; what is not supported raises NVMLError.

    def _memory_v2(self) -> int:
        return int(pynvml.nvmlDeviceGetMemoryInfo(self._handle, version=pynvml.nvmlMemory_v2).used)

    def _memory_v1(self) -> int:
        return int(pynvml.nvmlDeviceGetMemoryInfo(self._handle).used)

    def _utilisation_rate(self) -> float:
        return float(pynvml.nvmlDeviceGetUtilizationRates(self._handle).gpu) / 100

    def _clock_reasons(self) -> int:
        return int(pynvml.nvmlDeviceGetCurrentClocksEventReasons(self._handle))

    def _compute_processes(self) -> Sequence[Any]:
        return list(pynvml.nvmlDeviceGetComputeRunningProcesses(self._handle))

    def _is_partitioned(self) -> bool:
        try:
            return bool(pynvml.nvmlDeviceGetMigMode(self._handle)[0])
        except pynvml.NVMLError:
            return False

    def _field(self, field: int, scope: int) -> float:
        value = pynvml.nvmlDeviceGetFieldValues(self._handle, [(field, scope)])[0]
        if value.nvmlReturn != pynvml.NVML_SUCCESS:
            raise pynvml.NVMLError(value.nvmlReturn)
        member = "ullVal" if value.valueType == pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG else "uiVal"
        return float(getattr(value.value, member)) / 1000  # mJ and mW

    def _counters(self) -> list[tuple[str, Callable[[], float]]]:
        """Energy counters in joules with what they cover, the GPU alone before the whole module.

        The plain counter of a Grace superchip is that of its module (ml-energy/zeus, pull request 172).
        """
        try:
            grace = any(name in str(pynvml.nvmlDeviceGetName(self._handle)) for name in GRACE)
        except pynvml.NVMLError:  # then it may be one: what covers less is not to be claimed
            grace = True
        field = pynvml.NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION
        return [
            (
                "module" if grace else "gpu",
                lambda: float(pynvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) / 1000,
            ),
            ("module", lambda: self._field(field, pynvml.NVML_POWER_SCOPE_MODULE)),
        ]

    def _powers(self) -> list[tuple[str, Callable[[], float]]]:
        """Power in watts: one-second averages, which miss nothing, before single looks."""
        average, instant = pynvml.NVML_FI_DEV_POWER_AVERAGE, pynvml.NVML_FI_DEV_POWER_INSTANT
        gpu, module = pynvml.NVML_POWER_SCOPE_GPU, pynvml.NVML_POWER_SCOPE_MODULE
        return [
            ("gpu", lambda: self._field(average, gpu)),
            ("gpu", lambda: self._field(instant, gpu)),
            ("gpu", lambda: float(pynvml.nvmlDeviceGetPowerUsage(self._handle)) / 1000),
            ("module", lambda: self._field(average, module)),
            ("module", lambda: self._field(instant, module)),
        ]

    def _meter(self, scopes: Mapping[Callable[[], float], str]) -> Meter:
        if self._counter:
            return Meter("nvml-counter", scopes[self._counter])
        if self._power:
            return Meter("nvml-power", scopes[self._power])
        return Meter()

    def _own_memory(self, processes: Sequence[Any]) -> int | None:
        used = [process.usedGpuMemory for process in processes if process.pid in self._own]
        return None if not used or None in used else sum(used)

    def _foreign(self, processes: Sequence[Any]) -> int:
        """Processes that are not this one.

        In a container NVML names processes by numbers of the host, among which this one is not to be
        found: then one of them is taken for it.
        """
        others = [process for process in processes if process.pid not in self._own]
        return len(others) if len(others) < len(processes) else max(0, len(others) - 1)


def _or_else(default: D, call: Callable[[], T] | None) -> D | T:
    """What is good to know and nothing depends on: refusing it, even late, spoils no reading."""
    if call is None:
        return default
    try:
        return call()
    except pynvml.NVMLError as error:
        if is_lost(error):
            raise
        return default


def _first(calls: Sequence[Callable[[], T]]) -> tuple[Callable[[], T] | None, str]:
    """The first call that the device supports; with none, what it said to the first."""
    reason = ""
    for call in calls:
        try:
            call()
        except pynvml.NVMLError as error:
            reason = reason or str(error)
        else:
            return call, ""
    return None, reason
