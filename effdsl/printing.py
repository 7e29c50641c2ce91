"""What people read, printed on a terminal or into a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import click
from rich.console import Console, RenderableType


def print_parts(parts: Iterable[RenderableType], piped_width: int) -> None:
    """Print ``parts``, one below the other: as wide as the terminal, or in a pipe always ``piped_width``
    columns, so that lines do not depend on a window, and without blanks at their ends.

    Brackets mean what they are: names and reasons come from users.
    """
    if sys.stdout.isatty():
        console = Console(highlight=False, markup=False)
        for part in parts:
            console.print(part)
        return
    console = Console(width=piped_width, highlight=False, markup=False)
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
