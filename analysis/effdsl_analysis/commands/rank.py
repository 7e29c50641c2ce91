"""The command ``rank``."""

from __future__ import annotations

from pathlib import Path

import click

from effdsl_analysis.commands.shared import ACROSS, AS_JSON, EVIDENCE, STORE, across_of, evidence_of, show
from effdsl_analysis.vocabulary import Evidence, Rule


@click.command()
@click.argument("study", required=False)
@EVIDENCE
@click.option(
    "--metric", "metrics", multiple=True, metavar="NAME", help="Rank by this metric; may be repeated."
)
@click.option("--scale", help="Only this scale, e.g. 3M; of published evidence also a model, e.g. phi-4.")
@ACROSS
@click.option(
    "--group",
    "groups",
    multiple=True,
    metavar="NAME",
    help="Of published evidence, only this group, e.g. attention; may be repeated.",
)
@click.option(
    "--rule",
    type=click.Choice([rule.value for rule in Rule]),
    help="Of published evidence: how several scales become one value.  [default: mean]",
)
@click.option("--rules", "by_all_rules", is_flag=True, help="Show where the rules disagree.")
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "latex"]),
    default="text",
    show_default=True,
    help="markdown, latex: a table per group for a paper, the best in bold, ± from repeats.",
)
@STORE
@AS_JSON
def rank(
    study: str | None,
    evidence: str,
    metrics: tuple[str, ...],
    scale: str | None,
    across: str | None,
    groups: tuple[str, ...],
    rule: str | None,
    by_all_rules: bool,
    form: str,
    store_path: Path | None,
    as_json: bool,
) -> None:
    """Rank the techniques of STUDY (a name or a file), of the whole store, or of the paper.

    \b
    effdsl rank small/attention                     what was measured, with intervals and ties
    effdsl rank small/pipeline --across models      which model and method together
    effdsl rank --evidence published                the paper's tables, in its leaderboard's groups
    effdsl rank --evidence published --rules        where another rule gives another rank
    effdsl rank small/attention -f latex > rank.tex  a table for a paper

    Measured: one table per metric and group of comparable results: mean over repeats with its 95%
    interval, and the rank with its ties. Results are compared only at the same scale, hardware, data,
    budget and dtype, energies only when the same kind of meter read them.

    Published: one table per group: the mean of the printed values over its sizes or models, and the
    rank. Printed values have no intervals; equal ones share a rank.
    """
    from effdsl_analysis.questions.rank.published_ranking import rank_published
    from effdsl_analysis.questions.rank.ranking import rank as ranked
    from effdsl_analysis.questions.rank.rule_comparison import compare_rules
    from effdsl_analysis.questions.rank.typeset import latex, markdown

    kind = evidence_of(evidence, study)
    chosen, models = Rule(rule) if rule else None, across_of(across, kind)
    write = {"text": None, "markdown": markdown, "latex": latex}[form]
    if write is not None:
        _refuse(as_json, "--json and --format exclude each other")
        _refuse(by_all_rules, "--rules prints text or --json: leave out --format")
    if by_all_rules:
        _refuse(rule or scale, "--rules shows every rule and every scale: leave out --rule and --scale")
        _refuse(across, "--rules makes one order of several scales, not of models: leave out --across")
        show(
            lambda s: compare_rules(s, study, evidence=kind, groups=groups, metrics=metrics),
            store_path,
            as_json,
        )
    elif kind is Evidence.PUBLISHED:
        asked = {"groups": groups, "metrics": metrics}
        show(lambda s: rank_published(s, **asked, rule=chosen, scale=scale), store_path, as_json, write)
    else:
        _refuse(groups, "measured results are grouped by what they share: name a STUDY, not a --group")
        _refuse(rule, "measured results are ranked at each scale; --rules shows ranks over all scales")
        show(
            lambda s: ranked(s, study, metrics=metrics or None, scale=scale, across=models),
            store_path,
            as_json,
            write,
        )


def _refuse(given: object, why: str) -> None:
    if given:
        raise click.UsageError(why)
