"""What is said under rankings and Pareto sets alike: plain code, missing results, how many repeats."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from rich.text import Text

from effdsl_analysis.text import words

if TYPE_CHECKING:
    from effdsl_analysis.ask import Scope

PLAIN_CODE = "reference"
TO_MEASURE = "`effdsl execute STUDY` runs a study, `effdsl rank` says how its tasks ended"
"""What to do where nothing that ended well is there."""


class Shown(Protocol):
    """A cell of a ranking or a Pareto set."""

    @property
    def technique(self) -> str: ...

    @property
    def kernel(self) -> str: ...

    @property
    def threads(self) -> tuple[int, ...]: ...


W = TypeVar("W", bound=Hashable)
C = TypeVar("C", bound=Shown)


def plain_code(cells: Iterable[Shown]) -> list[Text]:
    """The techniques whose speed says little: they ran as plain code, where tuned kernels exist."""
    named = sorted({cell.technique for cell in cells if cell.kernel == PLAIN_CODE})
    if not named:
        return []
    return [words(f"Plain code, slower than a tuned kernel would be: {', '.join(named)}.")]


def uneven_threads(compared: Iterable[Sequence[Shown]]) -> list[Text]:
    """Cells that are compared with each other but ran with different numbers of CPU threads."""
    uneven = {
        f"{cell.technique} with {' and '.join(map(str, cell.threads))}"
        for cells in compared
        if len({count for cell in cells for count in cell.threads}) > 1
        for cell in cells
        if cell.threads
    }
    if not uneven:
        return []
    return [words(f"Times are of different numbers of CPU threads: {', '.join(sorted(uneven))}.")]


def by_reason(cells: Iterable[C], why: Callable[[C], W]) -> Iterable[tuple[W, list[str]]]:
    """Techniques that have nothing to show for the same reason, together."""
    found: dict[W, list[str]] = {}
    for cell in cells:
        found.setdefault(why(cell), []).append(cell.technique)
    return found.items()


def repeats(counts: Iterable[int]) -> str:
    found = sorted(set(counts))
    if not found:
        return "no repeats"
    if len(found) > 1:
        return f"{found[0]} to {found[-1]} repeats"
    return "1 repeat" if found == [1] else f"{found[0]} repeats"


def left(scope: Scope, shown: int) -> list[Text]:
    lines = []
    if not shown:
        what = f"Study {scope.study}" if scope.study else "The store"
        empty = "" if scope.missing else " `effdsl execute STUDY` runs a study."
        lines.append(f"{what} has no result to show{' at this scale' if scope.scale else ''}.{empty}")
    if scope.missing:
        count = "1 task has" if scope.missing == 1 else f"{scope.missing} tasks have"
        lines.append(f"{count} no result yet: `effdsl execute {scope.typed}` runs what is missing.")
    return [words(line) for line in lines]
