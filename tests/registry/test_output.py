"""What ``-o`` names is written as it is: files whole, links through, pipes and devices straight."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import click
import pytest
from effdsl_registry.output import OutputFile, delivering, write_output


def converted(path: object) -> Path:
    return OutputFile().convert(path, None, None)


def refusal(path: object) -> str:
    with pytest.raises(click.BadParameter) as refused:
        converted(path)
    return refused.value.message


def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("old")
    for name, target in (("link", "target"), ("dangling", "new")):
        link = tmp_path / name
        link.symlink_to(target)
        write_output(converted(link), b"new")
        assert link.is_symlink()
        assert (tmp_path / target).read_bytes() == b"new"


def test_a_pipe_stays_a_pipe_and_gets_everything(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write_output(converted(pipe), b"x" * 200_000)
    reader.join(timeout=10)
    assert got == [b"x" * 200_000]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_device_stays_a_device(tmp_path: Path) -> None:
    null = tmp_path / "null"
    null.symlink_to(os.devnull)
    write_output(converted(null), b"x")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)
    assert list(tmp_path.iterdir()) == [null]


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")

    def half_written() -> None:
        with delivering(file) as temporary:
            temporary.write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half_written()
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_what_cannot_be_written_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    assert refusal("") == "the name of the file is empty; give one, e.g. answer.csv"
    assert "is a folder; give a file in it" in refusal(tmp_path)
    assert refusal(tmp_path / "not" / "there.csv").startswith(f"there is no folder {tmp_path / 'not'};")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "permission denied" in refusal(tmp_path / "file")
