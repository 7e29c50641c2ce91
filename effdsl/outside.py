"""Text that comes from outside: names of files and words of the command line.

Where the locale is not UTF-8, Python reads bytes that the locale has no character for as lone surrogates,
which can be neither stored nor shown.
"""

from __future__ import annotations


def readable(text: str) -> str:
    """``text`` as it was written in UTF-8, whatever the locale made of it; text stays as it is.

    A path that was changed by this is for reading and for SQL, not for opening with Python.
    """
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
