"""``effdsl execute --kernel``."""

import os
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from effdsl_runtime import run_commands
from effdsl_runtime.executing import running
from effdsl_runtime.kernel_option import KERNEL


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """What the environment asks for when a study starts."""
    asked: list[str | None] = []

    def run_study(*args: Any) -> int:
        asked.append(os.environ.get(KERNEL))
        return 0

    loaded = SimpleNamespace(study=SimpleNamespace(keep_checkpoints=None))
    monkeypatch.setenv(KERNEL, "")  # and put back whatever the option leaves there
    monkeypatch.setattr(run_commands, "prepare", lambda *args, **named: (loaded, None, None))
    monkeypatch.setattr(running, "run_study", run_study)
    return asked


def test_the_kernel_reaches_the_tasks_by_the_environment(seen: list[str | None]) -> None:
    assert CliRunner().invoke(run_commands.execute, ["any", "--kernel", "math"]).exit_code == 0
    assert seen == ["math"]


def test_a_kernel_that_does_not_exist_is_refused_with_those_that_do(seen: list[str | None]) -> None:
    refused = CliRunner().invoke(run_commands.execute, ["any", "--kernel", "cudnn"])
    assert refused.exit_code == 2
    assert "'auto', 'math', 'sdpa', 'flex', 'fla'" in refused.output
    assert not seen
