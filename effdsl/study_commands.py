"""The commands that need nothing but the language: ``new`` and ``ls``."""

from __future__ import annotations

import ast
import json
import shlex
import sys
from keyword import iskeyword
from pathlib import Path

import click

import effdsl
from effdsl.loading import declared_study, name_of, study_files, unreadable_files, written
from effdsl.source import STUDIES

TEMPLATES = Path(__file__).parent / "templates"
STAGES = sorted(file.name.removesuffix(".py.txt") for file in (TEMPLATES / "stages").glob("*.py.txt"))
USUAL_STAGE = "pretraining"
ATTENTION_TEMPLATE = TEMPLATES / "attention.py.txt"


@click.command()
@click.argument("name")
@click.option(
    "--stage", type=click.Choice(STAGES), default=USUAL_STAGE, show_default=True, help="What it is about."
)
@click.option(
    "--technique", type=click.Choice(["attention"]), help="With a technique of your own to start from."
)
def new(name: str, stage: str, technique: str | None) -> None:
    """Write a short study file called NAME, which plans and runs as it is.

    It goes to studies/NAME.py where there is a folder studies/, else to NAME.py.
    """
    stem = name.removesuffix(".py")
    folder = Path(STUDIES) if Path(STUDIES).is_dir() and not stem.startswith(STUDIES + "/") else Path()
    path = folder / f"{stem}.py"
    if not all(part.isidentifier() and not iskeyword(part) for part in Path(stem).parts):
        raise click.UsageError(f"{name!r}: use letters, digits and _, and no word of Python's own")
    if technique and stage != USUAL_STAGE:
        raise click.UsageError(f"--technique is for --stage {USUAL_STAGE}; leave one of them out")
    taken = class_named(stem)
    if technique and (not taken.isidentifier() or taken in effdsl.__all__):
        called = f"{taken}, as one of effdsl's own" if taken.isidentifier() else "nothing"
        raise click.UsageError(f"{name!r}: its class would be called {called}; e.g. my_attention is free")
    if path.exists():
        raise click.UsageError(f"{path} exists; choose another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_text(stem, stage, technique), encoding="utf-8")
    checked = f"  effdsl check {path}\n" if technique else ""
    click.echo(f"Wrote {path}\n\n{checked}  effdsl plan {path}\n  effdsl execute {path}")


def _text(stem: str, stage: str, technique: str | None) -> str:
    """What the file called ``stem`` starts with."""
    if technique is None:
        text = (TEMPLATES / "stages" / f"{stage}.py.txt").read_text(encoding="utf-8")
        return text.replace("{title}", stem)
    tag = "-".join(Path(stem).name.split("_")).lower()
    text = ATTENTION_TEMPLATE.read_text(encoding="utf-8")
    return text.replace("MyAttention", class_named(stem)).replace("my-attention", tag)


def class_named(stem: str) -> str:
    """What a technique in the file called ``stem`` is called: ``my_attention`` has ``MyAttention``."""
    return "".join(word[:1].upper() + word[1:] for word in Path(stem).name.split("_"))


@click.command()
@click.argument("folder", default=STUDIES, type=click.Path(path_type=Path, file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def ls(folder: Path, as_json: bool) -> None:
    """List the studies under FOLDER (default studies/, else here), read but not run."""
    if not folder.is_dir() and folder != Path(STUDIES):
        raise click.UsageError(f"there is no folder {folder}")
    files = study_files(folder)
    if not files and folder == Path(STUDIES):  # `effdsl new` writes here where there is no such folder
        files = [path for path in sorted(Path().glob("*.py")) if declared_study(path) is not None]
    rows = [
        {
            "name": name_of(path),
            "file": str(path),
            "about": _about(path),
            "axis": written(path, "axis"),
        }
        for path in files
    ]
    for path in unreadable_files(folder):
        click.echo(f"{path} is not Python; `effdsl plan {shlex.quote(str(path))}` says why", err=True)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        click.echo(f"No studies under {folder}/. `effdsl new my_study` writes one.")
        return
    if not sys.stdout.isatty():
        for row in rows:
            click.echo(f"{row['name']}\t{row['axis']}\t{row['about']}")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("study", "axis", "about", box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(row["name"], row["axis"], row["about"])
    Console().print(table)


def _about(path: Path) -> str:
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8-sig"))) or ""
    return doc.split("\n\n")[0].replace("\n", " ")
