"""What an exception, or the death of a process, says of how a task ended."""

from __future__ import annotations

from pathlib import Path

import attrs

from effdsl.outcome import Outcome
from effdsl.techniques.technique import Unsupported
from effdsl_runtime.data.text_files import DataError

BAD_INPUT = "an input is at fault"
"""A flag of what failed for want of weights or text, as its reason says: no traceback would tell more."""


class Diverged(ArithmeticError):
    """The loss is NaN, infinite or exploding."""


@attrs.frozen
class Ending:
    """An outcome with its reason in one line.

    Attributes:
        flags: what a record says of it besides.
    """

    outcome: Outcome
    reason: str = ""
    flags: tuple[str, ...] = ()


def ending_of(error: BaseException) -> Ending:
    """The ending that an exception in the worker means."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, Diverged):
        return Ending(Outcome.DIVERGED, text)
    if isinstance(error, Unsupported):
        return Ending(Outcome.UNSUPPORTED, text)
    # torch.OutOfMemoryError, and the plain RuntimeError of torch's CPU allocator; torch is not imported here.
    if (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "can't allocate memory" in text
    ):
        return Ending(Outcome.OOM, text)
    if isinstance(error, DataError):
        return Ending(Outcome.FAILED, text, (BAD_INPUT,))
    return Ending(Outcome.FAILED, f"{type(error).__name__}: {text}")


def oom_kills(vmstat: Path = Path("/proc/vmstat")) -> int:
    """How many processes the kernel has killed for memory since boot; 0 where it does not say."""
    try:
        lines = vmstat.read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def ending_of_death(exit_code: int | None, killed_for_memory: bool) -> Ending:
    """The ending of a worker that died without writing a record.

    SIGKILL is out of memory only where the kernel counted a kill for memory meanwhile; anybody can
    send it.
    """
    if exit_code == -9 and killed_for_memory:
        return Ending(Outcome.OOM, "killed by the kernel: out of memory")
    if exit_code is not None and exit_code < 0:
        return Ending(Outcome.FAILED, f"killed by signal {-exit_code}")
    return Ending(Outcome.FAILED, f"the worker exited with code {exit_code} and left no record")
