"""The command ``scaling``."""

from __future__ import annotations

from pathlib import Path

import click

from effdsl_analysis.commands.shared import AS_JSON, EVIDENCE, STORE, evidence_of, show


@click.command()
@click.argument("study", required=False)
@EVIDENCE
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="This metric; may be repeated.")
@click.option(
    "--axis", "axes", multiple=True, metavar="NAME", help="Only this axis, e.g. attention; may be repeated."
)
@STORE
@AS_JSON
def scaling(
    study: str | None,
    evidence: str,
    metrics: tuple[str, ...],
    axes: tuple[str, ...],
    store_path: Path | None,
    as_json: bool,
) -> None:
    """Show how metrics grow with parameters, and where techniques are predicted to cross.

    \b
    effdsl scaling --evidence published --axis attention
    effdsl scaling my_study --metric ppl --metric al

    A power law for each technique and metric that has at least three sizes, with the 95% interval of its
    exponent. Two techniques are said to cross only where their exponents are told apart; it is said
    whether the crossing lies among the sizes that were compared, or how far outside.
    """
    from effdsl_analysis.questions.scaling.laws import scaling as scaled

    kind = evidence_of(evidence, study)
    show(lambda store: scaled(store, study, evidence=kind, metrics=metrics, axes=axes), store_path, as_json)
