"""Claims to tasks: which are being run, so that two processes never run one twice.

These are not the paper's claims, which are statements. A claim here is a lock on ``claims/<key>``: it
needs no heartbeat and no lease, for the kernel frees it when its process dies. Taking, freeing and looking
at claims happens under one short lock, so that looking never makes a claim fail and a claim file is never
removed under somebody who is about to lock it.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from fcntl import LOCK_EX, LOCK_SH
from pathlib import Path

import attrs

from effdsl_registry.files import locked, make_folder, try_lock, unlock

GUARD = ".guard"
GUARD_PATIENCE_S = 30.0


@attrs.frozen
class ClaimInfo:
    """A task that is being run: by which process, where and since when (UTC, ISO 8601)."""

    key: str
    pid: int | None
    host: str
    started_at: str


@contextmanager
def claim(folder: Path, key: str) -> Iterator[bool]:
    """``True`` when the claim to ``key`` was won; it is held until the end of the block."""
    make_folder(folder)
    path = folder / key
    with _guard(folder):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        won = try_lock(descriptor, LOCK_EX)
        if won:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(_myself()).encode(), 0)
    try:
        yield won
    finally:
        if won:
            with _guard(folder):
                path.unlink(missing_ok=True)
                unlock(descriptor)
        os.close(descriptor)


def held(folder: Path) -> list[ClaimInfo]:
    """The claims that are held now, in the order of their keys."""
    return [info for info, is_held in _looked_at(folder) if is_held]


def abandoned(folder: Path) -> list[Path]:
    """Claim files that nobody holds: left by processes that were killed."""
    return [folder / info.key for info, is_held in _looked_at(folder) if not is_held]


def _looked_at(folder: Path) -> list[tuple[ClaimInfo, bool]]:
    if not folder.is_dir():
        return []
    keys = sorted(path.name for path in folder.iterdir() if path.name != GUARD)
    if not keys:
        return []
    with _guard(folder):
        return [found for key in keys if (found := _look(folder, key)) is not None]


def _look(folder: Path, key: str) -> tuple[ClaimInfo, bool] | None:
    try:
        descriptor = os.open(folder / key, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        is_held = not try_lock(descriptor, LOCK_SH)
        return _info(key, os.pread(descriptor, 4096, 0)), is_held
    finally:
        os.close(descriptor)


def _guard(folder: Path) -> AbstractContextManager[None]:
    return locked(folder / GUARD, GUARD_PATIENCE_S)


def _myself() -> dict[str, object]:
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "started_at": started_at}


def _info(key: str, content: bytes) -> ClaimInfo:
    """What a claim file says; one that was cut short by a crash says nothing."""
    try:
        says = json.loads(content)
        return ClaimInfo(key, int(says["pid"]), str(says["host"]), str(says["started_at"]))
    except (ValueError, KeyError, TypeError):
        return ClaimInfo(key, None, "", "")
