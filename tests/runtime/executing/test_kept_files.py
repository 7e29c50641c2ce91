"""What tasks leave is kept under their keys, and whatever becomes of it their results stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import effdsl, either, executed, rows, write_study

pytestmark = pytest.mark.slow  # every test is a few processes


@either
def test_what_a_task_leaves_is_kept_under_its_key_and_checked_when_it_is_handed_out(
    project: Path, engine: str
) -> None:
    """Removed by hand it is made again by running the task again; damaged it is refused and found."""
    write_study(project, "MQA", repeats=1, engine=engine)
    executed()
    ((key,),) = rows(project, "SELECT key FROM results")
    out = effdsl("store", "checkout", key[:8], "out")
    assert out.returncode == 0, out.stderr
    assert (project / "out" / "parts" / "weights.bin").read_bytes() == bytes(1000)
    (project / ".effdsl" / "artifacts" / key / "config.json").write_text("[]")
    damaged = effdsl("store", "checkout", key[:8], "again")
    assert damaged.returncode != 0
    assert "is not the file that was written" in damaged.stderr
    assert "is not the file that was written" in effdsl("store", "verify").stdout
    assert f"{key}: checkpoint" in effdsl("store", "gc", "--artifacts", "--delete").stdout
    assert effdsl("store", "verify").returncode == 0
    assert "--retry ok" in effdsl("store", "checkout", key[:8], "again").stderr
    assert effdsl("execute", "mine.py", "--retry", "ok").returncode == 0
    assert effdsl("store", "checkout", key[:8], "again").returncode == 0
    assert not list((project / ".effdsl" / "artifacts").glob(".*"))


def test_a_task_whose_files_find_no_room_has_been_measured_all_the_same(project: Path) -> None:
    write_study(project, "MQA", ends="full", repeats=1)
    assert executed()["ran"] == {"ok": 1}
    assert rows(project, "SELECT outcome, flags FROM results") == [
        ("ok", ["kept no files: No space left on device"])
    ]
    assert not list((project / ".effdsl" / "artifacts").iterdir())


def test_a_study_may_keep_nothing(project: Path) -> None:
    write_study(project, "MQA", repeats=1)
    text = (project / "mine.py").read_text()
    (project / "mine.py").write_text(text.replace("repeats=1", "repeats=1, keep_checkpoints=False"))
    executed()
    assert not (project / ".effdsl" / "artifacts").exists()
