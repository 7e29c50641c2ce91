"""Code sets: the files of ours that results were measured with, written once for all that share them.

A set is content-addressed: ``code/<sha256>.json`` maps each module to the SHA-256 of its file, as JSON
with sorted keys and no spaces, and its name is the SHA-256 of that text. A record names its set.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

from effdsl_registry.errors import RecordDamaged
from effdsl_registry.files import write_whole


@attrs.frozen
class CodeSets:
    """The sets in the folder ``folder``."""

    folder: Path

    def file(self, name: str) -> Path:
        """Where the set of that name is."""
        return self.folder / f"{name}.json"

    def files(self) -> Iterator[Path]:
        """Every set, in no particular order."""
        return self.folder.glob("*.json")

    def keep(self, modules: Mapping[str, str]) -> str:
        """Write the set where it is not there yet; returns its name, for ``Provenance.code``."""
        content = json.dumps(modules, sort_keys=True, separators=(",", ":")).encode()
        name = hashlib.sha256(content).hexdigest()
        path = self.file(name)
        try:
            os.utime(path)  # young again: nobody collects it before the record that will name it is there
            whole = path.read_bytes() == content
        except FileNotFoundError:
            whole = False
        if not whole:
            write_whole(path, content)
        return name

    def read(self, name: str) -> dict[str, str]:
        """Module to the SHA-256 of its file.

        Raises:
            RecordDamaged: when it is not there or does not hash to its name; says which, not where.
        """
        try:
            content = self.file(name).read_bytes()
        except FileNotFoundError:
            raise RecordDamaged("is gone: the code set of a record") from None
        if hashlib.sha256(content).hexdigest() != name:
            raise RecordDamaged("its name is not the hash of its content")
        return {str(module): str(digest) for module, digest in json.loads(content).items()}
