"""The command ``audit``."""

from __future__ import annotations

from pathlib import Path

import click

from effdsl_analysis.commands.shared import AS_JSON, EVIDENCE, STORE, evidence_of, show
from effdsl_analysis.vocabulary import Severity


@click.command()
@click.argument("study", required=False)
@EVIDENCE
@click.option("--rule", "rules", multiple=True, metavar="NAME", help="Only this rule; may be repeated.")
@click.option(
    "--severity",
    "severities",
    multiple=True,
    type=click.Choice([severity.value for severity in Severity]),
    help="Only findings of this severity; may be repeated.",
)
@STORE
@AS_JSON
def audit(
    study: str | None,
    evidence: str,
    rules: tuple[str, ...],
    severities: tuple[str, ...],
    store_path: Path | None,
    as_json: bool,
) -> None:
    """Look for what cannot be right in the results of STUDY, of the whole store, or in the paper's tables.

    Each rule is one SQL file. An error is impossible or against a definition, a warning is not credible,
    a note is to be read with care; what a finding assumes, it says.
    """
    from effdsl_analysis.questions.audit.auditing import audit as audited

    kept = [Severity(name) for name in severities] or list(Severity)
    kind = evidence_of(evidence, study)
    show(
        lambda store: audited(store, study, evidence=kind, names=rules, severities=kept), store_path, as_json
    )
