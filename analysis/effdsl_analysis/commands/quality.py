"""The command ``quality``."""

from __future__ import annotations

from pathlib import Path

import click

from effdsl_analysis.commands.shared import AS_JSON, STORE, show


@click.command()
@click.argument("study", required=False)
@click.option(
    "--reference", metavar="PRECISION", help="Compare with this one; default BF16, else the widest."
)
@click.option(
    "--on",
    multiple=True,
    metavar="EVALUATION",
    help="Only this evaluation: perplexity, cloze or a task of lm-eval; may be repeated.",
)
@STORE
@AS_JSON
def quality(
    study: str | None, reference: str | None, on: tuple[str, ...], store_path: Path | None, as_json: bool
) -> None:
    """Show what each precision costs in quality, compared item by item with another one.

    \b
    effdsl quality small/precision
    effdsl quality small/precision --reference FP32 --on perplexity

    Where repeats have weights of their own the interval is over these checkpoints, and answers what a
    precision costs models that are trained so. Where there is one checkpoint it is over the items, and
    answers for that one alone; of items that are right or wrong by McNemar's test.
    """
    from effdsl_analysis.questions.quality.pairing import quality as paired

    show(lambda store: paired(store, study, reference=reference, on=on), store_path, as_json)
