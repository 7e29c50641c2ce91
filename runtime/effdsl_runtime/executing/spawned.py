"""A task in an interpreter of its own, started from a file, and what it says on its way."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from effdsl_runtime.environments.places import variables_with_source
from effdsl_runtime.executing.process import ENVIRONMENT, GRACE_S, POLL_S
from effdsl_runtime.handover import read_progress, read_result

QUIETLY = ("-P", "-m")  # -P: not what happens to lie in the working directory


def alone(python: Path, file: Path) -> list[str]:
    """The command that runs the assignment in ``file`` in one process, which does not outlive this one."""
    return [str(python), *QUIETLY, "effdsl_runtime.worker", str(file), str(os.getpid())]


def on_this_machine(python: Path, file: Path, ranks: int) -> list[str]:
    """The command that runs it in so many processes of this machine, by torchrun.

    A process that fails ends the others: none is started again, for that would hide the failure.
    """
    where = ["--nnodes=1", f"--nproc-per-node={ranks}", "--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0"]
    rank = ["--max-restarts=0", "--no-python", str(python), *QUIETLY, "effdsl_runtime.worker", str(file)]
    return [str(python), *QUIETLY, "effdsl_runtime.executing.torchrun", str(os.getpid()), *where, *rank]


class Spawned:
    """A command that runs the assignment in ``file`` and prints into ``log``."""

    def __init__(self, command: Sequence[str], file: Path, log: Path) -> None:
        self._folder = file.parent
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as printed:
            self._process = subprocess.Popen(  # noqa: S603 - interpreters of ours, no shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                env={**ENVIRONMENT, **variables_with_source(file.parent)},
                start_new_session=True,  # Ctrl-C reaches the executor only
            )

    def messages(self) -> Iterator[Any]:
        """What the process says, and ``None`` where that is nothing new, several times a second; last its
        result, where it left one."""
        last = None
        while self._process.poll() is None:
            said = read_progress(self._folder)
            yield said if said != last else None
            last = said
            time.sleep(POLL_S)
        result = read_result(self._folder)
        if result is not None:
            yield result

    def kill(self) -> None:
        """End the process and whatever it started: politely, then not."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, number)
                self._process.wait(GRACE_S)
            except ProcessLookupError:
                return
            except subprocess.TimeoutExpired:
                continue

    @property
    def exit_code(self) -> int | None:
        return self._process.returncode
