"""The commands ``effdsl sql``, ``effdsl export`` and ``effdsl store``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from effdsl.outside import readable
from effdsl_registry.errors import StoreDamaged, StoreError
from effdsl_registry.options import AS_JSON, STORE
from effdsl_registry.output import OutputFile

if TYPE_CHECKING:
    from effdsl_registry.rows import Rows
    from effdsl_registry.store import Store

EXAMPLE = "FROM results SELECT technique, seed, round(ppl, 2) AS ppl ORDER BY ppl"
FORMATS = {".csv": "csv", ".json": "json", ".parquet": "parquet", ".md": "markdown", ".tex": "latex"}


@click.command()
@click.argument("query", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="Stop after this many seconds.",
)
@STORE
def sql(query: str | None, as_json: bool, as_csv: bool, timeout: float, store_path: Path | None) -> None:
    """Ask the store one SELECT; without QUERY, read it from standard input.

    The views are results, cells, attempts, measurements, loss_curves, decoding, expert_shares, examples,
    items, scores, compression, time_to_loss, study_tasks, code, metrics, axes, published and claims:

    \b
    effdsl sql "FROM results SELECT technique, seed, ppl ORDER BY ppl"
    effdsl sql "DESCRIBE results"
    """
    from effdsl_registry.guarded_sql import ask
    from effdsl_registry.store import Store

    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    asked = _from_standard_input(query) if query in (None, "-") else str(query)
    store = Store.find(store_path)
    rows = ask(store, readable(asked), timeout)
    _say_when_empty(store)
    _print(rows, as_json, as_csv)


@click.command()
@click.argument("view", default="results")
@click.option("--sql", "query", help="Export the rows of this SELECT instead of a view.")
@click.option("--key", "prefixes", multiple=True, help="Of iterations and samples: only these results.")
@click.option("-f", "--format", "form", type=click.Choice([*dict.fromkeys(FORMATS.values())]))
@click.option("-o", "--output", type=OutputFile(), help="Default: print.")
@STORE
def export(
    view: str,
    query: str | None,
    prefixes: tuple[str, ...],
    form: str | None,
    output: Path | None,
    store_path: Path | None,
) -> None:
    """Write VIEW, iterations or samples as CSV, JSON, Parquet, Markdown or LaTeX.

    The format follows from the name of the output; CSV when printed.

    \b
    effdsl export results -o results.parquet
    effdsl export --sql "FROM cells SELECT technique, ppl" -f latex
    effdsl export iterations --key 3fa81 -o iterations.csv
    """
    from effdsl_registry.export import rows_to_export, write_rows
    from effdsl_registry.store import Store

    form = form or (FORMATS.get(output.suffix) if output else "csv")
    if form is None:
        raise click.UsageError(f"{output}: say which --format, or end it in {', '.join(FORMATS)}")
    if form == "parquet" and output is None:
        raise click.UsageError("Parquet is not for printing: give --output results.parquet")
    store = Store.find(store_path)
    rows = rows_to_export(store, view, query, prefixes)
    _say_when_empty(store)
    text = write_rows(rows, form, output)
    if output is None:
        click.echo(text, nl=False)
    else:
        click.echo(f"{output}: {len(rows)} rows", err=True)


@click.group()
def store() -> None:
    """Verify, rebuild, back up or clean the store."""


@store.command()
@STORE
def path(store_path: Path | None) -> None:
    """Print the folder of the store that is meant here."""
    from effdsl_registry.store import Store

    click.echo(Store.find(store_path).root.absolute())


@store.command()
@AS_JSON
@STORE
def verify(as_json: bool, store_path: Path | None) -> None:
    """Hash every record again and compare it with the index; exit code 3 when damaged."""
    from effdsl_registry.store import Store
    from effdsl_registry.verify import verify as check

    verdict = check(Store.find(store_path))
    if as_json:
        click.echo(json.dumps(attrs.asdict(verdict), default=str))
    else:
        for finding in verdict.findings:
            click.echo(f"{finding.path}: {finding.what}; {finding.remedy}")
        count = len(verdict.findings)
        click.echo(f"{verdict.records} records, {count or 'no'} problem{'s' * (count != 1)}")
    if verdict.findings:
        sys.exit(StoreDamaged.exit_code)


@store.command()
@STORE
def rebuild(store_path: Path | None) -> None:
    """Make the index anew from the record files."""
    from effdsl_registry.index import rebuild as make_anew

    found = _existing(store_path)
    click.echo(f"{found.index}: {make_anew(found)} attempts")


@store.command()
@click.argument("target", type=click.Path(path_type=Path))
@STORE
def backup(target: Path, store_path: Path | None) -> None:
    """Copy the store to the new folder TARGET, also while others use it."""
    from effdsl_registry.maintenance import backup as copy

    click.echo(f"{target}: {copy(_existing(store_path), target)} attempts")


@store.command()
@click.option("--delete", is_flag=True, help="Remove the files; without it they are only listed.")
@click.option("--artifacts", is_flag=True, help="All checkpoints too: results stay, weights go.")
@AS_JSON
@STORE
def gc(delete: bool, artifacts: bool, as_json: bool, store_path: Path | None) -> None:
    """List, or --delete, superseded attempts and what killed processes left behind."""
    from effdsl_registry.maintenance import checkpoints, collect, garbage

    found = _existing(store_path)
    items = garbage(found) + (checkpoints(found) if artifacts else [])
    if delete:
        collect(found, items)
    if as_json:
        click.echo(json.dumps([attrs.asdict(item) for item in items], default=str))
        return
    for item in items:
        click.echo(f"{item.path}: {item.reason}")
    size = sum(item.size for item in items) / 1e6
    command = "effdsl store gc --artifacts --delete" if artifacts else "effdsl store gc --delete"
    done = "removed" if delete else f"to remove; `{command}` removes them"
    click.echo(f"{len(items)} files, {size:.3g} MB {done}" if items else "nothing to remove")


@store.command()
@click.argument("key")
@click.argument("target", type=click.Path(path_type=Path))
@STORE
def checkout(key: str, target: Path, store_path: Path | None) -> None:
    """Copy what the task KEY left, e.g. its trained weights, to the new folder TARGET.

    Weights of a decoder are a Hugging Face directory: `AutoModelForCausalLM.from_pretrained(TARGET)`. An
    adapter belongs to the base that its adapter_config.json names, which is said too: a folder on this
    machine, or a model of the hub, and in its revision the task that trained it, or what pins its content.
    """
    from effdsl_registry.checkpoints import BASE, adapter_config

    found = _existing(store_path)
    record = found.record(key)
    if not record.files:
        raise StoreError(
            f"the task {key} left no files: trials of learning rates keep none, and weights of more than "
            "2 GB are kept where a study says keep_checkpoints=True"
        )
    found.checkpoints.check_out(record.key, record.files, target)
    click.echo(f"{target}: {len(record.files)} files")
    if config := adapter_config(target):
        click.echo(f"its base: {config[BASE]}, revision {config['revision']}")


def _from_standard_input(query: str | None) -> str:
    """The query that is piped in: UTF-8, as all our files, else in the locale's encoding."""
    if sys.stdin is None or (query is None and sys.stdin.isatty()):
        raise click.UsageError(f'give a query, e.g. effdsl sql "{EXAMPLE}"')
    content = sys.stdin.buffer.read()
    for encoding in ("utf-8-sig", sys.stdin.encoding):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise click.UsageError("standard input is not text in UTF-8; convert it, e.g. with iconv -t utf-8")


def _existing(store_path: Path | None) -> Store:
    from effdsl_registry.store import Store

    found = Store.find(store_path)
    if not found.root.is_dir():
        raise StoreError(f"there is no store at {found.root}; `effdsl execute STUDY` makes one")
    return found


def _say_when_empty(store: Store) -> None:
    if not store.index.exists():
        click.echo(f"{store.root} holds nothing measured yet; `effdsl execute STUDY` fills it", err=True)


def _print(rows: Rows, as_json: bool, as_csv: bool) -> None:
    from effdsl_registry import rows as form

    if as_json:
        click.echo(form.as_json(rows), nl=False)
    elif as_csv:
        click.echo(form.as_csv(rows), nl=False)
    elif sys.stdout.isatty():
        from rich.console import Console

        from effdsl_registry.terminal import print_rows

        print_rows(rows, Console(highlight=False))
    else:
        click.echo(form.as_text(rows), nl=False)
