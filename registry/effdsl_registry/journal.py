"""The list of record files that are not indexed yet, so that nobody has to look through all of them.

A writer notes an attempt here before it writes the record and holds a shared lock until the record is
there. The list is emptied, under the exclusive lock, only when everything on it is indexed or will
never be: so a record that a killed process left behind is found by whoever opens the store next.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_SH, flock
from pathlib import Path

import attrs

from effdsl_registry.files import make_folder, sync, try_lock

_LINES = re.compile(r"^([0-9a-f]{64})/([0-9A-Za-z-]{1,64})$", re.MULTILINE)


@attrs.frozen
class JournalState:
    """What the list said when it was read: (key, attempt) pairs, and its length in bytes then."""

    attempts: tuple[tuple[str, str], ...]
    length: int


@attrs.frozen
class Journal:
    """The list in the file ``path``; no file means that all is indexed."""

    path: Path

    @contextmanager
    def noting(self, key: str, attempt: str) -> Iterator[None]:
        """Note an attempt; its record is to be written inside the block."""
        is_new = not self.path.exists()
        make_folder(self.path.parent)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            flock(descriptor, LOCK_SH)
            # A newline on both sides: a line that a power cut left unfinished spoils only itself.
            os.write(descriptor, f"\n{key}/{attempt}\n".encode())
            os.fsync(descriptor)
            if is_new:
                sync(self.path.parent)
            yield
        finally:
            os.close(descriptor)

    def read(self) -> JournalState:
        """The attempts on the list, each once."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return JournalState((), 0)
        found = _LINES.findall(content.decode(errors="replace"))
        return JournalState(tuple(dict.fromkeys(found)), len(content))

    def clear(self, noted: JournalState) -> None:
        """Empty the list when nothing was noted since, and nobody is writing a record just now."""
        if not noted.length:
            return
        descriptor = os.open(self.path, os.O_RDWR)
        try:
            if try_lock(descriptor, LOCK_EX) and os.fstat(descriptor).st_size == noted.length:
                os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)
