"""How a class of the study language is declared: frozen attrs classes whose fields know the key.

Every field is either :func:`identity` (a different value is a different task, so it is in the key) or
:func:`transport` (how to run it, what to call it: never in the key). A class that may be part of a key
carries a registered tag, so that renaming the Python class leaves every key as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, cast, dataclass_transform

import attrs

from effdsl.problems import Problem, active_collector, is_broken, nearest, report, spelled
from effdsl.units import plain

ROLE = "effdsl.role"
ALWAYS_WRITTEN: Any = object()

C = TypeVar("C", bound=type)
V = TypeVar("V")


@attrs.frozen
class Role:
    """What a field means to the key.

    ``absent`` is the pinned value at which a field added later is left out of the canonical form, so
    that keys from before the field existed stay valid. It is never "today's default".
    """

    in_key: bool
    since: int = 1
    absent: Any = ALWAYS_WRITTEN


def identity(*, since: int = 1, absent: Any = ALWAYS_WRITTEN, **field: Any) -> Any:
    """A field that is part of the key; ``since`` and ``absent`` for fields added after the first release."""
    return attrs.field(metadata={ROLE: Role(True, since, absent)}, **field)


def transport(**field: Any) -> Any:
    """A field that never enters the key: how to run, where to put, what to call."""
    return attrs.field(metadata={ROLE: Role(False)}, **field)


def undeclared_fields(cls: type) -> list[str]:
    """Fields that are neither :func:`identity` nor :func:`transport`."""
    return [field.name for field in attrs.fields(cls) if ROLE not in field.metadata]


TAGS: dict[str, type] = {}


@dataclass_transform(frozen_default=True, field_specifiers=(identity, transport))
def keyed(tag: str) -> Callable[[C], C]:
    """Declare a frozen class that may be part of a key, known there as ``tag``."""

    def decorate(cls: C) -> C:
        built: Any = language(cls)
        if tag in TAGS:
            raise TypeError(f"tag {tag!r} is taken by {TAGS[tag].__qualname__}")
        return cast(C, register(tag, built))

    return decorate


def register(tag: str, built: Any) -> Any:
    """Know a class of the :func:`language` in keys as ``tag``."""
    TAGS[tag] = built
    built.__tag__ = tag
    built.__eq__ = _refusing_classes(built.__eq__)
    return built


@dataclass_transform(frozen_default=True, field_specifiers=(identity, transport))
def language(cls: C) -> C:
    """Declare a frozen class whose constructor reports every mistake with its place in the study."""
    built: Any = attrs.frozen(cls, repr=False)
    plain_init = built.__init__
    names = [f.name for f in attrs.fields(built) if f.init]

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        problems = []
        if type(self) is not built:
            problems.append(_undeclared(type(self), built))
        for word in [k for k in kwargs if k not in names]:
            value = kwargs.pop(word)
            problems.append(
                Problem(
                    f"{built.__name__}({word}={spelled(value)}): unknown keyword {word!r}",
                    f"{nearest(word, names)}allowed: {', '.join(names) or 'none'}",
                )
            )
        given = dict(zip(names, args, strict=False)) | kwargs
        if len(args) > len(names):
            problems.append(Problem(f"{built.__name__} takes at most {len(names)} values, got {len(args)}"))
        problems += _initialise(self, plain_init, {name: plain(value) for name, value in given.items()})
        if problems:
            report(*problems)
        collector = active_collector()
        if collector is not None:
            collector.declared(self)

    built.__init__ = __init__
    built.__repr__ = _repr
    return cast(C, built)


def _undeclared(cls: type, declared: type) -> Problem:
    """A subclass would pass for its base: it has the same name in the key, and other code runs for it."""
    return Problem(
        f"{cls.__name__} is a subclass of {declared.__name__}: its results would pass for those of "
        f"{declared.__name__}",
        f"use {declared.__name__}(...) itself",
    )


def _refusing_classes(plain: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Equality that refuses a class: ``cell.attention == MQA`` is never true, and never what was meant."""

    def __eq__(self: Any, other: Any) -> Any:
        if isinstance(other, type) and "__tag__" in vars(other):
            name = other.__name__
            raise TypeError(
                f"a technique never equals a class: cell.uses({name}) is any {name}, "
                f"== {name}() the one with its defaults"
            )
        return plain(self, other)

    return __eq__


def _repr(self: Any) -> str:
    """As it would be declared: what is left at its default is left out."""
    fields = [field for field in attrs.fields(type(self)) if field.init]
    given = [f"{f.name}={getattr(self, f.name)!r}" for f in fields if getattr(self, f.name) != _default(f)]
    return f"{type(self).__name__}({', '.join(given)})"


def default_of(cls: Any, name: str) -> Any:
    """What the field ``name`` of a declared class is where nobody gives it."""
    return _default(getattr(attrs.fields(cls), name))


def _default(field: Any) -> Any:
    """The value of a field that nobody gives, converted as an instance holds it."""
    value = _unconverted_default(field)
    return field.converter(value) if callable(field.converter) and value is not attrs.NOTHING else value


def _unconverted_default(field: Any) -> Any:
    factory = getattr(field.default, "factory", None)
    return factory() if factory is not None else field.default


class Invalid(ValueError):
    """Raised by a validator or converter: the value of one field is not allowed."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def _initialise(self: Any, plain_init: Callable[..., None], given: dict[str, Any]) -> list[Problem]:
    """Initialise field by field where the whole fails, so that every bad field is named."""
    cls = type(self)
    try:
        plain_init(self, **given)
        return []
    except (Invalid, TypeError) as error:
        whole: Problem | None = Problem(f"{cls.__name__}: {error}", getattr(error, "hint", ""))
    problems: list[Problem] = []
    for field in attrs.fields(cls):
        if not field.init:
            continue
        if is_broken(given.get(field.name)):
            object.__setattr__(self, field.name, given[field.name])
            whole = None
            continue
        value = given[field.name] if field.name in given else _unconverted_default(field)
        if value is attrs.NOTHING:
            problems.append(Problem(f"{cls.__name__}: {field.name}= is missing"))
            value = None
        else:
            try:
                value = field.converter(value) if callable(field.converter) else value
                if field.validator is not None:
                    field.validator(self, field, value)
            except (Invalid, TypeError) as error:
                shown = f"{cls.__name__}({field.name}={spelled(given.get(field.name))})"
                problems.append(Problem(f"{shown}: {error}", getattr(error, "hint", "")))
        object.__setattr__(self, field.name, value)
    if not problems and whole is not None:  # each field is right, their combination is not
        return [whole]
    return problems


class HasTag:
    """Typing aid for classes decorated with :func:`keyed`."""

    __tag__: ClassVar[str]


def values_of(value: Any) -> dict[str, Any]:
    """The fields of a declared ``value`` by name."""
    return {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}


def evolve(value: V, **changes: Any) -> V:
    """A copy of a declared ``value`` with some fields changed."""
    changed: V = attrs.evolve(cast(Any, value), **changes)  # an attrs class, which mypy cannot see
    return changed
