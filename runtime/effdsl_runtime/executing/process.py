"""A process from the fork server, and what it says on its way."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import forkserver, get_context
from multiprocessing.connection import wait
from typing import Any

POLL_S = 0.2
GRACE_S = 3.0
# Idle OpenMP threads that spin take the cores from whatever runs beside them.
ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}


def preload(modules: Iterable[str]) -> None:
    """Have the fork server import ``modules`` once, so that every process starts with them loaded.

    The first process waits for that (seconds, for torch); every later one starts in milliseconds. A server
    that has loaded other modules is replaced: those count into the memory of every process.
    """
    wanted = ["effdsl_runtime.worker", *sorted(modules), "effdsl_runtime.executing.preload"]
    server: Any = forkserver._forkserver  # nothing public stops it
    if server._preload_modules not in (["__main__"], wanted):
        server._stop()
    get_context("forkserver").set_forkserver_preload(wanted)


class Child:
    """A process that runs ``target(*args, reports)`` and reports through a pipe."""

    def __init__(self, target: Callable[..., None], *args: Any) -> None:
        os.environ.update({name: os.environ.get(name, value) for name, value in ENVIRONMENT.items()})
        context = get_context("forkserver")
        self._reports, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=target, args=(*args, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def messages(self) -> Iterator[Any]:
        """What the process says, and ``None`` at least five times a second; ends when it has ended."""
        open_pipe = True
        while open_pipe or self._process.is_alive():
            waited_for: list[Any] = [self._process.sentinel, *([self._reports] if open_pipe else [])]
            ready = wait(waited_for, timeout=POLL_S)
            if self._reports in ready:
                try:
                    yield self._reports.recv()
                except (EOFError, OSError):
                    open_pipe = False
            elif self._process.sentinel in ready:
                open_pipe = False
            else:
                yield None
        self._process.join()

    def kill(self) -> None:
        """End the process and whatever it started: politely, then not."""
        for number, grace in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, GRACE_S)):
            try:
                os.killpg(self._process.pid or -1, number)
            except ProcessLookupError:  # not yet in a session of its own, or gone
                self._process.kill()
            self._process.join(grace)
            if not self._process.is_alive():
                return

    @property
    def exit_code(self) -> int | None:
        return self._process.exitcode
