"""How a task can end. Every ending is a row; a task that does not fit or diverges is a result."""

from __future__ import annotations

import enum


class Outcome(enum.Enum):
    """The ending of a task, as stored."""

    OK = "ok"
    OOM = "oom"
    TIMEOUT = "timeout"
    DIVERGED = "diverged"
    UNSUPPORTED = "unsupported"
    FAILED = "failed"
