"""A sign of life in a terminal while an answer takes its time."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer

AFTER_S = 0.5


@contextmanager
def waiting(doing: str) -> Iterator[None]:
    """Show ``doing`` on stderr when the work takes longer than half a second; gone when it is done.

    Nothing is written where stderr is no terminal.
    """
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.text import Text

    status = Console(stderr=True).status(Text(doing))
    late = Timer(AFTER_S, status.start)
    late.daemon = True
    late.start()
    try:
        yield
    finally:
        late.cancel()
        late.join()  # it may be starting the status right now
        status.stop()
