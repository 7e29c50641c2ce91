"""The command ``effdsl env``: Pythons of their own for engines whose libraries exclude those of effdsl's."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from effdsl_registry.options import AS_JSON

from effdsl_runtime.environments.places import folder_of
from effdsl_runtime.environments.state import made_as, there, why_unusable
from effdsl_runtime.environments.version_lists import NAMES, VERSION_LISTS

PLAIN_EVERY_S = 5.0
GB = 1e9


@click.group()
def env() -> None:
    """Make, list, check and remove the environments of engines.

    vLLM and others pin a torch of their own, so each has a Python of its own, in
    $EFFDSL_ENVIRONMENTS, else effdsl/environments in $XDG_DATA_HOME or ~/.local/share.

    \b
    effdsl env create vllm    3.5 GB, some minutes
    effdsl env ls
    """


@env.command()
@click.argument("name")
def create(name: str) -> None:
    """Make the environment NAME from the list of versions that effdsl has for this machine.

    It takes the place of one that is outdated or damaged, once it is whole. What is there and right
    is left alone.
    """
    from effdsl_runtime.environments.checking import what_is_wrong
    from effdsl_runtime.environments.making import CannotMakeError
    from effdsl_runtime.environments.making import create as make

    _known(name, NAMES, "environment")
    kind = _kind()
    with _reporting() as report:
        if not what_is_wrong(name, kind, report):
            click.echo(f"{folder_of(name)} is there, and as it should be")
            return
        try:
            place = make(VERSION_LISTS[name, kind], report)
        except CannotMakeError as error:
            raise click.ClickException(str(error)) from error
        wrong = what_is_wrong(name, kind, report)
    if wrong:
        raise click.ClickException(wrong)
    click.echo(f"{place}: {len(VERSION_LISTS[name, kind].pins)} packages as listed, {_size(name)}")


@env.command()
@AS_JSON
def ls(as_json: bool) -> None:
    """List the environments, those that can be made among them."""
    kind = _kind()
    rows = [_row(name, kind) for name in dict.fromkeys((*NAMES, *there()))]
    if as_json:
        document = {"schema": "effdsl/environments", "version": 1, "environments": rows}
        click.echo(json.dumps(document, indent=2))
        return
    for row in rows:
        facts = (row["python"] and f"Python {row['python']}", row["bytes"] and f"{row['bytes'] / GB:.1f} GB")
        click.echo("  ".join([row["name"], row["problem"] or "ready", *filter(None, facts), row["folder"]]))


@env.command()
@click.argument("name", required=False)
def check(name: str | None) -> None:
    """Start the environment NAME, or every one, and say what is wrong with it; exit code 1 if anything is."""
    from effdsl_runtime.environments.checking import what_is_wrong

    if name is not None:
        _known(name, (*NAMES, *there()), "environment")
    names = [name] if name else there()
    if not names:
        click.echo("there are none; `effdsl env create NAME` makes one of " + ", ".join(NAMES))
    bad = 0
    for one in names:
        with _reporting() as report:
            wrong = what_is_wrong(one, _kind(), report)
        bad += bool(wrong)
        click.echo(wrong or f"{one}: as it should be")
    sys.exit(1 if bad else 0)


@env.command()
@click.argument("name")
def rm(name: str) -> None:
    """Remove the environment NAME. Results that were measured in it stay."""
    from effdsl_runtime.environments.making import CannotMakeError, remove

    _known(name, there(), "environment")
    size = _size(name)
    try:
        remove(name)
    except CannotMakeError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"removed {folder_of(name)}" + (f", {size}" if size else ""))


def _row(name: str, kind: str) -> dict[str, Any]:
    made = made_as(name)
    return {
        "name": name,
        "folder": str(folder_of(name)),
        "problem": why_unusable(name, kind),
        "kind": made.kind if made else None,
        "python": made.python if made else None,
        "bytes": made.bytes if made else None,
    }


def _size(name: str) -> str:
    made = made_as(name)
    return f"{made.bytes / GB:.1f} GB" if made else ""


def _known(name: str, known: Sequence[str], what: str) -> None:
    if name not in known:
        from effdsl.problems import nearest

        there_are = f"there are {', '.join(known)}" if known else "there are none"
        raise click.UsageError(f"no {what} {name!r}; {nearest(name, known)}{there_are}")


def _kind() -> str:
    from effdsl_runtime.machine import detect

    return detect().kind


@contextmanager
def _reporting() -> Iterator[Callable[[str], None]]:
    """Shows what goes on: one line that changes on a terminal, else a line every few seconds."""
    if sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status("") as status:
            yield lambda text: status.update(text.replace("[", r"\["))
        return
    last = 0.0

    def say(text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= PLAIN_EVERY_S:
            last = time.monotonic()
            click.echo(text, err=True)

    yield say
