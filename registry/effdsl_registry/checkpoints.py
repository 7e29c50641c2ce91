"""What tasks leave beside their records: weights and whatever belongs to them, as folders of files.

A folder stands under its task's key, whole or not at all; the record has the SHA-256 of every file.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from effdsl_registry.errors import StoreError
from effdsl_registry.files import TEMPORARY, make_folder, sync

CHUNK = 1 << 20
KEY = re.compile("[0-9a-f]{64}")
ADAPTER_CONFIG, BASE = "adapter_config.json", "base_model_name_or_path"
"""What peft writes beside an adapter, and its word for the base that it belongs to."""


@attrs.frozen
class Checkpoints:
    """The folder of all of them. Nothing is made before something is kept."""

    folder: Path

    def of(self, key: str) -> Path:
        """Where the files of the task ``key`` are, if it left any and nobody has removed them."""
        return self.folder / key

    def unfinished(self, key: str, attempt: str) -> Path:
        """Where an attempt puts its files before they are whole."""
        return self.folder / f".{key}.{attempt}{TEMPORARY}"

    def keep(self, key: str, attempt: str) -> None:
        """Flush the files of an attempt to disk and move them to their place, in which those of an earlier
        attempt may be."""
        made, place = self.unfinished(key, attempt), self.of(key)
        for path in (*files_in(made), made):
            sync(path)
        older = self.unfinished(key, "older")
        shutil.rmtree(older, ignore_errors=True)  # of a process that was killed just here
        if place.exists():
            place.rename(older)
        made.rename(place)
        sync(self.folder)
        shutil.rmtree(older, ignore_errors=True)

    def kept(self) -> list[Path]:
        """The folders that are whole, in the order of their keys."""
        return sorted(path for path in self.folder.glob("*") if not path.name.startswith("."))

    def left_unfinished(self) -> list[Path]:
        """The folders of attempts that did not come to their end, or have not yet."""
        return sorted(self.folder.glob(f".*{TEMPORARY}"))

    def check_out(self, key: str, files: Mapping[str, str], target: Path) -> None:
        """Copy the files of ``key`` to the new folder ``target``, checked.

        Raises:
            StoreError: when they are gone or damaged, or ``target`` exists.
        """
        if target.exists():
            raise StoreError(f"{target} exists already; give the name of a new folder")
        if not self.of(key).is_dir():
            raise StoreError(
                f"the files of {key[:10]} were removed; `effdsl execute STUDY --retry ok` makes them again"
            )
        for path, what in self.damage(key, files):
            raise StoreError(f"{path}: {what}; run its study again with `effdsl execute STUDY --retry ok`")
        partial = target.with_name(f".{target.name}{TEMPORARY}")
        shutil.rmtree(partial, ignore_errors=True)
        make_folder(partial.parent)
        shutil.copytree(self.of(key), partial)
        self._say_where_the_base_is(partial)
        partial.rename(target)

    def _say_where_the_base_is(self, folder: Path) -> None:
        """Have the adapter in ``folder`` name the folder of the task that it was trained on, by whose key it
        knows it, as it is on this machine: a store may have been moved since."""
        config = adapter_config(folder)
        key = str(config.get("revision", ""))
        if KEY.fullmatch(key) and self.of(key).is_dir():
            config |= {BASE: str(self.of(key).resolve())}
            (folder / ADAPTER_CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")

    def damage(self, key: str, files: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
        """Which of the ``files`` of ``key`` are not what its record says; none where all were removed."""
        folder = self.of(key)
        if not folder.is_dir():
            return
        for name, digest in files.items():
            path = folder / name
            if not path.is_file():
                yield path, "is gone"
            elif sha256_of(path) != digest:
                yield path, "is not the file that was written"


def adapter_config(folder: Path) -> dict[str, Any]:
    """What the adapter in ``folder`` says of itself; nothing where there is none."""
    file = folder / ADAPTER_CONFIG
    if not file.is_file():
        return {}
    said: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return said


def files_in(folder: Path) -> list[Path]:
    """Every file below ``folder``, in the order of their names."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def hashes_in(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below ``folder``, by its path from there."""
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in files_in(folder)}


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
