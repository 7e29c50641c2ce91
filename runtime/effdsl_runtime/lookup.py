"""The one question a plan asks of the store: which of these keys are known?"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from effdsl_registry.store import Store

from effdsl.costs import Calibration, Finished
from effdsl.declare import evolve
from effdsl.decode import CannotDecode, decoded
from effdsl.hardware import Hardware, catalogued
from effdsl.plan import History, Known
from effdsl.task import Address, Cell

MEASURING = (
    "effdsl.techniques.architecture",
    "effdsl.shapes",
    "effdsl.techniques",
    "effdsl.training",
    "effdsl_runtime.corpora",
    "effdsl_runtime.data",
    "effdsl_runtime.engines",
    "effdsl_runtime.metrics",
    "effdsl_runtime.model",
    "effdsl_runtime.probes",
)
"""The code whose change may change a result. Its digests are stored with every record."""


def code_digests() -> dict[str, str]:
    """Module to SHA-256 of its file, for every loaded module that may change a result."""
    loaded = [
        (name, Path(file))
        for name, module in sys.modules.items()
        if name.startswith(MEASURING) and (file := getattr(module, "__file__", None))
    ]
    return {name: _digest(path) for name, path in sorted(loaded)}


def changed_files(recorded: Mapping[str, str]) -> tuple[str, ...]:
    """Modules whose file is no longer what it was when a result was measured."""
    return tuple(name for name, digest in recorded.items() if _current(name) != digest)


def history_in(store: Store) -> Callable[[Sequence[Address]], History]:
    """Look addresses up in ``store``, in one go."""

    def look_up(addresses: Sequence[Address]) -> History:
        answer = store.known([a.key for a in addresses], [a.lineage for a in addresses])
        changed = {code: changed_files(files) for code, files in answer.code.items()}
        known = {
            key: Known(r.outcome, r.canonical, r.reason, changed.get(r.code, ()), r.duration_s)
            for key, r in answer.results.items()
        }
        return History(known, answer.engine_versions)

    return look_up


def calibration_in(store: Store, machine: Hardware) -> Calibration:
    """What the finished tasks of ``store`` say of predictions.

    A record knows the name of its hardware; its numbers are those of ``machine`` or of the catalog. What
    cannot be read any more is left out.
    """
    tasks = []
    for result in store.finished():
        with suppress(CannotDecode):
            cell: Cell = decoded(result.canonical).cell
            cell = evolve(cell, hardware=catalogued(cell.hardware, machine))
            memory = None if result.memory_gb is None else result.memory_gb * 1e9
            tasks.append(Finished(cell, result.duration_s, result.training_s, memory))
    return Calibration.from_tasks(tasks)


@cache
def _current(module: str) -> str:
    """Digest of a module's file now, found without importing it; empty when it is gone."""
    root, *inner = module.split(".")
    spec = find_spec(root)
    if spec is None or not spec.submodule_search_locations:
        return ""
    path = Path(spec.submodule_search_locations[0], *inner)
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return _digest(file)
    return ""


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
