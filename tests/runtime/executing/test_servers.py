"""Tasks in an interpreter of their own that need something handed over, or hang."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from conftest import executed, rows, write_study

pytestmark = pytest.mark.slow


def test_what_a_task_cannot_get_elsewhere_is_handed_over_by_effdsls_own_python(project: Path) -> None:
    """Where duckdb is, which the other has not; and the folder is gone afterwards."""
    write_study(project, "MQA", repeats=1, engine="PretendServer")
    assert executed()["ran"] == {"ok": 1}
    (log,) = (project / ".effdsl" / "logs").iterdir()
    assert "handed over, with duckdb" in log.read_text()
    assert list((project / ".effdsl" / "running").iterdir()) == []


def test_what_cannot_be_handed_over_is_a_failure_with_its_reason(project: Path) -> None:
    """And the other interpreter is not started."""
    write_study(project, "MQA", ends="nothing to hand over", repeats=1, engine="PretendServer")
    assert executed()["ran"] == {"failed": 1}
    ((outcome, reason),) = rows(project, "SELECT outcome, reason FROM results")
    assert (outcome, reason) == ("failed", "its weights are gone")
    (log,) = (project / ".effdsl" / "logs").iterdir()
    assert "what the engine printed" not in log.read_text()


def test_a_server_that_hangs_is_ended_and_the_next_task_runs(project: Path) -> None:
    """Without a limit on the time that tasks may take."""
    write_study(project, "MQA", ends="hangs once", repeats=2, engine="PretendServer")
    assert executed()["ran"] == {"ok": 1, "timeout": 1}
    ((reason,),) = rows(project, "SELECT reason FROM results WHERE outcome = 'timeout'")
    assert reason == "stopped after 8 s without a step: it hangs"
