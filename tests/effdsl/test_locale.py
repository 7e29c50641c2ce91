"""Where the locale is not UTF-8, everything that is read, shown and written is what it is elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
STRICT = {
    "PYTHONWARNDEFAULTENCODING": "1",
    "PYTHONWARNINGS": "error::EncodingWarning,ignore::EncodingWarning:dill._dill",  # torch imports it
}
STUDY = '''"""Étude."""
from effdsl import *
study = Study(Attention([GQA]), [1*M], budget=Budget(steps=2), repeats=1, notes="größer ↓")
'''


def run(
    folder: Path, *words: str, text: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "effdsl", *words],
        cwd=folder,
        env=os.environ | ASCII | STRICT | environment,
        input=text,
        capture_output=True,
    )


@pytest.mark.parametrize(
    "words",
    [
        ["sql", "SELECT 1"],
        ["sql", "FROM published"],
        ["rank", "--evidence", "published"],
        ["rank"],
        ["scaling", "--evidence", "published"],
        ["claims", "--evidence", "published"],
        ["audit", "--evidence", "published"],
        ["report", "-o", "report.html"],
        ["export", "published", "-f", "latex"],
        ["ls"],
        ["plan", "études/étude.py"],
        ["status", "études/étude.py"],
        ["doctor"],
        ["--help"],
    ],
    ids=" ".join,
)
def test_every_command_reads_what_it_reads_as_utf_8(words: list[str], tmp_path: Path) -> None:
    """Python warns of each file that is opened in the locale's encoding, and here that is an error."""
    (tmp_path / "études").mkdir()
    (tmp_path / "études" / "étude.py").write_text(STUDY, encoding="utf-8")
    ended = run(tmp_path, *words)
    assert b"Traceback" not in ended.stderr
    assert ended.returncode == 0, ended.stderr


def test_a_terminal_that_cannot_show_a_character_shows_something_else(tmp_path: Path) -> None:
    ended = run(tmp_path, "rank", "--evidence", "published", PYTHONIOENCODING="latin-1")
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert b"? lower, ? higher is better" in ended.stdout


def test_names_of_files_and_words_of_the_command_line_are_read_as_they_were_typed(tmp_path: Path) -> None:
    (tmp_path / "étude.py").write_text(STUDY, encoding="utf-8")
    assert run(tmp_path, "plan", "étude.py").stdout.startswith("étude · ".encode())
    store = ["--store", "größe"]
    assert run(tmp_path, "sql", "SELECT 'é' AS x", *store).stdout == "x\né\n".encode()
    refused = run(tmp_path, "rank", "étüde", *store)
    assert refused.returncode != 0
    assert b"Traceback" not in refused.stderr


@pytest.mark.slow
def test_a_study_runs_and_is_ranked_in_a_folder_with_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "größe"
    folder.mkdir()
    (folder / "étude.py").write_text(STUDY, encoding="utf-8")
    assert "étude: 1 ok. ".encode() in run(folder, "execute", "étude.py").stdout
    assert b"GQA" in run(folder, "rank", "étude").stdout
    assert b"no problems" in run(folder, "store", "verify").stdout
    assert run(folder, "export", "iterations", "-o", "é.csv").returncode == 0
    assert (folder / "é.csv").is_file()


@pytest.mark.parametrize("text", ["SELECT 'é' AS x".encode(), "\ufeffSELECT 'é' AS x".encode()])
def test_a_query_that_is_piped_in_is_utf_8(text: bytes, tmp_path: Path) -> None:
    assert run(tmp_path, "sql", text=text).stdout == "x\né\n".encode()


def test_a_query_in_no_known_encoding_is_refused_in_a_sentence(tmp_path: Path) -> None:
    refused = run(tmp_path, "sql", text=b"SELECT '\xe9'", PYTHONIOENCODING="utf-8")
    assert refused.returncode == 2
    assert b"standard input is not text in UTF-8; convert it" in refused.stderr
