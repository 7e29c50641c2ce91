"""Counts what a technique of a user's own costs, once, on the meta device, and remembers it.

Torch is imported only where something is to be counted.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import attrs

from effdsl.counts import Counts
from effdsl.key import canonical_json
from effdsl.shapes import Shape
from effdsl_runtime.data.cached_text import cache_folder

FORMAT = 1  # of what is remembered; a new way to count has a new number


def counts_of(technique: Any, shape: Shape, context_length: int) -> Counts:
    """What one layer of ``technique``, resolved, costs; in all of the model for positions.

    Raises:
        StudyError: when it cannot be built or run, with the reason.
    """
    return _remembered(
        canonical_json(technique), canonical_json(shape), context_length, _Asked(technique, shape)
    )


@attrs.frozen
class _Asked:
    """What is asked; all of them are alike to the memory, which goes by the canonical forms."""

    technique: Any = attrs.field(eq=False)
    shape: Shape = attrs.field(eq=False)


@lru_cache(maxsize=4096)
def _remembered(technique: str, shape: str, context_length: int, asked: _Asked) -> Counts:
    name = hashlib.sha256(f"{FORMAT}\0{technique}\0{shape}\0{context_length}".encode()).hexdigest()
    path = cache_folder() / "counts" / f"{name[:32]}.json"
    with suppress(OSError, ValueError, TypeError):
        return Counts(**json.loads(path.read_text(encoding="utf-8")))
    from effdsl_runtime.model.measured import count

    found = count(asked.technique, asked.shape, context_length)
    with suppress(OSError):  # a count that cannot be kept is made again
        _write(path, json.dumps(attrs.asdict(found)))
    return found


def _write(path: Path, text: str) -> None:
    """Whole or not at all, whoever else counts the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(name, path)
