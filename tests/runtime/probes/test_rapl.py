"""RAPL on a tree laid out as Linux lays out /sys/class/powercap."""

from pathlib import Path

import pytest
from effdsl_runtime.probes.cpu import CpuProbe
from effdsl_runtime.probes.rapl import Rapl

RANGE_UJ = 262_143_328_850


def domain(powercap: Path, folder: str, name: str, energy_uj: int) -> Path:
    path = powercap / folder
    path.mkdir(parents=True)
    (path / "name").write_text(f"{name}\n", encoding="ascii")
    (path / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n", encoding="ascii")
    (path / "energy_uj").write_text(f"{energy_uj}\n", encoding="ascii")
    return path / "energy_uj"


def opened(powercap: Path) -> Rapl:
    rapl = Rapl.open(powercap)
    assert isinstance(rapl, Rapl)
    return rapl


def test_energy_is_counted_from_the_moment_of_opening(tmp_path: Path) -> None:
    counter = domain(tmp_path, "intel-rapl:0", "package-0", 123_000_000)
    rapl = opened(tmp_path)
    assert rapl.energy_j() == 0
    counter.write_text("130500000\n", encoding="ascii")
    assert rapl.energy_j() == pytest.approx(7.5)


def test_a_counter_that_goes_round_goes_on_growing(tmp_path: Path) -> None:
    counter = domain(tmp_path, "intel-rapl:0", "package-0", RANGE_UJ - 1_000_000)
    rapl = opened(tmp_path)
    counter.write_text("2000000\n", encoding="ascii")
    assert rapl.energy_j() == pytest.approx(3.000001)
    counter.write_text(f"{RANGE_UJ}\n", encoding="ascii")
    rapl.energy_j()
    counter.write_text("0\n", encoding="ascii")
    assert rapl.energy_j() == pytest.approx(3.000001 + (RANGE_UJ - 2_000_000) / 1e6 + 1e-6)


def test_sockets_are_added_and_overlapping_domains_are_not(tmp_path: Path) -> None:
    counters = {
        "package-0": domain(tmp_path, "intel-rapl:0", "package-0", 0),
        "core": domain(tmp_path, "intel-rapl:0:0", "core", 0),
        "dram": domain(tmp_path, "intel-rapl:0:1", "dram", 0),
        "package-1": domain(tmp_path, "intel-rapl:1", "package-1", 0),
        "psys": domain(tmp_path, "intel-rapl:2", "psys", 0),
        "mmio": domain(tmp_path, "intel-rapl-mmio:0", "package-0", 0),
    }
    rapl = opened(tmp_path)
    joules = {"package-0": 10, "core": 7, "dram": 2, "package-1": 20, "psys": 50, "mmio": 10}
    for name, counter in counters.items():
        counter.write_text(f"{joules[name] * 1_000_000}\n", encoding="ascii")
    assert rapl.energy_j() == pytest.approx(30)


def test_a_machine_without_powercap_says_so(tmp_path: Path) -> None:
    assert Rapl.open(tmp_path / "powercap") == f"{tmp_path}/powercap is absent"


def test_a_powercap_without_packages_says_so(tmp_path: Path) -> None:
    domain(tmp_path, "intel-rapl:0", "psys", 0)
    assert "no RAPL package domain" in str(Rapl.open(tmp_path))


def test_a_counter_that_only_root_may_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counter = domain(tmp_path, "intel-rapl:0", "package-0", 0)
    plain = Path.read_text

    def refuse(path: Path, *args: str, **kwargs: str) -> str:
        if path == counter:  # root, who may run these tests, would read it all the same
            raise PermissionError
        return plain(path, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", refuse)
    assert "readable by root only" in str(Rapl.open(tmp_path))


def test_the_cpu_probe_names_rapl_and_the_package_as_its_meter(tmp_path: Path) -> None:
    counter = domain(tmp_path, "intel-rapl:0", "package-0", 0)
    probe = CpuProbe(tmp_path)
    assert (probe.meter.name, probe.meter.scope, dict(probe.missing)) == ("rapl", "package", {})
    counter.write_text("4000000\n", encoding="ascii")
    assert probe.read().energy_j == pytest.approx(4)


def test_the_cpu_probe_without_rapl_has_no_energy_and_a_reason(tmp_path: Path) -> None:
    probe = CpuProbe(tmp_path / "absent")
    assert probe.meter.name == "none"
    assert probe.read().energy_j is None
    assert "no power meter" in probe.missing["energy_j"]
