"""The command ``check``: hold the techniques of a user's own to what the built-in ones are held to."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from effdsl.loading import LoadedStudy


@click.command()
@click.argument("study")
def check(study: str) -> None:
    """Check the techniques that STUDY declares itself, on a small model of each.

    No position sees a later token, every parameter gets a finite gradient, a cache gives what the full
    forward gives, parameters and cache are as declared, the loss falls. Exits with 1 when one fails.
    """
    import torch

    from effdsl.loading import load_study
    from effdsl.own import own_parts, source_of
    from effdsl_runtime.model.held import CHECKS, failures

    with redirect_stdout(sys.stderr):
        loaded = load_study(study)
        cells = _own_cells(loaded)
    if not cells:
        raise click.UsageError(
            f"{study} has no technique of its own; `effdsl new NAME --technique attention`"
        )
    torch.set_num_threads(1)  # more cost more than they bring to models as small as these
    failed = False
    for label, architecture in cells.items():
        folders = [source.file.parent for part in own_parts(architecture) if (source := source_of(part))]
        found = list(failures(architecture, folders[0]))
        failed = failed or bool(found)
        said = f"{len(found)} failed" if found else "all hold"
        click.echo("\n".join([f"{label}: {', '.join(CHECKS)}: {said}", *(f"  {line}" for line in found)]))
    sys.exit(1 if failed else 0)


def _own_cells(loaded: LoadedStudy) -> dict[str, Any]:
    """Architectures with a technique of the user's own, one of each name, at the first scale that has it."""
    from effdsl.expand import expand
    from effdsl.own import own_parts
    from effdsl.stages.pretraining import Pretraining
    from effdsl_runtime.machine import detect

    found: dict[str, Any] = {}
    for planned in expand(loaded.study, detect(), loaded.place):
        work = planned.cell.workload if planned.cell else None
        if isinstance(work, Pretraining) and any(own_parts(work)):
            found.setdefault(planned.labels.technique, work.architecture)
    return found
