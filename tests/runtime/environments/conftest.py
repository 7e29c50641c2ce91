"""Environments in a folder of the test's own, whose recipes install nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from effdsl_runtime.environments import recipes
from effdsl_runtime.environments.recipes import Recipe

MACHINE = "cpu"


@pytest.fixture
def environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of environments; the lists lie beside it."""
    monkeypatch.setenv("EFFDSL_ENVIRONMENTS", str(tmp_path / "environments"))
    monkeypatch.setattr(recipes, "LISTS", tmp_path)
    return tmp_path / "environments"


def recipe(environments: Path, wanted: str = "", imports: tuple[str, ...] = ()) -> Recipe:
    """The recipe of ``vllm``, with another list."""
    (environments.parent / f"vllm-{MACHINE}.txt").write_text(wanted)
    return Recipe("vllm", MACHINE, whole=True, imports=imports, hint="try another index")
