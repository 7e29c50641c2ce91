"""What a report says, gathered by SQL: a part for the paper's tables and one for each study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import attrs

from effdsl_analysis.ask import scope_of
from effdsl_analysis.queries import Row, rows, session
from effdsl_analysis.questions.audit.auditing import Audit, audit
from effdsl_analysis.questions.claims.verdicts import Claims, claims
from effdsl_analysis.questions.rank.grid import Grid, grids
from effdsl_analysis.questions.rank.published_ranking import rank_published
from effdsl_analysis.questions.rank.ranking import rank
from effdsl_analysis.report.heat import HeatTable, heat_table
from effdsl_analysis.report.panels import Judged, Panel, judge, measured_panel, printed_panels
from effdsl_analysis.vocabulary import Evidence

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from effdsl_analysis.queries import Source

CURVE_POINTS = 100
MOST_IN_A_RADAR = 8
EFFICIENCY = {"amu", "pcu", "al", "st", "aec"}
"""The metrics of eq. 12. With all of them it is drawn beside quality, as in the paper's Figure 4."""
INFERENCE = {"it", "amu", "weights"}
"""Metrics of weights that are stored in a precision, which Figure 5 draws beside quality."""

PAPERS_TABLES = {
    3: ("Attention", "radar", "Figure 3a"),
    4: ("Positional encoding", "bars", "Figure 3b"),
    5: ("Dense and mixture of experts", "bubbles", "Figure 3c"),
    6: ("Attention-free", "parallel", ""),
    7: ("Fine-tuning", "efficiency-printed", "Figure 4"),
    8: ("Fine-tuning", "parallel", ""),
    9: ("Quantization", "radar", "Figure 5"),
    10: ("Attention, image", "parallel", "Figure 7a"),
    11: ("Dense and mixture of experts, image", "bubbles", "Figure 7b"),
    12: ("Fine-tuning, vision-language", "efficiency-printed", "Figure 7c"),
    13: ("Fine-tuning, image and video", "parallel", ""),
    16: ("Quantization", "parallel", ""),
}
"""What each is about, as what it is drawn, and the figure of the paper that shows the same."""


@attrs.frozen
class Chart:
    """Panels that are drawn side by side.

    Attributes:
        kind: as what they are drawn first.
        as_in: the paper's figure that shows the same.
    """

    id: str
    title: str
    kind: str
    as_in: str
    panels: tuple[str, ...]


@attrs.frozen
class Part:
    """What one source of evidence says.

    Attributes:
        id: unique in the page.
        evidence: its kind.
        name: a study's; empty for the paper and for a store without studies.
        tables: rankings.
        charts: profiles.
        curves: ids and titles of loss curves.
        provenance: names and texts.
    """

    id: str
    evidence: Evidence
    name: str
    tables: tuple[HeatTable, ...]
    charts: tuple[Chart, ...]
    curves: tuple[tuple[str, str], ...]
    provenance: tuple[tuple[str, str], ...]


@attrs.frozen
class Contents:
    """Everything that a report shows.

    Attributes:
        parts: the paper first.
        panels: by id.
        curves: loss curves by id: technique to kind to rows of (step, mean, low, high).
        claims, audits: one for each kind of evidence and study asked for.
        printed: the paper's tables, with what they were made on.
    """

    parts: tuple[Part, ...]
    panels: Mapping[str, Judged]
    curves: Mapping[str, Mapping[str, Mapping[str, Sequence[Sequence[float]]]]]
    claims: tuple[Claims, ...]
    audits: tuple[Audit, ...]
    printed: tuple[Row, ...]


def contents(source: Source, studies: Sequence[str], kinds: Sequence[Evidence]) -> Contents:
    """Gather a report.

    Args:
        source: a store, its folder, or a connection that has a store's views.
        studies: names or paths of files; without any, all that were executed.
        kinds: the kinds of evidence to show.

    Raises:
        UnknownName: a study that does not exist, with the nearest one.
    """
    with session(source) as connection:
        parts, panels, curves = [], [], {}
        if Evidence.PUBLISHED in kinds:
            part, found = _printed_part(connection)
            parts.append(part)
            panels += found
        if Evidence.MEASURED in kinds:
            for number, study in enumerate(_studies(connection, studies)):
                part, found, of_study = _measured_part(connection, f"study-{number}", study)
                parts.append(part)
                panels += found
                curves.update(of_study)
        asked: list[tuple[Evidence, str | None]] = [(Evidence.PUBLISHED, None)]
        asked += [(Evidence.MEASURED, study) for study in studies or (None,)]
        have = {part.evidence for part in parts}
        asked = [(kind, study) for kind, study in asked if kind in have]
        return Contents(
            tuple(parts),
            judge(connection, panels),
            curves,
            tuple(claims(connection, study, evidence=kind) for kind, study in asked),
            tuple(audit(connection, study, evidence=kind) for kind, study in asked),
            tuple(rows(connection, "report/printed_tables", {}) if Evidence.PUBLISHED in have else ()),
        )


def _studies(connection: DuckDBPyConnection, asked: Sequence[str]) -> list[str | None]:
    """The names of the studies asked for; all by default, or nameless results where no study is known."""
    if asked:
        return [scope_of(connection, study, None).study for study in asked]
    (known,) = rows(connection, "scope", {"study": None, "scale": None})
    if known["studies"] or not known["results"]:
        return list(known["studies"])
    return [None]


def _printed_part(connection: DuckDBPyConnection) -> tuple[Part, list[Panel]]:
    tables = printed_panels(connection)
    charts = []
    for said, panels in tables:
        number = said["table_number"]
        about, kind, figure = PAPERS_TABLES[number]
        title = f"{about} · Table {number}"
        charts.append(Chart(f"chart-{number}", title, kind, figure, tuple(panel.id for panel in panels)))
    ranked = (heat_table(f"rank-{i}", grid) for i, grid in enumerate(grids(rank_published(connection))))
    part = Part("printed", Evidence.PUBLISHED, "", tuple(ranked), tuple(charts), (), ())
    return part, [panel for _, panels in tables for panel in panels]


def _measured_part(
    connection: DuckDBPyConnection, id_: str, study: str | None
) -> tuple[Part, list[Panel], dict[str, Any]]:
    ranking = rank(connection, study)
    found = grids(ranking)
    panels = [measured_panel(f"{id_}-{i}", study or "all results", grid) for i, grid in enumerate(found)]
    curves = _curves(connection, id_, study, found)
    ids = tuple(panel.id for panel in panels)
    charts = [Chart(f"{id_}-profile", study or "All results", *_drawn_as(panels), ids)]
    part = Part(
        id_,
        Evidence.MEASURED,
        study or "",
        tuple(heat_table(f"{id_}-rank-{i}", grid) for i, grid in enumerate(found)),
        tuple(charts if panels else ()),
        tuple((curve, title) for curve, (title, _) in curves.items()),
        _provenance(rows(connection, "report/provenance", {"study": study})[0], ranking.scope.missing),
    )
    return part, panels, {curve: drawn for curve, (_, drawn) in curves.items()}


def _drawn_as(panels: Sequence[Panel]) -> tuple[str, str]:
    """As what a study's panels are drawn first, and the figure of the paper that shows the same."""
    if panels and all({metric.short for metric in panel.metrics} >= EFFICIENCY for panel in panels):
        return "efficiency-printed", "Figure 4"
    most = max((len(panel.techniques) for panel in panels), default=0)
    of_precisions = panels and all({m.short for m in panel.metrics} >= INFERENCE for panel in panels)
    return ("radar" if most <= MOST_IN_A_RADAR else "parallel"), "Figure 5" if of_precisions else ""


def _curves(
    connection: DuckDBPyConnection, id_: str, study: str | None, found: Sequence[Grid]
) -> dict[str, tuple[str, dict[str, Any]]]:
    steps = rows(connection, "report/loss_curves", {"study": study, "points": CURVE_POINTS})
    by_cell = {cell: list(of_cell) for cell, of_cell in groupby(steps, key=lambda row: row["cell"])}
    curves = {}
    for i, grid in enumerate(found):
        drawn = {
            name: _by_kind(by_cell[cell])
            for name, cell in zip(grid.techniques, grid.cells, strict=True)
            if cell in by_cell
        }
        if drawn:
            curves[f"{id_}-loss-{i}"] = (grid.title, drawn)
    return curves


def _by_kind(steps: Sequence[Row]) -> dict[str, list[list[float]]]:
    kinds: dict[str, list[list[float]]] = {}
    for row in steps:
        few = [float(f"{row[name]:.5g}") for name in ("mean", "low", "high")]
        kinds.setdefault(row["kind"], []).append([row["step"], *few])
    return kinds


def _provenance(row: Row, missing: int) -> tuple[tuple[str, str], ...]:
    outcomes = ", ".join(f"{times} {outcome}" for outcome, times in row["outcomes"].items())
    results = f"{row['results']} ({outcomes}), {row['cells']} cells, {row['seeds']} seeds"
    said = [("results", results if row["results"] else "none")]
    if missing:
        said.append(("tasks without a result", str(missing)))
    if row["first"] is not None:
        said.append(("measured", f"{row['first']:%Y-%m-%d %H:%M} to {row['last']:%Y-%m-%d %H:%M} UTC"))
    for name, label in (
        ("hardware", "hardware"),
        ("device", "device"),
        ("driver", "driver"),
        ("meter_scope", "energy read at"),
        ("engine", "engine and its version"),
        ("kernel", "kernels"),
        ("dtype", "dtype"),
        ("data", "data"),
        ("os", "system"),
        ("python", "Python"),
        ("libraries", "libraries"),
        ("git_commit", "git commit"),
    ):
        if row[name]:
            said.append((label, ", ".join(row[name])))
    return tuple(said)
