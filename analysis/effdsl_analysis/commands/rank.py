"""The command ``rank``."""

from __future__ import annotations

from pathlib import Path

import click

from effdsl_analysis.commands.options import AS_JSON, SCALE, STORE, show


@click.command()
@click.argument("study", required=False)
@click.option(
    "--metric", "metrics", multiple=True, metavar="NAME", help="Rank by this metric; may be repeated."
)
@SCALE
@STORE
@AS_JSON
def rank(
    study: str | None, metrics: tuple[str, ...], scale: str | None, store_path: Path | None, as_json: bool
) -> None:
    """Rank the techniques of STUDY (a name or a file), or of everything in the store.

    One table per metric and group of comparable results: mean over repeats with its 95% interval, and
    the rank with its ties. Results are compared only at the same scale, hardware, data, budget and
    dtype, energies only when the same kind of meter read them.
    """
    from effdsl_analysis.ranking import rank as ranked

    show(lambda store: ranked(store, study, metrics=metrics or None, scale=scale), store_path, as_json)
