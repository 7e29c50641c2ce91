"""``docs/contributing.md``, followed word for word in a copy of the project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # processes that load torch
ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "contributing.md"
SOURCES = ("effdsl", "registry", "runtime", "analysis")
STUDY = """
from effdsl import *

study = Study(Attention([GQA, SlidingWindow(window=16)]), [1*M], budget=Budget(steps=3), repeats=1)
"""


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the files of the page, and no other change."""
    copy = tmp_path_factory.mktemp("project")
    for folder in (*SOURCES, "docs", "tests"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    if (ROOT / ".mypy_cache").is_dir():  # of the check before the tests: only what is new is read again
        shutil.copytree(ROOT / ".mypy_cache", copy / ".mypy_cache")
    blocks = re.findall(
        r"^`(\S+\.py)`\n\n```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S
    )
    assert len(blocks) == 3
    for name, text in blocks:
        assert not (copy / name).exists()
        (copy / name).write_text(text, encoding="utf-8")
    return copy


def ran(project: Path, *command: str) -> str:
    """What the command says in the copy, where it must succeed."""
    path = os.pathsep.join(str(project / folder) for folder in (".", *SOURCES[1:]))
    done = subprocess.run(
        [sys.executable, *command],
        cwd=project,
        env=os.environ | {"PYTHONPATH": path, "EFFDSL_CACHE": str(project / "cache")},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_study_with_the_new_attention_is_planned(followed: Path) -> None:
    """Its public name and its label come from the file that declares it."""
    (followed / "mine.py").write_text(STUDY, encoding="utf-8")
    assert "SlidingWindow(window=16)" in ran(followed, "-m", "effdsl", "plan", "mine.py")


def test_what_is_generated_has_it_and_every_test_of_it_passes(followed: Path) -> None:
    """Its own tests, those of every attention, its golden key and the tables of the documentation."""
    ran(followed, "tests/effdsl/golden.py")
    ran(followed, "docs/architectures.py")
    assert (followed / "tests/effdsl/golden_keys/sliding-window.json").is_file()
    assert "| attention | SlidingWindow |" in (followed / "docs/architectures.md").read_text(encoding="utf-8")
    model = "tests/runtime/model"
    files = [f"{model}/mixers/test_sliding_window.py", f"{model}/test_every_attention.py"]
    files += [f"{model}/test_every_mixer.py", f"{model}/test_paper_sizes.py"]
    files += ["tests/effdsl/test_golden_keys.py", "tests/effdsl/costs/test_attention_costs.py"]
    chosen = "SlidingWindow or sliding or committed"
    said = ran(followed, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files, "-k", chosen)
    assert int(re.findall(r"(\d+) passed", said)[0]) > 30, said


def test_the_files_of_the_page_keep_the_style_and_the_layers(followed: Path) -> None:
    """As `make check` asks, and the types with them."""
    ran(followed, "-m", "ruff", "check", *SOURCES, "tests/runtime/model/mixers")
    ran(followed, "-m", "ruff", "format", "--check", *SOURCES, "tests/runtime/model/mixers")
    ran(followed, "-m", "mypy")
