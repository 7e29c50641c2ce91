"""Techniques of a user's own: declared in a study file or beside it, they go all the way.

    @technique("sliding-window")
    class SlidingWindow(AttentionTechnique):
        window: int = identity(default=128)

        def module(self, shape, position):
            from my_model import SlidingWindowAttention
            return SlidingWindowAttention(self, shape, position)

The tag in the key carries the hash of the source, so that other code is another cell. What it costs and
no method says is counted on the built model, see :mod:`effdsl.counts`.
"""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar, cast, dataclass_transform

import attrs

from effdsl.counts import check_answers, fill_in
from effdsl.declare import TAGS, identity, language, register, transport, undeclared_fields
from effdsl.problems import Problem, StudyError, report
from effdsl.source import importing_from, roots_of, source_digest
from effdsl.techniques.backbone import BackboneTechnique
from effdsl.techniques.technique import Technique
from effdsl.whole import assemble_own

STUDY_MODULE = "study"  # what a study file is called while it runs
C = TypeVar("C", bound=type)


@attrs.frozen
class Source:
    """Where a technique of a user's own was declared: found again by a worker, never in a key."""

    file: Path
    module: str


@dataclass_transform(frozen_default=True, field_specifiers=(identity, transport))
def technique(tag: str) -> Callable[[C], C]:
    """Declare a technique of one's own, known in keys and results as ``tag`` and its source.

    Raises:
        StudyError: where the class is no technique, or its source cannot be read.
    """
    file = Path(sys._getframe(1).f_code.co_filename).resolve()

    def decorate(cls: C) -> C:
        if not (issubclass(cls, Technique) and tag):
            hint = "e.g. @technique('my-attention') class MyAttention(AttentionTechnique)"
            report(Problem(f"@technique({tag!r}) on {cls.__name__}: no technique with a name", hint))
            return cls
        try:
            digest = source_digest(file, cls.__name__)
        except (OSError, SyntaxError, UnicodeDecodeError) as error:
            report(Problem(f"{cls.__name__}: its source cannot be read: {error}", "declare it in a file"))
            return cls
        check_answers(cls, lambda error, what: StudyError([_placed(cls, file, error, what)]))
        fill_in(cls)
        if issubclass(cls, BackboneTechnique) and cls.assemble is BackboneTechnique.assemble:
            setattr(cls, "assemble", assemble_own)  # noqa: B010  mypy takes no assignment to a method
        built = cast(Any, register(f"{tag}@{digest}", language(cls)))
        for name in undeclared_fields(built):
            hint = f"write {name}: int = identity(default=...); a field is part of the key"
            report(Problem(f"{cls.__name__}: the field {name} is declared without identity()", hint))
        built.__own__ = Source(file, cls.__module__)
        built.__reduce__ = _reduced
        return cast(C, built)

    return decorate


def _placed(cls: type, file: Path, error: BaseException, what: str) -> Problem:
    """A mistake in what a technique answers, at the innermost line of its file."""
    lines = [f.lineno or 0 for f in traceback.extract_tb(error.__traceback__) if f.filename == str(file)]
    message = f"{cls.__name__}.{what} fails: {type(error).__name__}: {error}"
    line = lines[-1] if lines else inspect.unwrap(getattr(cls, what)).__code__.co_firstlineno
    return Problem(message, f"leave {what} out, and it is counted", str(file), line)


def source_of(value: object) -> Source | None:
    """Where the technique ``value`` was declared; ``None`` for one of effdsl's own."""
    return getattr(type(value), "__own__", None)


def own_parts(value: Any) -> Iterator[Any]:
    """The techniques of a user's own in a declared ``value``, itself among them."""
    if source_of(value) is not None:
        yield value
    if attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            yield from own_parts(getattr(value, field.name))


def changed_since(value: Any) -> str:
    """Which file has changed since a technique in ``value`` was declared in it; empty where none has."""
    for part in own_parts(value):
        source, cls = part.__own__, type(part)
        try:
            same = cls.__tag__.endswith(f"@{source_digest(source.file, cls.__name__)}")
        except (OSError, SyntaxError):
            same = False
        if not same:
            return f"{source.file} has changed since the study was planned; plan it again"
    return ""


def importable(source: Source) -> AbstractContextManager[None]:
    """Inside the block a technique's code may import what lies beside it."""
    package = source.module.count(".") if source.module != STUDY_MODULE else 0
    return importing_from((source.file.parents[package], *roots_of(source.file)))


def _reduced(self: Any) -> tuple[Any, ...]:
    """Pickled as where it was declared and what its fields hold: the worker has no module ``study``."""
    values = {field.name: getattr(self, field.name) for field in attrs.fields(type(self))}
    return restored, (source_of(self), self.__tag__, values)


def restored(source: Source, tag: str, values: dict[str, Any]) -> Any:
    """The technique that was pickled.

    Raises:
        LookupError: when its source has changed since.
    """
    if tag not in TAGS:
        _load(source)
    if tag not in TAGS:
        raise LookupError(f"{source.file} has changed since the study was planned; plan it again")
    value: Any = object.__new__(TAGS[tag])
    for name, held in values.items():
        object.__setattr__(value, name, held)
    return value


def _load(source: Source) -> None:
    if source.module == STUDY_MODULE:
        from effdsl.loading import load_study

        load_study(str(source.file))
        return
    with importable(source):
        import_module(source.module)
