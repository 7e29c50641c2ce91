"""What the commands of this package share: options, and how an answer reaches the terminal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from effdsl_registry.options import AS_JSON as AS_JSON
from effdsl_registry.options import STORE as STORE

from effdsl_analysis.commands.waiting import waiting
from effdsl_analysis.vocabulary import Across, Evidence

if TYPE_CHECKING:
    from effdsl_registry.store import Store

    from effdsl_analysis.answer import Answer

PIPED_WIDTH = 100

SCALE = click.option("--scale", help="Only this scale, e.g. 3M.")
EVIDENCE = click.option(
    "--evidence",
    type=click.Choice([kind.value for kind in Evidence]),
    default=Evidence.MEASURED.value,
    show_default=True,
    help="measured: results of this store; published: the tables of EfficientLLM (arXiv 2505.13840).",
)

ACROSS = click.option(
    "--across",
    type=click.Choice([kind.value for kind in Across]),
    help="models: compare fine-tunings of different models, to find which model and method together.",
)


def across_of(named: str | None, evidence: Evidence) -> Across | None:
    """What is compared besides techniques; only what was measured here says on which model it was done."""
    if named and evidence is Evidence.PUBLISHED:
        raise click.UsageError("--across compares what was measured here: leave out --evidence published")
    return Across(named) if named else None


def evidence_of(named: str, studies: object) -> Evidence:
    """The evidence that was asked for; only what was measured here belongs to studies."""
    evidence = Evidence(named)
    if studies and evidence is Evidence.PUBLISHED:
        raise click.UsageError("the paper has no studies: leave out STUDY, or --evidence published")
    return evidence


def show(
    answer: Callable[[Store], Answer],
    store_path: Path | None,
    as_json: bool,
    write: Callable[[Any], str] | None = None,
) -> None:
    """Ask the store, and print what comes out; what does not exist is a mistake in the call.

    ``write`` gives the answer in a form that is neither JSON nor for reading at once, e.g. LaTeX.
    """
    from effdsl_registry.store import Store

    from effdsl_analysis.ask import UnknownName

    try:
        with waiting("asking the store"):
            result = answer(Store.find(store_path))
    except UnknownName as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        click.echo(json.dumps(result.to_json(), indent=2, allow_nan=False))
        return
    if write is not None:
        click.echo(write(result), nl=False)
        return
    from effdsl.printing import print_parts

    print_parts([result], PIPED_WIDTH)
