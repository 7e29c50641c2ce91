"""Follow a process of a task to its end, or to where it is to end."""

from __future__ import annotations

import time
from collections.abc import Callable

import attrs

from effdsl.outcome import Outcome
from effdsl_runtime.endings import Ending
from effdsl_runtime.executing.process import Child
from effdsl_runtime.executing.spawned import Spawned
from effdsl_runtime.handover import RecordedTask, Result
from effdsl_runtime.observation import Progress


@attrs.frozen
class Followed:
    """How following a process ended.

    Attributes:
        said: what the process handed over last.
        ending: of its task, where the process said it, or was ended for taking too long.
        stopped: whether it was ended because nobody wants it any more.
    """

    said: RecordedTask | Result | None = None
    ending: Ending | None = None
    stopped: bool = False


@attrs.frozen
class Patience:
    """How long a task may take, in seconds; ``None`` is for ever.

    Attributes:
        started: when it did, in ``time.monotonic``.
        whole_s: in all.
        silence_s: without saying anything.
    """

    started: float
    whole_s: float | None = None
    silence_s: float | None = None

    def ending(self, heard: float) -> Ending | None:
        """What becomes of a task that was last heard at ``heard``; ``None`` while it may go on."""
        now = time.monotonic()
        if self.whole_s and now - self.started > self.whole_s:
            return Ending(Outcome.TIMEOUT, f"stopped after {self.whole_s:g} s")
        if self.silence_s and now - heard > self.silence_s:
            return Ending(Outcome.TIMEOUT, f"stopped after {self.silence_s:g} s without a step: it hangs")
        return None


def follow(
    worker: Child | Spawned,
    progressed: Callable[[Progress], None],
    is_unwanted: Callable[[], bool],
    patience: Patience,
) -> Followed:
    """Follow ``worker`` to its end; it is killed where it is unwanted, or takes too long."""
    heard = time.monotonic()
    for said in worker.messages():
        if isinstance(said, (RecordedTask, Result)):
            return Followed(said)
        if isinstance(said, Ending):
            return Followed(ending=said)
        if isinstance(said, Progress):
            heard = time.monotonic()
            progressed(said)
        if is_unwanted():
            worker.kill()
            return Followed(stopped=True)
        if (ending := patience.ending(heard)) is not None:
            worker.kill()
            return Followed(ending=ending)
    return Followed()
