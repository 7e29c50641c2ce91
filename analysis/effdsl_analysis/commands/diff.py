"""The command ``diff``."""

from __future__ import annotations

from pathlib import Path

import click

from effdsl_analysis.commands.shared import AS_JSON, STORE, show


@click.command()
@click.argument("a")
@click.argument("b")
@STORE
@AS_JSON
def diff(a: str, b: str, store_path: Path | None, as_json: bool) -> None:
    """Name what differs between the results with keys A and B (their first digits are enough)."""
    from effdsl_analysis.questions.diff.difference import diff as difference

    show(lambda store: difference(store, a, b), store_path, as_json)
