"""What this process may use of the machine: cores and memory, through affinity and control groups.

A container sees all cores and all memory of its host in ``/proc``; what it may use is in its control
group, which version 1 and version 2 of the interface write down in different files.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")


def usable_cores(root: Path = ROOT) -> int:
    """Cores this process may keep busy: its affinity, cut by the quota of its control group."""
    return max(1, min([len(os.sched_getaffinity(0)), *_quotas(root)]))


def usable_memory(root: Path = ROOT) -> int | None:
    """Bytes this process may use: the machine's memory, cut by the limit of its control group."""
    limits = [*_installed(root), *_limits(root)]
    return min(limits, default=None)


def _installed(root: Path) -> Iterator[int]:
    for line in _read(root / "proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            yield int(line.split()[1]) * 1024


def _limits(root: Path) -> Iterator[int]:
    for group in _groups(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            text = _read(group / name).strip()
            if text.isdigit():  # version 2 writes "max" for none
                yield int(text)


def _quotas(root: Path) -> Iterator[int]:
    for group in _groups(root, "cpu"):
        quota, _, period = _read(group / "cpu.max").strip().partition(" ")
        if not quota:
            quota = _read(group / "cpu.cfs_quota_us").strip()
            period = _read(group / "cpu.cfs_period_us").strip()
        if quota.isdigit() and period.isdigit():  # none is "max" in version 2 and -1 in version 1
            yield math.ceil(int(quota) / int(period))


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of this process's control group for ``controller`` and of all groups above it."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            top = root / "sys/fs/cgroup"
        elif controller in controllers.split(","):
            top = root / "sys/fs/cgroup" / controller
        else:
            continue
        group = top / path.lstrip("/")
        yield from (g for g in (group, *group.parents) if g.is_relative_to(top) and g.is_dir())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
