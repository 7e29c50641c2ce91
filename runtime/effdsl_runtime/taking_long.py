"""What is said while something takes long, so that nobody wonders whether it hangs."""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

Report = Callable[[str], None]
BEAT_S = 0.9
LOCK_AGAIN_S = 0.2


@contextmanager
def beating(report: Report, what: str) -> Iterator[None]:
    """Report that ``what`` goes on while a library is silent."""
    done = threading.Event()
    started = time.monotonic()

    def beat() -> None:
        while not done.wait(BEAT_S):
            report(f"{what}, {time.monotonic() - started:.0f} s")

    report(what)
    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextmanager
def locked(file: IO[bytes], report: Report, meanwhile: str) -> Iterator[None]:
    """Hold the lock of an open ``file``, which the kernel frees when this process dies; ``meanwhile`` is said
    as long as another has it."""
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            report(meanwhile)
            time.sleep(LOCK_AGAIN_S)
    yield
