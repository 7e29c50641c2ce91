"""The commands that draw conclusions: ``rank``, ``pareto`` and ``diff``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from effdsl_registry.store import Store

    from effdsl_analysis.difference import Difference
    from effdsl_analysis.paretoset import ParetoSet
    from effdsl_analysis.ranking import Ranking

PIPED_WIDTH = 100

C = TypeVar("C", bound=Callable[..., Any])

STORE = click.option(
    "--store", "store_path", type=click.Path(path_type=Path, file_okay=False), help="The store's folder."
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")
SCALE = click.option("--scale", help="Only this scale, e.g. 3M.")


@click.command()
@click.argument("study", required=False)
@click.option(
    "--metric", "metrics", multiple=True, metavar="NAME", help="Rank by this metric; may be repeated."
)
@SCALE
@STORE
@AS_JSON
def rank(
    study: str | None, metrics: tuple[str, ...], scale: str | None, store_path: Path | None, as_json: bool
) -> None:
    """Rank the techniques of STUDY (a name or a file), or of everything in the store.

    One table per metric and group of comparable results: mean over repeats with its 95% interval, and
    the rank with its ties. Results are compared only at the same scale, hardware, data, budget and
    dtype, energies only when the same kind of meter read them.
    """
    from effdsl_analysis.ranking import rank as ranked

    _show(lambda store: ranked(store, study, metrics=metrics or None, scale=scale), store_path, as_json)


@click.command()
@click.argument("study", required=False)
@click.option(
    "--on",
    "objectives",
    required=True,
    metavar="METRIC,…",
    help="1 to 6 metrics, e.g. ppl,al_s_per_iter,amu_gb; METRIC:max or METRIC:min overrides the direction.",
)
@SCALE
@STORE
@AS_JSON
def pareto(
    study: str | None, objectives: str, scale: str | None, store_path: Path | None, as_json: bool
) -> None:
    """Show which techniques of STUDY no other beats in all of some metrics.

    Says of each what it dominates or is dominated by, and whether the repeats make that certain.
    """
    from effdsl_analysis.paretoset import pareto as pareto_set

    on = [name.strip() for name in objectives.split(",") if name.strip()]
    _show(lambda store: pareto_set(store, study, on=on, scale=scale), store_path, as_json)


@click.command()
@click.argument("a")
@click.argument("b")
@STORE
@AS_JSON
def diff(a: str, b: str, store_path: Path | None, as_json: bool) -> None:
    """Name what differs between the results with keys A and B (their first digits are enough)."""
    from effdsl_analysis.difference import diff as difference

    _show(lambda store: difference(store, a, b), store_path, as_json)


def _show(
    answer: Callable[[Store], Ranking | ParetoSet | Difference], store_path: Path | None, as_json: bool
) -> None:
    from effdsl_registry.store import Store

    from effdsl_analysis.ask import UnknownName

    try:
        result = answer(Store.find(store_path))
    except UnknownName as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        click.echo(json.dumps(result.to_json(), indent=2, allow_nan=False))
        return
    from rich.console import Console

    if sys.stdout.isatty():
        Console(highlight=False).print(result)
        return
    console = Console(width=PIPED_WIDTH, highlight=False)
    with console.capture() as captured:
        console.print(result)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
