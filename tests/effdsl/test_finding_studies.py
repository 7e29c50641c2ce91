"""Which file is meant by the name of a study, and what a file is called."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from effdsl.loading import find_study, load_study, name_of, study_files, typed
from effdsl.problems import StudyError


def test_an_unknown_study_names_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "attention.py").write_text("from effdsl import *\nstudy = Study()\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyError, match="did you mean 'attention'"):
        load_study("atention")


def test_a_study_is_found_by_the_name_that_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "studies" / "mine.py"
    file.parent.mkdir()
    file.write_text("study = Study(Attention([MQA]), name='my best study')\n")
    monkeypatch.chdir(tmp_path)
    assert find_study("my best study") == find_study("mine") == file
    with pytest.raises(StudyError, match="no such study"):
        find_study("best")


def test_listing_reads_studies_without_running_them(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("raise SystemExit('was run')\nstudy = Study(axis=Attention([MQA]))\n")
    (tmp_path / "helper.py").write_text("x = 1\n")
    assert study_files(tmp_path) == [tmp_path / "a.py"]


def test_a_study_is_named_after_its_file_below_studies() -> None:
    assert name_of(Path("/somewhere/studies/small/attention.py")) == "small/attention"
    assert name_of(Path("/somewhere/else/mine.py")) == "mine"


@pytest.mark.parametrize("place", ["studies/mine.py", "studies/a b/mine.py", "else where/mine.py"])
def test_what_is_typed_finds_the_study_again(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also through a shell, from its folder and from another one, and not another study of its name."""
    file = tmp_path / place
    file.parent.mkdir(parents=True)
    file.touch()
    elsewhere = tmp_path / "another" / "studies"
    elsewhere.mkdir(parents=True)
    (elsewhere / "mine.py").touch()
    for here in (tmp_path, elsewhere.parent):
        monkeypatch.chdir(here)
        (word,) = shlex.split(typed(file))
        assert find_study(word) == file
