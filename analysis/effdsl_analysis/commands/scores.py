"""The command ``scores``."""

from __future__ import annotations

from pathlib import Path

import click

from effdsl_analysis.commands.shared import AS_JSON, EVIDENCE, STORE, evidence_of, show


@click.command()
@click.argument("study", required=False)
@EVIDENCE
@click.option(
    "--group",
    "groups",
    multiple=True,
    metavar="NAME",
    help="Only this group: fine_tuning_7b_8b of the paper, attention of measured results; may be repeated.",
)
@STORE
@AS_JSON
def scores(
    study: str | None, evidence: str, groups: tuple[str, ...], store_path: Path | None, as_json: bool
) -> None:
    """Score techniques as the paper does, by eq. 10 to 12 of its appendix.

    Eq. 10 and 11 scale each metric from 0.1 (worst) to 1.0 (best). Eq. 12 adds up memory, utilisation,
    latency, throughput and power of a fine-tuning; it is shown as it is printed and as the arrows of
    its metrics ask, with the difference in order.
    """
    from effdsl_analysis.questions.scores.scoring import scores as scored

    kind = evidence_of(evidence, study)
    show(lambda store: scored(store, study, evidence=kind, groups=groups), store_path, as_json)
