"""Opening the index: late, for a short time, with patience, and with errors that say what to do."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from effdsl.outside import readable
from effdsl_registry.errors import REBUILD, StoreBusy, StoreDamaged, StoreError
from effdsl_registry.files import retry

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PATIENCE_S = 10.0
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # nothing is damaged, and a rebuild needs room too
Config = dict[str, str | bool | int | float | list[str]]
CONFIG: Config = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
# One thread halves the cost of a small write, and the other cores are a task's. A commit is a checkpoint:
# it costs less than writing the log first, and no log is left that could be cut without anybody noticing.
WRITING: Config = {**CONFIG, "threads": 1, "checkpoint_threshold": "1B"}
# One narrow question: a second thread costs more to start than it saves.
ASKING: Config = {**CONFIG, "threads": 1}
_HOLDER = re.compile(r"\(PID (\d+)\)")


@contextmanager
def connected(
    path: Path,
    read_only: bool,
    patience_s: float = PATIENCE_S,
    config: Config = CONFIG,
) -> Iterator[DuckDBPyConnection]:
    """A connection to the index at ``path``, closed at the end.

    Raises:
        StoreBusy: when another process holds it all the time; names that process.
        StoreDamaged: when the file is not a DuckDB database, or reading it fails on the way.
        StoreError: when the disk is full.
    """
    import duckdb

    connection = _open(path, read_only, patience_s, config)
    try:
        yield connection
    except (
        duckdb.FatalException,
        duckdb.InternalException,
        duckdb.IOException,
        duckdb.SerializationException,
    ) as e:
        raise _damaged(path, e) from e
    finally:
        connection.close()


def _open(path: Path, read_only: bool, patience_s: float, config: Config) -> DuckDBPyConnection:
    import duckdb

    refusal = ""

    def attempt() -> DuckDBPyConnection | None:
        nonlocal refusal
        try:
            return duckdb.connect(readable(str(path)), read_only=read_only, config=config)
        except duckdb.ConnectionException as error:  # open in this process with another configuration
            refusal = str(error)
        except duckdb.IOException as error:
            refusal = str(error)
            if "Could not set lock" not in refusal:
                raise _damaged(path, error) from error
        except duckdb.Error as error:
            raise _damaged(path, error) from error
        return None

    connection = retry(attempt, patience_s)
    if connection is None:
        holder = _HOLDER.search(refusal)
        who = f"process {holder[1]}" if holder else "another connection of this process"
        raise StoreBusy(f"{path} is in use by {who}; try again when what it does has ended")
    return connection


def _damaged(path: Path, error: Exception) -> StoreError:
    first_line = str(error).partition("\n")[0]
    if any(os.strerror(number) in first_line for number in NO_ROOM):
        return StoreError(f"{path} cannot be written: {first_line}; make room on that disk and try again")
    return StoreDamaged(f"{path} cannot be read: {first_line}\n{REBUILD}")
