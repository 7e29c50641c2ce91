"""The command ``recommend``."""

from __future__ import annotations

from pathlib import Path

import click

from effdsl_analysis.commands.shared import ACROSS, AS_JSON, EVIDENCE, STORE, across_of, evidence_of, show


@click.command()
@click.argument("study", required=False)
@EVIDENCE
@click.option(
    "--stage", type=click.Choice(["pretraining", "fine-tuning", "inference"]), help="Only this stage."
)
@click.option(
    "--axis", "axes", multiple=True, metavar="NAME", help="Only this axis, e.g. attention; may be repeated."
)
@click.option("--size", "--scale", "--model", "size", help="Only this scale or model, e.g. 1.5B or phi-4.")
@ACROSS
@click.option(
    "--best", required=True, metavar="METRIC", help="What is wanted best, e.g. ppl; ppl:max turns it round."
)
@click.option(
    "--where",
    multiple=True,
    metavar="CONDITION",
    help='What must hold, e.g. "amu_gb <= 45"; may be repeated, or joined by AND.',
)
@click.option("--within", metavar="SHARE", help="How far from the best it may be, e.g. 2%.")
@click.option(
    "--then",
    metavar="METRIC",
    help="Which of those that near, or tied.  [default with --within: the first condition's metric]",
)
@STORE
@AS_JSON
def recommend(
    study: str | None,
    evidence: str,
    stage: str | None,
    axes: tuple[str, ...],
    size: str | None,
    across: str | None,
    best: str,
    where: tuple[str, ...],
    within: str | None,
    then: str | None,
    store_path: Path | None,
    as_json: bool,
) -> None:
    """Choose techniques: the best of those that satisfy your conditions, and what that hangs on.

    \b
    effdsl recommend --evidence published --stage pretraining --where "amu_gb <= 45" --best ppl
    effdsl recommend small/attention --best ppl --within 2% --then al

    One choice along each axis, at each scale or for each model, among techniques that were compared under
    the same conditions. Shown with it: the runner-up, the condition that rules out what would otherwise
    be chosen, and the bounds at which the choice becomes another. Where the evidence does not carry an
    answer, none is given: when repeats do not tell the best apart, when nothing satisfies the
    conditions, or when a metric has no values.
    """
    from effdsl_analysis.questions.recommend.recommendation import recommend as recommended

    kind = evidence_of(evidence, study)
    models = across_of(across, kind)
    show(
        lambda store: recommended(
            store,
            study,
            evidence=kind,
            best=best,
            where=where,
            within=within,
            then=then,
            stage=stage,
            axes=axes,
            scale=size,
            across=models,
        ),
        store_path,
        as_json,
    )
