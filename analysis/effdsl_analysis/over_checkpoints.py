"""Which question a comparison of precisions answers: of models that are trained so, or of one checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from effdsl.metrics import Metric

SHARED = "one for all repeats"
CHECKPOINTS = "checkpoints"
"""A detail of inference: whether repeats have weights of their own."""
NO_ITEMS = ("avg_perf", "mcr")
"""Metrics of several evaluations together, which no items decide."""


class JudgedCell(Protocol):
    """A cell of a ranking."""

    @property
    def n(self) -> int: ...

    @property
    def details(self) -> Mapping[str, Any]: ...


def answered(found: Iterable[tuple[Metric, Iterable[JudgedCell]]], by_items: Iterable[str]) -> list[str]:
    """What the ranks by metrics that come of an evaluation are ranks of.

    Args:
        found: metrics, and the cells that are ranked by each.
        by_items: the names of the metrics that an evaluation gives.
    """
    evaluations = frozenset(by_items)
    over: dict[str, list[str]] = {}
    for metric, cells in found:
        ranked = [cell for cell in cells if CHECKPOINTS in cell.details]
        if metric.name in evaluations and len(ranked) > 1:
            over.setdefault(_answer(metric, ranked), []).append(metric.label)
    return [f"{_joined(list(dict.fromkeys(labels)))} {said}" for said, labels in over.items()]


def _answer(metric: Metric, ranked: list[JudgedCell]) -> str:
    most = max(cell.n for cell in ranked)
    if most > 1:
        return f"is compared over {most} checkpoints, which answers for models that are trained so."
    if metric.name in NO_ITEMS:
        return "is of one checkpoint and of several evaluations, which no items of one tell apart."
    alone = "is told apart over the items of one checkpoint, and for that one alone"
    return f"{alone}: `effdsl quality` shows by how much."


def _joined(labels: list[str]) -> str:
    return labels[0] if len(labels) == 1 else f"Each of {', '.join(labels)}"
