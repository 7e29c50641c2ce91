"""The command ``claims``."""

from __future__ import annotations

from pathlib import Path

import click

from effdsl_analysis.commands.shared import AS_JSON, EVIDENCE, STORE, evidence_of, show


@click.command()
@click.argument("study", required=False)
@EVIDENCE
@click.option(
    "--id",
    "ids",
    multiple=True,
    metavar="ID",
    help="Only this claim, with its cases, e.g. C5; may be repeated.",
)
@click.option("--why", is_flag=True, help="Show the cases of every claim, with their values.")
@STORE
@AS_JSON
def claims(
    study: str | None, evidence: str, ids: tuple[str, ...], why: bool, store_path: Path | None, as_json: bool
) -> None:
    """Test what EfficientLLM claims, on its own tables or on what was measured here.

    \b
    effdsl claims --evidence published             which of the 87 claims its tables support
    effdsl claims small/attention                  which a study supports
    effdsl claims --evidence published --id C5     one claim, with the values that decide it

    A claim is tested wherever it can be: at each scale or for each model, and where it gives a number,
    on that number. It holds if every case supports it, holds partly if some support and some contradict
    it, fails if some contradict and none support it, and is undecided otherwise. A number that holds in
    no case makes it fail, whichever way the effect goes; a range takes both its ends; what is said of
    every case fails if more than half of them contradict it.
    """
    from effdsl_analysis.questions.claims.verdicts import claims as tested

    kind = evidence_of(evidence, study)
    wanted = [name.strip() for listed in ids for name in listed.split(",")]
    show(
        lambda store: tested(store, study, evidence=kind, ids=wanted, with_cases=why or bool(ids)),
        store_path,
        as_json,
    )
