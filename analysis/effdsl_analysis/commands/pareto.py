"""The command ``pareto``."""

from __future__ import annotations

from pathlib import Path

import click

from effdsl_analysis.commands.options import AS_JSON, SCALE, STORE, show


@click.command()
@click.argument("study", required=False)
@click.option(
    "--on",
    "objectives",
    required=True,
    metavar="METRIC,…",
    help="1 to 6 metrics, e.g. ppl,al_s_per_iter,amu_gb; METRIC:max or METRIC:min overrides the direction.",
)
@SCALE
@STORE
@AS_JSON
def pareto(
    study: str | None, objectives: str, scale: str | None, store_path: Path | None, as_json: bool
) -> None:
    """Show which techniques of STUDY no other beats in all of some metrics.

    Says of each what it dominates or is dominated by, and whether the repeats make that certain.
    """
    from effdsl_analysis.paretoset import pareto as pareto_set

    on = [name.strip() for name in objectives.split(",") if name.strip()]
    show(lambda store: pareto_set(store, study, on=on, scale=scale), store_path, as_json)
