"""Panels: techniques compared at one size, with what SQL concludes from their values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import attrs

from effdsl.metrics import BY_NAME, Metric
from effdsl_analysis.queries import Row, rows, statement
from effdsl_analysis.questions.rank.grid import Grid

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    Interval = tuple[float, float]


@attrs.frozen
class Panel:
    """Techniques compared with each other at one size.

    Attributes:
        id: unique in a page.
        group: what it belongs to, a table of the paper or a study.
        title: the size or model.
        metrics: quality first.
        values: technique to metric name to value, a mean where there are repeats.
        intervals: the same, to the 95% interval of the mean, where there is one.
    """

    id: str
    group: str
    title: str
    metrics: tuple[Metric, ...]
    values: Mapping[str, Mapping[str, float]]
    intervals: Mapping[str, Mapping[str, Interval]]

    @property
    def techniques(self) -> list[str]:
        """Names, in the order in which they are shown."""
        return list(self.values)


@attrs.frozen
class Judged:
    """What follows from the values of a panel.

    Attributes:
        panel: the values.
        scores: per technique and metric: eq. 10 or 11, 0.1 (worst of the panel) to 1.0 (best); ``None``
            without a value and where all are equal.
        efficiency: per technique: eq. 12 as printed and as its arrows ask; ``None`` where it does not
            apply.
        fronts: for each two metrics, by their places: the techniques that no other beats in both.
    """

    panel: Panel
    scores: tuple[tuple[float | None, ...], ...]
    efficiency: tuple[tuple[float, float] | None, ...]
    fronts: Mapping[tuple[int, int], tuple[str, ...]]

    @property
    def has_efficiency(self) -> bool:
        """Whether eq. 12 applies to any technique."""
        return any(score is not None for score in self.efficiency)

    def to_json(self) -> dict[str, Any]:
        """What the page draws it from; techniques and metrics are lists, everything else follows them."""
        panel, names = self.panel, self.panel.techniques
        document: dict[str, Any] = {
            "group": panel.group,
            "title": panel.title,
            "techniques": names,
            "metrics": [
                {"name": m.name, "label": m.label, "unit": m.unit, "better": m.better.value}
                for m in panel.metrics
            ],
            "values": [[panel.values[name].get(m.name) for m in panel.metrics] for name in names],
            "scores": self.scores,
            "fronts": {
                f"{x},{y}": [names.index(name) for name in front] for (x, y), front in self.fronts.items()
            },
        }
        if any(panel.intervals.values()):
            document["intervals"] = [
                [panel.intervals[name].get(m.name) for m in panel.metrics] for name in names
            ]
        if self.has_efficiency:
            document["efficiency"] = self.efficiency
        return document


def printed_panels(connection: DuckDBPyConnection) -> list[tuple[Row, list[Panel]]]:
    """The paper's tables, each as a row that describes it and its panels, one per size or model."""
    found = rows(connection, "report/printed_values", {})
    tables = []
    for number, lines in groupby(found, key=lambda row: row["table_number"]):
        of_table = list(lines)
        panels = [
            _printed_panel(f"table-{number}-{i}", f"Table {number}", scale or "all sizes", list(values))
            for i, (scale, values) in enumerate(groupby(of_table, key=lambda row: row["scale"]))
        ]
        tables.append((of_table[0], panels))
    return tables


def _printed_panel(id_: str, group: str, title: str, found: Sequence[Row]) -> Panel:
    metrics = tuple(BY_NAME[name] for name in dict.fromkeys(row["metric"] for row in found))
    values: dict[str, dict[str, float]] = {row["technique"]: {} for row in found}
    for row in found:
        values[row["technique"]][row["metric"]] = row["value"]
    return Panel(id_, group, title, metrics, values, {name: {} for name in values})


def measured_panel(id_: str, group: str, grid: Grid) -> Panel:
    """What was measured, from its ranking; a metric that was read at two meter scopes is left out."""
    names = [column.metric.name for column in grid.columns]
    columns = [column for column in grid.columns if names.count(column.metric.name) == 1]
    values: dict[str, dict[str, float]] = {name: {} for name in grid.techniques}
    intervals: dict[str, dict[str, Interval]] = {name: {} for name in grid.techniques}
    for column in columns:
        for name, entry in zip(grid.techniques, column.entries, strict=True):
            if entry is None:
                continue
            values[name][column.metric.name] = entry.value
            if entry.low is not None and entry.high is not None:
                intervals[name][column.metric.name] = (entry.low, entry.high)
    metrics = sorted((column.metric for column in columns), key=lambda m: not m.is_quality)
    return Panel(id_, group, grid.title, tuple(metrics), values, intervals)


def judge(connection: DuckDBPyConnection, panels: Sequence[Panel]) -> dict[str, Judged]:
    """Scores and fronts of every panel, by its id; ``connection`` has the package's macros."""
    entries = [
        {
            "group": panel.id,
            "technique": name,
            "metric": metric.short,
            "metric_place": place,
            "better": metric.better.value,
            "value": panel.values[name][metric.name],
        }
        for panel in panels
        for place, metric in enumerate(panel.metrics)
        for name in panel.values
        if metric.name in panel.values[name]
    ]
    connection.execute(statement("report/entries"), {"entries": json.dumps(entries)})
    connection.execute(statement("rank/compared"))
    scored = {(row["group"], row["technique"]): row for row in rows(connection, "scores/scores", {})}
    fronts: dict[str, dict[tuple[int, int], tuple[str, ...]]] = {panel.id: {} for panel in panels}
    for row in rows(connection, "report/fronts", {}):
        fronts[row["group"]][row["x"], row["y"]] = tuple(row["front"])
    return {panel.id: _judged(panel, scored, fronts[panel.id]) for panel in panels}


def _judged(
    panel: Panel,
    scored: Mapping[tuple[str, str], Row],
    fronts: Mapping[tuple[int, int], tuple[str, ...]],
) -> Judged:
    found = [scored.get((panel.id, name)) for name in panel.values]
    return Judged(
        panel,
        tuple(
            tuple(None if row is None else row["normalised"].get(m.short) for m in panel.metrics)
            for row in found
        ),
        tuple(
            None if row is None or row["as_printed"] is None else (row["as_printed"], row["by_arrows"])
            for row in found
        ),
        fronts,
    )
