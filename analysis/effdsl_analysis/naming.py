"""What people call a metric with its unit, a group of comparable cells, and a cell inside its group."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from effdsl.key import short
from effdsl.metrics import Metric

NAMES = {
    "stage": "stage",
    "hardware_count": "devices",
    "data_revision": "data revision",
    "context_length": "context",
    "batch_size": "batch",
    "engine_version": "engine version",
    "micro_batch_size": "micro-batch",
    "vocab_size": "vocabulary",
    "hidden_size": "width",
}
FOLLOWS = ("edge_of_sweep",)
"""Details that say nothing which another does not say already: nothing is called by them."""
BASE = "base"
"""The setting that says which weights were there at first. It is a hash: a scale says the same in words."""


def quantity(metric: Metric) -> str:
    """The metric's label with its unit, e.g. ``AL (s/iter)``; ``tokens/s`` says its own."""
    return metric.label if metric.unit in ("", metric.label) else f"{metric.label} ({metric.unit})"


@attrs.frozen
class ComparisonGroup:
    """Cells that may be compared: everything but the technique is the same.

    Attributes:
        comparison: stage, scale, hardware, data, budget, dtype and evidence that the cells share; the scale
            is ``None`` where they are compared across models.
        energy_scope: what the power meter saw, where the metric is an energy; else empty.
        title: scale and hardware, and what else tells this group from the others shown beside it.
    """

    comparison: Mapping[str, Any]
    energy_scope: str
    title: str

    @property
    def is_across_models(self) -> bool:
        """Whether its cells are of different models that exist."""
        return self.comparison["scale"] is None

    def as_dict(self) -> dict[str, Any]:
        return {**self.comparison, "meter_scope": self.energy_scope or None}


def known_counts(counts: Mapping[str, int] | None) -> Mapping[str, int]:
    """What is counted of examples; nothing of stages that have none, and where no result says so."""
    return counts or {}


def spread_out(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of which those that a stage declares are JSON, with each of theirs beside the others."""
    flat: dict[str, Any] = {}
    for name, value in columns.items():
        if name == "choices":
            flat |= {axis: has["label"] for axis, has in json.loads(value or "{}").items()}
        elif name in ("setting", "details"):
            flat |= json.loads(value or "{}")
        else:
            flat[name] = value
    return flat


def name_groups(found: Sequence[tuple[Mapping[str, Any], str | None]]) -> list[ComparisonGroup]:
    """One :class:`ComparisonGroup` for each (comparison, energy scope); titles say what differs."""
    comparisons = [spread_out(comparison) for comparison, _ in found]
    varying = _varying(comparisons)
    models = {(one["scale"], one.get(BASE)) for one in comparisons}
    if BASE in varying and len(models) == len({scale for scale, _ in models}):
        varying.remove(BASE)
    several_scopes = len({scope for _, scope in found if scope}) > 1
    groups = []
    for comparison, scope in zip(comparisons, (scope for _, scope in found), strict=True):
        parts = [_scale(comparison), _hardware(comparison)]
        parts += [
            f"{_named(name)} {_short(name, comparison.get(name))}"
            for name in varying
            if name not in ("scale", "hardware", "hardware_count") and name in comparison
            if name != "dtype" or comparison[name]  # that of the products is each precision's own
        ]
        if scope and several_scopes:
            parts.append(f"energy of the {scope}")
        groups.append(ComparisonGroup(comparison, scope or "", " · ".join(parts)))
    return groups


def name_cells(cells: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """A name for each cell of a group: its technique, and what differs where that is not enough."""
    names = {cell: str(identity["technique"]) for cell, identity in cells.items()}
    for name, times in Counter(names.values()).items():
        if times > 1:
            twins = {cell: identity for cell, identity in cells.items() if names[cell] == name}
            names.update(_tell_apart(name, twins))
    return names


def _tell_apart(name: str, twins: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    identities = {cell: spread_out(identity) for cell, identity in twins.items()}
    varying = _varying(list(identities.values()))
    told = {
        cell: f"{name} ({', '.join(f'{_named(c)} {_short(c, identity.get(c))}' for c in varying)})"
        for cell, identity in identities.items()
    }
    if len(set(told.values())) < len(told):
        return {cell: f"{name} (cell {short(cell)})" for cell in twins}
    return told


def _varying(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The columns that differ among ``rows``; one that a row does not have is nothing there."""
    names = dict.fromkeys(name for row in rows for name in row)
    return [name for name in names if name not in FOLLOWS and len({row.get(name) for row in rows}) > 1]


def _named(column: str) -> str:
    return NAMES.get(column, column.replace("_", " "))


def _scale(comparison: Mapping[str, Any]) -> str:
    return "all models" if comparison["scale"] is None else str(comparison["scale"] or "unnamed scale")


def _hardware(comparison: Mapping[str, Any]) -> str:
    count = comparison["hardware_count"] or 1
    return (
        f"{count} × {comparison['hardware']}" if count > 1 else str(comparison["hardware"] or "any hardware")
    )


def _short(name: str, value: Any) -> str:
    return "none" if value in (None, "") else str(value)[:8] if name == "data_revision" else str(value)
