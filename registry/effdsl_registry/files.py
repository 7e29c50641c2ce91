"""Files that are either whole or absent: written beside, flushed to disk, renamed into place."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, flock
from pathlib import Path
from typing import TypeVar

from effdsl.outside import readable
from effdsl_registry.errors import StoreBusy

Table = Mapping[str, Sequence[float | int | bool | str | None]]
"""Columns by name, all of one length: iteration times, probe samples."""

T = TypeVar("T")
TEMPORARY = ".tmp"
SHORTEST_WAIT_S = 0.005
LONGEST_WAIT_S = 0.1


def write_whole(path: Path, content: bytes) -> None:
    """Write ``path`` so that a reader, or a crash at any moment, sees all of it or nothing."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path``; what was written there is flushed and renamed to ``path``."""
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    try:
        yield temporary
        sync(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def make_folder(folder: Path) -> None:
    """Make ``folder`` and its parents, and flush the names that are new."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync(folder.parent)


def sync(path: Path) -> None:
    """Flush a file or a folder to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def retry(attempt: Callable[[], T | None], patience_s: float) -> T | None:
    """Call ``attempt`` with growing pauses until it gives something or ``patience_s`` is over."""
    deadline = time.monotonic() + patience_s
    pause = SHORTEST_WAIT_S
    while (result := attempt()) is None and time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(LONGEST_WAIT_S, pause * 2)
    return result


@contextmanager
def locked(path: Path, patience_s: float) -> Iterator[None]:
    """Hold the lock file ``path``; the kernel frees it when this process dies, however it dies.

    Raises:
        StoreBusy: when another process still holds it after ``patience_s``; names that process.
    """
    make_folder(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if retry(lambda: try_lock(descriptor, LOCK_EX) or None, patience_s) is None:
            holder = os.pread(descriptor, 64, 0).decode(errors="replace").strip()
            raise StoreBusy(f"{path.parent} is being written by process {holder or 'unknown'}; try again")
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def try_lock(descriptor: int, kind: int) -> bool:
    """Take the lock now, or say that another holds it."""
    try:
        flock(descriptor, kind | LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unlock(descriptor: int) -> None:
    """Free the lock, also for processes that were forked while it was held."""
    flock(descriptor, LOCK_UN)


def write_parquet(path: Path, table: Table, types: Mapping[str, str] | None = None) -> None:
    """Write columns as Parquet, of these SQL types or of what the values are; NaN becomes NULL."""
    import duckdb

    columns = ", ".join(
        f"unnest(from_json(${i}, '[\"{(types or {}).get(name) or _sql_type(values)}\"]')) AS {quoted(name)}"
        for i, (name, values) in enumerate(table.items(), 1)
    )
    with replacing(path) as temporary, duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(
            f"COPY (SELECT {columns}) TO {literal(str(temporary))} (FORMAT parquet)",
            [json.dumps([_finite(v) for v in values]) for values in table.values()],
        )


def quoted(name: str) -> str:
    """``name`` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """``text`` as an SQL string."""
    return "'" + readable(text).replace("'", "''") + "'"


def _sql_type(values: Sequence[object]) -> str:
    types = {type(value) for value in values if value is not None}
    if types == {bool}:
        return "BOOLEAN"
    if types == {int}:
        return "BIGINT"
    return "VARCHAR" if str in types else "DOUBLE"


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value
