"""What there is of an environment, and whether it can be used: asked for each plan, so nothing is started."""

from __future__ import annotations

import json
from pathlib import Path

import attrs

from effdsl_runtime.environments.places import environments_folder, folder_of, python_of
from effdsl_runtime.environments.version_lists import KINDS, NAMES, VERSION_LISTS

MADE = "environment.json"
"""In the folder of an environment: how it was made."""


@attrs.frozen
class Made:
    """How an environment was made.

    Attributes:
        kind: of the machine that it is for.
        pins: the digest of its list.
        python: its version.
        bytes: that it takes on disk.
    """

    kind: str
    pins: str
    python: str
    bytes: int

    def write(self, folder: Path) -> None:
        (folder / MADE).write_text(json.dumps(attrs.asdict(self), indent=1) + "\n", encoding="utf-8")


def made_as(environment: str) -> Made | None:
    """How ``environment`` was made; ``None`` where effdsl did not make it, or not to the end."""
    try:
        return Made(**json.loads((folder_of(environment) / MADE).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def there() -> list[str]:
    """The environments that there are, by name."""
    try:
        found = list(environments_folder().iterdir())
    except OSError:
        return []
    return sorted(path.name for path in found if path.is_dir() and not path.name.startswith("."))


def why_unusable(environment: str, kind: str) -> str:
    """Why ``environment`` cannot be used on a machine of ``kind``, with the next step; empty when it can, as
    far as that is seen without starting it."""
    if environment not in NAMES:
        python = python_of(environment)
        missing = f"needs the environment {environment}, and there is no {python}: make one there"
        return "" if python.exists() else missing
    create = f"effdsl env create {environment}"
    if not folder_of(environment).is_dir():
        return f"needs the environment {environment}: {create}"
    made = made_as(environment)
    if made is None or not python_of(environment).exists():
        return f"the environment {environment} is damaged: {create}"
    if made.kind != kind:
        return f"the environment {environment} is for {KINDS.get(made.kind, made.kind)}: {create}"
    if made.pins != VERSION_LISTS[environment, kind].digest:
        return f"the environment {environment} is of another version: {create}"
    return ""
