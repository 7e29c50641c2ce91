"""A name means one thing in the project: a reader who knows it need not ask which."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = [
    ROOT / "effdsl", *(ROOT / room / f"effdsl_{room}" for room in ("registry", "runtime", "analysis"))
]  # fmt: skip
BUILDING = tuple(Path("runtime/effdsl_runtime") / folder for folder in ("model", "quantizing", "stages"))
"""A module there may be called as the one of the language that declares what it builds."""
COMMANDS = Path("analysis/effdsl_analysis/commands")
"""A module there is called as its command."""


def modules() -> Iterator[Path]:
    """Every module, from the project's folder."""
    for package in PACKAGES:
        for path in package.rglob("*.py"):
            if not path.name.startswith("__"):
                yield path.relative_to(ROOT)


def test_a_module_is_called_as_no_other_but_the_one_that_it_builds() -> None:
    found: dict[str, list[Path]] = defaultdict(list)
    for path in modules():
        if COMMANDS not in path.parents and not any(folder in path.parents for folder in BUILDING):
            found[path.name].append(path)
    assert {name: paths for name, paths in found.items() if len(paths) > 1} == {}
    built = [path for path in modules() if any(folder in path.parents for folder in BUILDING)]
    declared = {name for name, (path,) in found.items() if path.parts[0] == "effdsl"}
    assert len({path.name for path in built}) == len(built)
    assert {path.name for path in built} & (found.keys() - declared) == set()


def test_a_class_is_called_as_no_other() -> None:
    found: dict[str, list[str]] = defaultdict(list)
    for path in modules():
        for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                found[node.name].append(str(path))
    assert {name: paths for name, paths in found.items() if len(paths) > 1} == {}
