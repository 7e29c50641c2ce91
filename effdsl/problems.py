"""Mistakes in a study, collected so that all are shown at once instead of the first.

While a study file is being loaded a :class:`Collector` is active: a constructor that meets a mistake
notes it with file and line and goes on. Outside a study file (a notebook, a script) the same mistake
raises :class:`StudyError` at once.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType

import attrs


@attrs.frozen
class Problem:
    """One mistake: where it is, what was found and what is allowed."""

    message: str
    hint: str = ""
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        return f"{place}{self.message}" + (f"\n    {self.hint}" if self.hint else "")


class StudyError(ValueError):
    """One or more mistakes in a study. ``problems`` holds them in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(dict.fromkeys(problems), key=lambda p: (p.file, p.line))
        super().__init__("\n".join(map(str, self.problems)))


@attrs.define
class Collector:
    """Mistakes found while ``file`` is loaded, and the line on which each object was declared."""

    file: str
    problems: list[Problem] = attrs.field(factory=list)
    lines: dict[int, int] = attrs.field(factory=dict)
    unknown: set[str] = attrs.field(factory=set)
    _keep: list[object] = attrs.field(factory=list)

    def declared(self, value: object) -> None:
        """Remember the line that declared ``value`` (kept alive, so that its id stays its own)."""
        self._keep.append(value)
        self.lines[id(value)] = _line_in(self.file)

    def current_line(self) -> int:
        """The line of ``file`` that is being run."""
        return _line_in(self.file)

    def stands_for(self, value: object, original: object) -> None:
        """Let ``value``, a changed copy of ``original``, have its line."""
        self._keep.append(value)
        self.lines[id(value)] = self.line_of(original)

    def line_of(self, value: object) -> int:
        """The line that declared ``value``; 0 when it was not declared in this file."""
        return self.lines.get(id(value), 0)


_active: ContextVar[Collector | None] = ContextVar("collector", default=None)


def active_collector() -> Collector | None:
    return _active.get()


@contextmanager
def collecting(file: str) -> Iterator[Collector]:
    """Collect mistakes made in ``file`` instead of raising them."""
    collector = Collector(file)
    token = _active.set(collector)
    try:
        yield collector
    finally:
        _active.reset(token)


def report(*problems: Problem) -> None:
    """Note ``problems`` at the caller's place in the study file, or raise them when none is loading.

    Raises:
        StudyError: when no study file is being loaded.
    """
    collector = _active.get()
    if collector is None:
        raise StudyError(problems)
    line = _line_in(collector.file)
    for problem in problems:
        place = problem if problem.line else attrs.evolve(problem, file=collector.file, line=line)
        collector.problems.append(place)


def listed(words: Iterable[str]) -> str:
    """The words as a list in prose: ``a, b and c``."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def nearest(word: str, allowed: Iterable[str]) -> str:
    """``did you mean 'x'? `` for a close match in small or capital letters, else the empty string."""
    by_letters = {name.casefold(): name for name in allowed}
    match = difflib.get_close_matches(word.casefold(), by_letters, n=1, cutoff=0.6)
    return f"did you mean {by_letters[match[0]]!r}? " if match else ""


LONGEST_SHOWN = 60


def spelled(value: object) -> str:
    """``value`` about as it stands in a study, for a message."""
    if is_broken(value):
        return "?"
    if isinstance(value, type):
        return value.__name__
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(spelled, value))}]"
    text = repr(value)
    if len(text) > LONGEST_SHOWN:
        text = str(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


class UnresolvedName:
    """Stands for a name that could not be resolved, so that the rest of the file is still checked.

    Whatever is done with it gives itself; nothing that contains it is reported a second time.
    """

    def __call__(self, *_: object, **__: object) -> UnresolvedName:
        return self

    __getattr__ = __mul__ = __rmul__ = __getitem__ = __add__ = __radd__ = __call__

    def __iter__(self) -> Iterator[UnresolvedName]:
        return iter(())


BROKEN = UnresolvedName()


def is_broken(value: object) -> bool:
    """Whether ``value`` stands for something that was already reported."""
    return isinstance(value, UnresolvedName)


def _line_in(file: str) -> int:
    """The line being executed in ``file``: the innermost frame of it on the stack."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename == file:
            return frame.f_lineno
        frame = frame.f_back
    return 0
