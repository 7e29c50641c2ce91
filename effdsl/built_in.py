"""The built-in techniques, found by the files that declare them; nothing lists them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import TypeVar

from effdsl.declare import HasTag

TECHNIQUES = "effdsl.techniques"
T = TypeVar("T", bound=HasTag)


def modules_in(package: str) -> Iterator[ModuleType]:
    """The modules of ``package`` and of the packages in it, imported, in alphabetical order."""
    for found in sorted(iter_modules(import_module(package).__path__)):
        name = f"{package}.{found.name}"
        yield import_module(name)
        if found.ispkg:
            yield from modules_in(name)


def declared_in(package: str, kind: type[T]) -> dict[str, type[T]]:
    """The classes of ``kind`` that have a tag, by name, in the order of files and of lines."""
    return {
        cls.__name__: cls
        for module in modules_in(package)
        for cls in vars(module).values()
        if isinstance(cls, type)
        and issubclass(cls, kind)
        and cls.__module__ == module.__name__
        and "__tag__" in vars(cls)
    }


def built_in(kind: type[T]) -> tuple[type[T], ...]:
    """Every technique of ``kind`` that effdsl has, in the order of files and of lines."""
    return tuple(declared_in(TECHNIQUES, kind).values())
