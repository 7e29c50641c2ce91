"""Environments in a folder of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from effdsl_runtime.environments import version_lists


@pytest.fixture
def environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of environments; the lists lie beside it."""
    monkeypatch.setenv("EFFDSL_ENVIRONMENTS", str(tmp_path / "environments"))
    monkeypatch.setattr(version_lists, "LIST_FOLDER", tmp_path)
    return tmp_path / "environments"
