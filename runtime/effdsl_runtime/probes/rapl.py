"""Energy of the CPU packages through RAPL, as Linux shows it under ``/sys/class/powercap``."""

from __future__ import annotations

from pathlib import Path

import attrs

POWERCAP = Path("/sys/class/powercap")


@attrs.define
class _Package:
    """One socket's counter, in microjoules; it starts again at zero beyond ``range_uj``."""

    counter: Path
    range_uj: int
    last_uj: int
    total_uj: int = 0

    def advance(self) -> int:
        now_uj = int(self.counter.read_text(encoding="ascii"))
        step = now_uj - self.last_uj
        self.total_uj += step if step >= 0 else step + self.range_uj + 1
        self.last_uj = now_uj
        return self.total_uj


class Rapl:
    """The package domains of all sockets, added up.

    Only the packages: ``core``, ``uncore`` and ``dram`` lie inside or beside a package, and ``psys``
    contains it, so that adding them counts energy twice. Readings must come more often than the
    counter goes round (262 kJ on many CPUs: more than ten minutes at 400 W).
    """

    def __init__(self, packages: list[_Package]) -> None:
        self._packages = packages

    @classmethod
    def open(cls, powercap: Path = POWERCAP) -> Rapl | str:
        """The packages of this machine, or the reason why they cannot be read."""
        if not powercap.is_dir():
            return f"{powercap} is absent"
        packages = []
        for domain in sorted(powercap.glob("intel-rapl:*")):
            if domain.name.count(":") != 1:  # intel-rapl:0:1 is a part of intel-rapl:0
                continue
            try:
                if not (domain / "name").read_text(encoding="ascii").startswith("package"):
                    continue
                limit_uj = int((domain / "max_energy_range_uj").read_text(encoding="ascii"))
                counter = domain / "energy_uj"
                packages.append(_Package(counter, limit_uj, int(counter.read_text(encoding="ascii"))))
            except PermissionError:
                return f"{domain}/energy_uj is readable by root only"
            except (OSError, ValueError) as error:
                return f"{domain} cannot be read: {error}"
        return cls(packages) if packages else f"{powercap} has no RAPL package domain"

    def energy_j(self) -> float:
        """Joules since this object was opened.

        Raises:
            OSError: when a counter cannot be read any more.
        """
        return sum(package.advance() for package in self._packages) / 1e6
