"""Where the Pythons of engines are whose libraries exclude those of effdsl's own."""

from __future__ import annotations

import os
from pathlib import Path


def environments_folder() -> Path:
    """``$EFFDSL_ENVIRONMENTS``, else ``effdsl/environments`` in ``$XDG_DATA_HOME`` or ``~/.local/share``."""
    if named := os.environ.get("EFFDSL_ENVIRONMENTS"):
        return Path(named)
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "effdsl" / "environments"


def python_of(environment: str) -> Path:
    """The interpreter of ``environment``, whether it is there or not."""
    return environments_folder() / environment / "bin" / "python"


def missing_environment(environment: str) -> str:
    """Why ``environment`` cannot be used here; empty when it can."""
    python = python_of(environment)
    if python.exists():
        return ""
    return f"needs the environment {environment}, and there is no {python}: make one there, with effdsl in it"
