"""The command ``pareto``."""

from __future__ import annotations

from pathlib import Path

import click

from effdsl_analysis.commands.shared import (
    ACROSS,
    AS_JSON,
    EVIDENCE,
    SCALE,
    STORE,
    across_of,
    evidence_of,
    show,
)
from effdsl_analysis.vocabulary import Evidence


@click.command()
@click.argument("study", required=False)
@click.option(
    "--on",
    "objectives",
    required=True,
    metavar="METRIC,…",
    help="1 to 6 metrics, e.g. ppl,al_s_per_iter,amu_gb; METRIC:max or METRIC:min overrides the direction. "
    "Published: also `performance`, the quality metric of each group.",
)
@EVIDENCE
@click.option(
    "--group",
    "groups",
    multiple=True,
    metavar="NAME",
    help="Published: only this group of the leaderboard, e.g. attention; may be repeated.",
)
@click.option(
    "--each-size",
    is_flag=True,
    help="Published: a set for each scale or model, instead of one over the means.",
)
@SCALE
@ACROSS
@STORE
@AS_JSON
def pareto(
    study: str | None,
    objectives: str,
    evidence: str,
    groups: tuple[str, ...],
    each_size: bool,
    scale: str | None,
    across: str | None,
    store_path: Path | None,
    as_json: bool,
) -> None:
    """Show which techniques of STUDY no other beats in all of some metrics.

    Says of each what it dominates or is dominated by, and whether the repeats make that certain. With
    --evidence published, of the techniques in each group of the paper's leaderboard, over the means of
    the group's scales or models.
    """
    from effdsl_analysis.questions.pareto.paretoset import pareto as pareto_set
    from effdsl_analysis.questions.pareto.published_paretoset import pareto_published

    on = [name.strip() for name in objectives.split(",") if name.strip()]
    kind = evidence_of(evidence, study)
    models = across_of(across, kind)
    if kind is Evidence.PUBLISHED:
        show(
            lambda store: pareto_published(store, on=on, groups=groups, scale=scale, each_scale=each_size),
            store_path,
            as_json,
        )
        return
    if groups or each_size:
        raise click.UsageError("--group and --each-size are for --evidence published; name a STUDY instead")
    show(lambda store: pareto_set(store, study, on=on, scale=scale, across=models), store_path, as_json)
