"""CUDA's first GPU, on which tasks run: what ``CUDA_VISIBLE_DEVICES`` and ``CUDA_DEVICE_ORDER`` select.

The forms are those of the CUDA C++ programming guide, "CUDA environment variables": numbers or (beginnings
of) UUIDs; the first entry that names nothing ends the list, and one that is named twice empties it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import attrs
import pynvml

VISIBLE = "CUDA_VISIBLE_DEVICES"
ORDER = "CUDA_DEVICE_ORDER"


@attrs.frozen
class FirstGpu:
    """CUDA's first device, or why there is none.

    Attributes:
        handle: NVML's; ``None`` without a device.
        reason: why there is none.
        lost: whether there is one, and the driver has lost it.
        alone: whether it is the only GPU of this machine.
    """

    handle: Any = None
    reason: str = ""
    lost: bool = False
    alone: bool = True


@contextmanager
def first_gpu() -> Iterator[FirstGpu]:
    """CUDA's first device, with NVML initialised while the block runs."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        yield FirstGpu(reason=f"NVML: {error}", lost=is_lost(error))
        return
    try:
        yield find_gpu()
    finally:
        leave_nvml()


def leave_nvml() -> None:
    """Leave NVML as it was; a driver that has gone meanwhile has nothing to leave."""
    with suppress(pynvml.NVMLError):
        pynvml.nvmlShutdown()


def find_gpu(environment: Mapping[str, str] = os.environ) -> FirstGpu:
    """CUDA's first device; NVML must be initialised."""
    try:
        devices = _devices(environment.get(ORDER, ""))
    except pynvml.NVMLError as error:
        return FirstGpu(reason=f"NVML: {error}", lost=is_lost(error))
    visible = environment.get(VISIBLE)
    names = None if visible is None else _entries(visible)
    if names == []:
        return FirstGpu(reason=f"{VISIBLE}={visible!r} hides every GPU")
    found = _named(names[0], devices) if names else devices[0] if devices else None
    if found is None:
        which = f"{VISIBLE}={visible!r} names no GPU that is here: " if names else ""
        return FirstGpu(reason=f"{which}NVML: {pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)}")
    if isinstance(found, pynvml.NVMLError):
        return FirstGpu(reason=f"NVML: {found}", lost=is_lost(found))
    return FirstGpu(found, alone=len(devices) == 1)


def keep_to_first_gpu() -> None:
    """Let CUDA, which must not have started in this process, see the device that is read and no other: among
    several of different models, its guess of the fastest may not be ours."""
    with first_gpu() as found:
        uuid = "" if found.handle is None or found.alone else _uuid(found.handle)
    if uuid:
        os.environ[VISIBLE] = uuid


def is_lost(error: Any) -> bool:
    """Whether ``error`` says that the GPU does not answer any more, whatever it is asked."""
    return bool(error.value == pynvml.NVML_ERROR_GPU_IS_LOST)


def _devices(order: str) -> list[Any]:
    """Handles of the GPUs that CUDA counts, by its numbers; for one that is refused, the error.

    NVML's order is that of the PCI bus. Unless that is asked for, CUDA puts what it guesses to be the fastest
    first; so do we, by cores and clock.
    """
    devices = []
    for index in range(pynvml.nvmlDeviceGetCount()):
        try:
            devices.append(pynvml.nvmlDeviceGetHandleByIndex(index))
        except pynvml.NVMLError as error:
            if error.value != pynvml.NVML_ERROR_NO_PERMISSION:  # another's, which CUDA does not count
                devices.append(error)
    if order.strip() != "PCI_BUS_ID" and len(devices) > 1:
        speeds = [_speed(device) for device in devices]
        if 0 not in speeds:
            devices.insert(0, devices.pop(speeds.index(max(speeds))))
    return devices


def _speed(device: Any) -> int:
    if isinstance(device, pynvml.NVMLError):
        return 0
    try:
        clock = pynvml.nvmlDeviceGetMaxClockInfo(device, pynvml.NVML_CLOCK_SM)
        return int(pynvml.nvmlDeviceGetNumGpuCores(device)) * int(clock)
    except pynvml.NVMLError:
        return 0


def _entries(visible: str) -> list[str]:
    """What ``CUDA_VISIBLE_DEVICES`` lists up to the first entry that cannot name a GPU."""
    entries: list[str] = []
    for text in visible.split(","):
        entry = text.strip()
        number = re.match(r"\+?\d+", entry)  # as strtoul reads it: what follows the digits is not looked at
        if number:
            entry = str(int(number[0]))
        elif not entry.startswith(("GPU-", "MIG-")):
            break
        if entry in entries:
            return []
        entries.append(entry)
    return entries


def _named(name: str, devices: Sequence[Any]) -> Any:
    """The device that an entry names, or ``None``; a beginning of a UUID names one if it fits no other."""
    if name.isdigit():
        return devices[int(name)] if int(name) < len(devices) else None
    try:
        return pynvml.nvmlDeviceGetHandleByUUID(name)
    except pynvml.NVMLError as error:
        if is_lost(error):
            return error
    fitting = [device for device in devices if _uuid(device).startswith(name)]
    return fitting[0] if len(fitting) == 1 else None


def _uuid(device: Any) -> str:
    if isinstance(device, pynvml.NVMLError):
        return ""
    try:
        return str(pynvml.nvmlDeviceGetUUID(device))
    except pynvml.NVMLError:
        return ""
