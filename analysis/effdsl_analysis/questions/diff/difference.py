"""What differs between two results: what was asked, where it ran and what came out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from effdsl.key import short
from effdsl.metrics import METRICS, Better, Metric
from effdsl_analysis.answer import Answer
from effdsl_analysis.naming import quantity
from effdsl_analysis.queries import store_of
from effdsl_analysis.relations import AnswerTable, types_of

if TYPE_CHECKING:
    from pathlib import Path

    from effdsl_registry.records import Record
    from effdsl_registry.store import Store

PARTS = ("outcome", "identity", "provenance", "metrics")
ABSENT = "–"
SAME = 1e-12


@attrs.frozen
class Change:
    """One thing that differs.

    Attributes:
        part: ``outcome``, ``identity``, ``provenance`` or ``metrics``.
        name: a column, or the path of a field of the task.
        a, b: the two values in words; a dash where there is none.
        verdict: of metrics: by how much b is better or worse than a.
        relative: of metrics: (b - a) / |a|; ``None`` where a is zero or a value is missing.
    """

    part: str
    name: str
    a: str
    b: str
    verdict: str = ""
    relative: float | None = None


@attrs.frozen
class Difference(Answer):
    """What differs between two results, and only that.

    Attributes:
        keys: the two keys, 64 hexadecimal digits each.
        changes: in the order of :data:`PARTS`.
    """

    keys: tuple[str, str]
    changes: tuple[Change, ...]

    @property
    def names(self) -> tuple[str, str]:
        """The two keys as people are shown them."""
        return short(self.keys[0]), short(self.keys[1])

    @property
    def parts(self) -> list[str]:
        """The parts in which something differs."""
        return [part for part in PARTS if self.of(part)]

    def of(self, part: str) -> list[Change]:
        """The changes of one part."""
        return [change for change in self.changes if change.part == part]

    def to_json(self) -> dict[str, Any]:
        """A document of plain values."""
        return {
            "schema": "effdsl/difference",
            "version": 1,
            "a": self.keys[0],
            "b": self.keys[1],
            "equal": not self.changes,
            "changes": [attrs.asdict(change) for change in self.changes],
        }

    def to_rows(self) -> AnswerTable:
        """One row per change."""
        return AnswerTable.of(map(attrs.asdict, self.changes), types_of(Change))


def diff(store: Store | str | Path, a: str, b: str) -> Difference:
    """What differs between the latest results at two keys, each given by enough of its first digits.

    Args:
        store: a store, or its folder.
        a, b: the keys.

    Raises:
        UnknownKey: when no result, or more than one, starts with the digits given.
    """
    found = store_of(store)
    return compare(found.record(a), found.record(b))


def compare(a: Record, b: Record) -> Difference:
    """What differs between two records."""
    changes = [
        *_named("outcome", _outcome(a), _outcome(b)),
        *_identity(a, b),
        *_named("provenance", _leaves(attrs.asdict(a.provenance)), _leaves(attrs.asdict(b.provenance))),
        *_metrics(a, b),
    ]
    return Difference((a.key, b.key), tuple(changes))


def _outcome(record: Record) -> dict[str, str]:
    return {"outcome": record.outcome, "reason": record.reason}


def _identity(a: Record, b: Record) -> Iterator[Change]:
    """The columns that people know, then every field of the task that they do not already name."""
    columns_a, columns_b = map(_columns, (a, b))
    yield from _named("identity", columns_a, columns_b)
    fields_a, fields_b = _fields(a.canonical), _fields(b.canonical)
    shown = {name for name in columns_a if columns_a[name] != columns_b[name]}
    for change in _named("identity", fields_a, fields_b):
        if change.name.rpartition(".")[2] not in shown:
            yield change


def _columns(record: Record) -> dict[str, Any]:
    """What was asked, each of what a stage names beside what every stage has."""
    asked = record.identity
    kept = ("choices", "setting", "details")
    columns = attrs.asdict(asked, filter=lambda field, _: field.name not in kept)
    columns |= {axis: has.label for axis, has in asked.choices.items()}
    return {**columns, **asked.setting, **asked.details, "evidence": record.evidence}


def _fields(canonical: str) -> dict[str, Any]:
    """Paths of the task's fields to their values; the cell, which holds nearly all, is not named."""
    leaves = _leaves(json.loads(canonical))
    return {path.removesuffix(".$").removeprefix("cell."): value for path, value in leaves.items()}


def _leaves(tree: Any, path: str = "") -> dict[str, Any]:
    """``{"a": {"b": 1}}`` as ``{"a.b": 1}``."""
    if isinstance(tree, Mapping):
        branches = [(str(name), value) for name, value in tree.items()]
    elif isinstance(tree, (list, tuple)):
        branches = [(str(place), value) for place, value in enumerate(tree)]
    else:
        return {path: tree}
    found: dict[str, Any] = {}
    for name, value in branches:
        found |= _leaves(value, f"{path}.{name}" if path else name)
    return found


def _named(part: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys((*a, *b)):
        if a.get(name) != b.get(name):
            yield Change(part, name, _in_words(a.get(name)), _in_words(b.get(name)))


def _metrics(a: Record, b: Record) -> Iterator[Change]:
    for metric in METRICS:
        x, y = a.metrics.get(metric.name), b.metrics.get(metric.name)
        if x is not None and y is not None:
            if abs(y - x) > SAME * max(abs(x), abs(y)):
                relative = (y - x) / abs(x) if x else None
                verdict = _verdict(metric, y - x, relative)
                yield Change("metrics", quantity(metric), f"{x:.6g}", f"{y:.6g}", verdict, relative)
        elif (x, _why(a, metric)) != (y, _why(b, metric)):
            yield Change("metrics", quantity(metric), _or_why(x, a, metric), _or_why(y, b, metric))


def _verdict(metric: Metric, change: float, relative: float | None) -> str:
    word = "better" if (change < 0) == (metric.better is Better.LOWER) else "worse"
    return word if relative is None else f"{relative:+.2%} ({word})"


def _why(record: Record, metric: Metric) -> str:
    return record.missing.get(metric.name, "")


def _or_why(value: float | None, record: Record, metric: Metric) -> str:
    if value is not None:
        return f"{value:.6g}"
    reason = _why(record, metric)
    return f"{ABSENT} ({reason})" if reason else ABSENT


def _in_words(value: Any) -> str:
    return ABSENT if value in (None, "") else str(value)
