"""The code that a result was measured with: its modules, by the SHA-256 of their files."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import effdsl
import effdsl_runtime

MEASURING = (
    "effdsl.shapes",
    "effdsl.techniques",
    "effdsl.training",
    "effdsl_runtime.data",
    "effdsl_runtime.engines",
    "effdsl_runtime.model",
    "effdsl_runtime.probes",
    "effdsl_runtime.recording.metric_values",
    "effdsl_runtime.stages",
)
"""The modules and packages whose change may change a result."""

FOLDERS = {"effdsl": Path(effdsl.__file__).parent, "effdsl_runtime": Path(effdsl_runtime.__file__).parent}


def loaded_code() -> dict[str, str]:
    """Of every measuring module that this process has loaded: what a task that ended here was run by."""
    loaded = [
        (name, Path(file))
        for name, module in sys.modules.items()
        if name.startswith(MEASURING) and (file := getattr(module, "__file__", None))
    ]
    return {name: _digest(path) for name, path in sorted(loaded)}


def installed_code() -> dict[str, str]:
    """Of every measuring module there is: what a task may have been run by whose process cannot say."""
    return {name: _digest(path) for measuring in MEASURING for name, path in sorted(_modules(measuring))}


def changed_files(recorded: Mapping[str, str]) -> tuple[str, ...]:
    """Modules whose file is no longer what it was when a result was measured."""
    return tuple(name for name, digest in recorded.items() if _current(name) != digest)


def _modules(measuring: str) -> Iterator[tuple[str, Path]]:
    path = _place(measuring)
    if not path.is_dir():
        yield measuring, path.with_suffix(".py")
    for file in path.rglob("*.py"):
        inner = file.relative_to(path).with_suffix("").parts
        yield ".".join((measuring, *(part for part in inner if part != "__init__"))), file


@cache
def _current(module: str) -> str:
    """Digest of a module's file now, found without importing it; empty when it is gone."""
    if module.partition(".")[0] not in FOLDERS:
        return ""
    path = _place(module)
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return _digest(file)
    return ""


def _place(module: str) -> Path:
    """Where a module or package is, without its suffix."""
    root, *inner = module.split(".")
    return FOLDERS[root].joinpath(*inner)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
