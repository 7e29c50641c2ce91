"""What can be wrong with a store or with what was asked of it.

They are click exceptions, so that every command of every room ends with the message and the exit code
of the error instead of a traceback.
"""

from __future__ import annotations

import click

REBUILD = "`effdsl store rebuild` makes the index anew from the records"
"""What to do about an index that is not as it should be."""


class StoreError(click.ClickException):
    """The store cannot answer; the message says why and what to do."""

    exit_code = 3

    def __str__(self) -> str:
        return self.message


class StoreBusy(StoreError):
    """Another process holds the index; the message names it."""


class StoreDamaged(StoreError):
    """The index cannot be read, or is not what the records say."""


class StoreNewer(StoreError):
    """The store was written by a newer effdsl."""


class RecordDamaged(StoreError):
    """A record file is not a record."""


class UnknownKey(StoreError):
    """No result, or more than one, starts with the digits given."""

    exit_code = 2


class SqlRefused(StoreError):
    """The SQL is not one SELECT over what the store holds, or it is wrong, or it took too long."""

    exit_code = 2
