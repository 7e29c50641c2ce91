"""Questions to DuckDB that Ctrl-C and a limit of time stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import attrs

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Answer = TypeVar("Answer")
INTERRUPTED_EVERY_S = 0.05


@attrs.define
class Halt:
    """Whether a question is to go on, and what works on it."""

    _told: threading.Event = attrs.field(factory=threading.Event)
    _lock: threading.Lock = attrs.field(factory=threading.Lock)
    _connection: DuckDBPyConnection | None = None

    @contextmanager
    def working_on(self, connection: DuckDBPyConnection) -> Iterator[None]:
        """Meanwhile ``connection`` is what is to be stopped."""
        self._connection = connection
        try:
            self.go_on()
            yield
        finally:
            with self._lock:  # a closed one cannot be interrupted
                self._connection = None

    def go_on(self) -> None:
        """Raises ``duckdb.InterruptException`` where not: fetching cannot be interrupted, but asks."""
        import duckdb

        if self._told.is_set():
            raise duckdb.InterruptException("stopped")

    def tell(self) -> None:
        """Stop it, or let it stop as soon as it can be; to be called again until it has."""
        self._told.set()
        with self._lock:
            if self._connection is not None:
                self._connection.interrupt()


def stoppable(question: Callable[[Halt], Answer], timeout_s: float) -> Answer:
    """What ``question`` answers, which is asked in a thread of its own. On the main thread DuckDB sees
    Ctrl-C, but then waits for tasks that nobody has told to stop, or forgets about it.

    Raises:
        TimeoutError: after ``timeout_s``.
    """
    halt, answer = Halt(), Future[Answer]()

    def ask() -> None:
        try:
            answer.set_result(question(halt))
        except BaseException as error:
            answer.set_exception(error)

    thread = threading.Thread(target=ask, daemon=True)
    try:
        thread.start()  # Ctrl-C may come meanwhile
        return answer.result(timeout_s)
    except (TimeoutError, KeyboardInterrupt):
        halt.tell()
        while thread.is_alive():  # once would be lost on a query that has not begun yet
            thread.join(INTERRUPTED_EVERY_S)
            halt.tell()
        raise
