"""The command ``report``."""

from __future__ import annotations

from pathlib import Path

import click
from effdsl_registry.output import OutputFile, write_output

from effdsl_analysis.commands.shared import STORE, evidence_of
from effdsl_analysis.commands.waiting import waiting
from effdsl_analysis.vocabulary import Evidence

BOTH = "both"


@click.command()
@click.argument("studies", nargs=-1, metavar="[STUDY]...")
@click.option(
    "--evidence",
    type=click.Choice([*(kind.value for kind in Evidence), BOTH]),
    default=BOTH,
    show_default=True,
    help="measured: results of this store; published: the tables of EfficientLLM (arXiv 2505.13840).",
)
@click.option(
    "-o",
    "--output",
    type=OutputFile(),
    default=Path("report.html"),
    show_default=True,
    help="The file to write.",
)
@STORE
def report(studies: tuple[str, ...], evidence: str, output: Path, store_path: Path | None) -> None:
    """Write one page of rankings, trade-offs, charts and claims that works offline.

    STUDY is a name or a file; without one, the page shows every study in the store, each in a part of
    its own beside the paper's tables.
    """
    from effdsl_registry.store import Store

    from effdsl_analysis.ask import UnknownName
    from effdsl_analysis.report import MissingPackage
    from effdsl_analysis.report import report as html_report

    kinds = list(Evidence) if evidence == BOTH else [evidence_of(evidence, studies)]
    try:
        with waiting(f"gathering {output}"):
            page = html_report(Store.find(store_path), studies, kinds=kinds)
    except UnknownName as error:
        raise click.UsageError(str(error)) from error
    except MissingPackage as error:
        raise click.ClickException(str(error)) from error
    write_output(output, page.encode())
    click.echo(f"{output}: {len(page.encode()) / 1e6:.1f} MB", err=True)
