"""Where environments are, and how effdsl's own code gets into them."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

SOURCE = "source"
PACKAGES = ("effdsl", "effdsl_registry", "effdsl_runtime")
"""What a worker imports of effdsl."""


def environments_folder() -> Path:
    """``$EFFDSL_ENVIRONMENTS``, else ``effdsl/environments`` in ``$XDG_DATA_HOME`` or ``~/.local/share``."""
    if named := os.environ.get("EFFDSL_ENVIRONMENTS"):
        return Path(named).absolute()
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "effdsl" / "environments"


def folder_of(environment: str) -> Path:
    """Where ``environment`` is, whether it is there or not."""
    return environments_folder() / environment


def python_of(environment: str) -> Path:
    """The interpreter of ``environment``, whether it is there or not; of none it is effdsl's own."""
    return folder_of(environment) / "bin" / "python" if environment else Path(sys.executable)


def variables_with_source(folder: Path) -> dict[str, str]:
    """Environment variables by which another interpreter imports the effdsl that is running, and no other:
    through links in ``folder``. What else is installed here stays out of its sight."""
    links = folder / SOURCE
    links.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        link = links / package
        link.unlink(missing_ok=True)
        link.symlink_to(_place(package), target_is_directory=True)
    path = os.pathsep.join(filter(None, (str(links.absolute()), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "PYTHONUTF8": "1"}


def _place(package: str) -> Path:
    spec = find_spec(package)
    assert spec is not None and spec.submodule_search_locations  # noqa: S101, PT018  it is running
    return Path(next(iter(spec.submodule_search_locations))).absolute()
