"""Make an environment: a virtual environment with what its list names, whole or not at all."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from effdsl_runtime.environments.checking import python_says
from effdsl_runtime.environments.places import environments_folder, folder_of
from effdsl_runtime.environments.state import Made
from effdsl_runtime.environments.version_lists import VersionList
from effdsl_runtime.taking_long import Report, beating, locked

QUIET = ("--disable-pip-version-check", "--no-input", "--progress-bar=off")
LINES_SHOWN = 12
LONGEST = 100  # characters of what pip says at a time


class CannotMakeError(Exception):
    """An environment could not be made; the message says why, and what to do."""


def create(wanted: VersionList, report: Report) -> Path:
    """Make the environment of ``wanted``, in the place of one that may be there.

    Args:
        wanted: what to install.
        report: is told what goes on, at least once a second.

    Raises:
        CannotMakeError: when something cannot be installed.
    """
    place = folder_of(wanted.name)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with _alone(place, report):
            making = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}-"))
            try:
                _fill(making, wanted, report)
                _put(making, place)
            finally:
                shutil.rmtree(making, ignore_errors=True)
    except OSError as error:
        raise CannotMakeError(f"{error.filename or place}: {error.strerror}") from error
    return place


def _fill(folder: Path, wanted: VersionList, report: Report) -> None:
    with beating(report, "an empty virtual environment"):
        _run([sys.executable, "-m", "venv", str(folder)], wanted, lambda text: None)
    python = folder / "bin" / "python"
    only = ["--no-deps"] if wanted.whole else []
    last = "pip"

    def said(text: str) -> None:
        nonlocal last
        last = text

    command = [str(python), "-m", "pip", "install", *QUIET, *only, "-r", str(wanted.file)]
    started = time.monotonic()
    with beating(lambda _: report(f"{last}, {time.monotonic() - started:.0f} s"), last):
        _run(command, wanted, said)
    with beating(report, "trying it out"):
        version = python_says(python, "import platform; print(platform.python_version())")
        Made(wanted.kind, wanted.digest, version, _size(folder)).write(folder)


def _run(command: list[str], wanted: VersionList, said: Report) -> None:
    """Run ``command``, whose lines ``said`` is told."""
    lines: deque[str] = deque(maxlen=LINES_SHOWN)
    with subprocess.Popen(  # noqa: S603 - Python's own tools, no shell
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        encoding="utf-8", errors="replace",
    ) as process:  # fmt: skip
        assert process.stdout is not None  # noqa: S101  it is a pipe
        for line in process.stdout:
            text = line.strip()
            if text and not text.startswith("WARNING"):
                lines.append(text)
                said(text[:LONGEST])
    if process.returncode:
        end = f"\n{wanted.hint}" if wanted.hint else ""
        raise CannotMakeError("\n".join(lines) + f"\nthe environment {wanted.name} was not made{end}")


def _put(making: Path, place: Path) -> None:
    """Give a finished environment its name, and remove what had it before."""
    older = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}-"))
    if place.exists():
        place.rename(older / place.name)
    making.chmod(0o755)  # others may use it, where its folder lets them in
    making.rename(place)
    shutil.rmtree(older, ignore_errors=True)


def remove(environment: str) -> None:
    """Remove ``environment``; it is gone under its name at once.

    Raises:
        CannotMakeError: when it cannot be removed.
    """
    place = folder_of(environment)
    try:
        gone = Path(tempfile.mkdtemp(dir=environments_folder(), prefix=f".{place.name}-"))
        place.rename(gone / place.name)
        shutil.rmtree(gone)
    except OSError as error:
        raise CannotMakeError(f"{error.filename or place}: {error.strerror}") from error


@contextmanager
def _alone(place: Path, report: Report) -> Iterator[None]:
    """Hold the lock of an environment, which the kernel frees when this process dies."""
    with (
        (place.parent / f".{place.name}.lock").open("wb") as lock,
        locked(lock, report, "waiting: another process is making it"),
    ):
        yield


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_symlink())
