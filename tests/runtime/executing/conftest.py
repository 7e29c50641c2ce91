"""Commands as a user runs them, on studies whose engine pretends."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = str(Path(__file__).parent)
ELSEWHERE = str(Path(__file__).parent / "elsewhere")  # where duckdb and torch cannot be imported
Start = Callable[..., "subprocess.Popen[str]"]
either = pytest.mark.parametrize("engine", ["Pretend", "PretendElsewhere"])
"""In a process of the fork server, and in an interpreter of its own."""
STUDY = """
from effdsl import *
from pretend import *
study = Study(
    Attention([{techniques}]), [1*M], budget=Budget(steps=10),
    data=LocalText("*.txt", held_out_fraction=0.3, tokenizer=ByteTokenizer()),
    engine={engine}(seconds={seconds}, ends={ends!r}), repeats={repeats},
)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with some text, where studies find the pretending engine."""
    for part in range(40):
        (tmp_path / f"{part}.txt").write_text(f"To be, or not to be: {part}. " * 50)
    monkeypatch.setenv("PYTHONPATH", HERE)
    python = tmp_path / "environments" / "elsewhere" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nPYTHONPATH={ELSEWHERE}:{HERE} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv("EFFDSL_ENVIRONMENTS", str(tmp_path / "environments"))
    monkeypatch.setenv("EFFDSL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EFFDSL_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_study(
    project: Path,
    techniques: str = "MQA, GQA",
    seconds: float = 0.0,
    ends: str = "ok",
    repeats: int = 2,
    engine: str = "Pretend",
) -> None:
    text = STUDY.format(techniques=techniques, seconds=seconds, ends=ends, repeats=repeats, engine=engine)
    (project / "mine.py").write_text(text)


def effdsl(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "effdsl", *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts commands, each in a session of its own; what still runs when the test ends is killed."""
    started: list[subprocess.Popen[str]] = []

    def begin(*args: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "effdsl", *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


def executed() -> dict[str, Any]:
    ran = effdsl("execute", "mine.py", "--json")
    assert ran.stdout, ran.stderr
    return {**json.loads(ran.stdout), "code": ran.returncode, "stderr": ran.stderr}


def rows(project: Path, query: str) -> list[tuple[Any, ...]]:
    from effdsl_registry.store import Store

    with Store(project / ".effdsl").reading() as connection:
        return connection.execute(query).fetchall()


def records(project: Path) -> list[Path]:
    return list((project / ".effdsl" / "records").glob("*/*/*.json"))


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
