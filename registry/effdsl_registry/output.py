"""Where a command writes when it is given a file: ``-o``."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from effdsl_registry.files import replacing


class OutputFile(click.ParamType[Path]):
    """A file that can be written: it is refused before the work that would be lost, not after."""

    name = "file"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        text = str(value)
        if not text:
            self.fail("the name of the file is empty; give one, e.g. answer.csv", param, ctx)
        path = Path(text)
        if path.is_dir():
            self.fail(f"{text} is a folder; give a file in it, e.g. {path / 'answer.csv'}", param, ctx)
        target = path if path.exists() else path.resolve()  # where a dangling link leads
        if not target.parent.is_dir():
            self.fail(f"there is no folder {target.parent}; make it, or write elsewhere", param, ctx)
        if not os.access(target if path.exists() else target.parent, os.W_OK):
            self.fail(f"{text} cannot be written: permission denied", param, ctx)
        return path


def write_output(path: Path, content: bytes) -> None:
    """Write ``content`` to what ``path`` names; see :func:`delivering`."""
    with delivering(path) as file:
        file.write_bytes(content)


@contextmanager
def delivering(path: Path) -> Iterator[Path]:
    """A file to fill; what it then holds goes to what ``path`` names.

    A regular file is replaced whole or not at all, and a link keeps pointing to it. A device or a pipe
    stays what it is: it is written to.
    """
    if path.exists() and not path.is_file():
        with TemporaryDirectory() as folder:
            yield Path(folder, "content")
            with Path(folder, "content").open("rb") as content, path.open("wb") as target:
                shutil.copyfileobj(content, target)
    else:
        with replacing(path.resolve()) as temporary:
            yield temporary
