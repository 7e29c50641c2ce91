"""Which tasks lm-evaluation-harness brings, and what its task files say, without importing it: that takes
seconds, and its own index as many again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from effdsl.declare import Invalid
from effdsl.installing import how_to_install

MODULE, DISTRIBUTION = "lm_eval", "lm_eval"
NAMED = re.compile(r"""^["']?(?:task|group)["']?:[ \t]*["']?([^\s"'#\[]+)""", re.MULTILINE)
TAGGED = re.compile(r"""^["']?tag["']?:[ \t]*(\S.*)?((?:\n[ \t]*- .*)*)""", re.MULTILINE)
MEMBER = re.compile(
    r"""^[ \t]*(?:-[ \t]+(?:(?:task|group):[ \t]*)?|(?:task|group):[ \t]*)["']?([^\s"':#\[]+)""", re.MULTILINE
)
WORD = re.compile(r"[^\s\"',\[\]-][^\s\"',\[\]]*")


@cache
def installed_version() -> str:
    """Of lm-evaluation-harness; empty where it is not installed."""
    try:
        return version(DISTRIBUTION) if find_spec(MODULE) else ""
    except PackageNotFoundError:
        return ""


@cache
def tasks_brought() -> Mapping[str, str]:
    """Every task, group and tag that the installed version brings, with its folder among the tasks' folders;
    where several have a name, the first. Nothing where it is not installed."""
    found: dict[str, str] = {}
    for folder, text in _task_files():
        for name in (*NAMED.findall(text), *_tags(text)):
            found.setdefault(name, folder)
    return found


def tasks_folder() -> Path:
    """Where the installed version keeps its tasks."""
    spec = find_spec(MODULE)
    if spec is None or spec.origin is None:
        raise Invalid(f"{MODULE} is not installed", how_to_install(MODULE))
    return Path(spec.origin).parent / "tasks"


def folders_of(names: Iterable[str]) -> list[Path]:
    """The folders with the tasks of these names, and those of the tasks that groups in them are made of.

    Its own index of all folders takes ten times as long as an evaluation of a small model.
    """
    brought, texts = tasks_brought(), _texts()
    wanted = {brought[name] for name in names if name in brought}
    seen: set[str] = set()
    while new := wanted - seen:
        seen |= new
        members = {name for folder in new for text in texts[folder] for name in MEMBER.findall(text)}
        own = {name for folder in new for text in texts[folder] for name in NAMED.findall(text)}
        wanted |= {brought[name] for name in members - own if name in brought}
    return [tasks_folder() / folder for folder in sorted(wanted)]


@cache
def _texts() -> Mapping[str, Sequence[str]]:
    """The texts of the task files of each folder."""
    found: dict[str, list[str]] = {}
    for folder, text in _task_files():
        found.setdefault(folder, []).append(text)
    return found


@cache
def _task_files() -> Sequence[tuple[str, str]]:
    """Each task file that is brought, and what such files include: its folder, and its text. In the order of
    their paths."""
    if not installed_version():
        return ()
    root = str(tasks_folder())
    paths = sorted(
        os.path.join(place, name)
        for place, _, names in os.walk(root)
        for name in names
        if name.endswith("yaml") or "." not in name
    )
    return [(_first_part(path, root), _read(path)) for path in paths]


def _first_part(path: str, root: str) -> str:
    return path[len(root) + 1 :].partition(os.sep)[0]


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def _tags(text: str) -> Iterator[str]:
    for first, rest in TAGGED.findall(text):
        yield from WORD.findall(f"{first} {rest}")
