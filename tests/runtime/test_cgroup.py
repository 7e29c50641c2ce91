"""What a container may use, on trees laid out as Linux lays out both versions of control groups."""

import os
from pathlib import Path

import pytest
from effdsl_runtime.cgroup import usable_cores, usable_memory


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    return root


@pytest.fixture
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))


MEMINFO = {"proc/meminfo": "MemTotal:       16000000 kB\nMemFree: 1 kB"}


@pytest.mark.usefixtures("eight_cores")
@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 8),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "max 100000"}, 8),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "200000 100000"}, 2),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "50000 100000"}, 1),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "250000 100000"}, 3),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "6400000 100000"}, 8),
        (
            {
                "proc/self/cgroup": "0::/job/step",
                "sys/fs/cgroup/job/cpu.max": "400000 100000",
                "sys/fs/cgroup/job/step/cpu.max": "max 100000",
            },
            4,
        ),
        (
            {
                "proc/self/cgroup": "3:cpuset:/\n1:cpu,cpuacct:/docker/abc",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "300000",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            3,
        ),
        (
            {
                "proc/self/cgroup": "1:cpu:/",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            8,
        ),
    ],
)
def test_cores_are_the_affinity_cut_by_the_quota(tmp_path: Path, files: dict[str, str], cores: int) -> None:
    assert usable_cores(write(tmp_path, files)) == cores


@pytest.mark.parametrize(
    ("files", "bytes_"),
    [
        ({}, None),
        (MEMINFO, 16_000_000 * 1024),
        (MEMINFO | {"proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": "max"}, 16_000_000 * 1024),
        (MEMINFO | {"proc/self/cgroup": "0::/a/b", "sys/fs/cgroup/a/memory.max": "2147483648"}, 2**31),
        (
            MEMINFO
            | {
                "proc/self/cgroup": "4:memory:/",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
            },
            16_000_000 * 1024,
        ),
        (
            MEMINFO
            | {
                "proc/self/cgroup": "4:memory:/docker/abc",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "1073741824",
            },
            2**30,
        ),
    ],
)
def test_memory_is_the_installed_one_cut_by_the_limits_of_all_groups_above(
    tmp_path: Path, files: dict[str, str], bytes_: int | None
) -> None:
    assert usable_memory(write(tmp_path, files)) == bytes_
