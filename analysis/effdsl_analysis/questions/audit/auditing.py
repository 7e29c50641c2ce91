"""What cannot be right in the paper's tables, or in what was measured here: one SQL file per rule.

The rules are the files of ``sql/audit/published`` and ``sql/audit/measured``; the comment at the top of
each says what it looks for, why that cannot be right, and what is assumed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import attrs

from effdsl.hardware import CATALOG
from effdsl.problems import nearest
from effdsl_analysis.answer import Answer
from effdsl_analysis.ask import UnknownName, scope_of
from effdsl_analysis.queries import Row, rows, session, statement
from effdsl_analysis.questions.audit.printed_layouts import printed_layouts
from effdsl_analysis.vocabulary import Evidence, Severity

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from effdsl_analysis.queries import Source


@attrs.frozen
class AuditRule:
    """One thing that is looked for: the file's name, and the question its comment starts with."""

    name: str
    question: str


@attrs.frozen
class Finding:
    """One thing that a rule found.

    Attributes:
        rule: the rule's name.
        severity: how sure it is.
        table: the table, or tables, of the paper; of measured evidence the result's key, shortened.
        cells: the values it is about, each with its place (a table's ``line`` counts from 1, without the
            header), ``metric``, and ``printed`` or ``value``.
        explanation: a sentence with the numbers, and what is assumed.
    """

    rule: str
    severity: Severity
    table: str
    cells: tuple[Mapping[str, Any], ...]
    explanation: str


@attrs.frozen
class Audit(Answer):
    """What the rules found in one kind of evidence; prints as text or HTML, and gives JSON.

    Attributes:
        evidence: which kind was examined.
        study: of measured evidence the one study, or ``None`` for everything.
        examined: how many printed values, or measured results, were examined.
        rules: every rule that was asked, by name.
        findings: the most severe rules first, a rule's findings together.
    """

    evidence: Evidence
    study: str | None
    examined: int
    rules: tuple[AuditRule, ...]
    findings: tuple[Finding, ...]

    def to_json(self) -> list[dict[str, Any]]:
        """One document of plain values per finding."""
        return [
            {
                "rule": finding.rule,
                "severity": finding.severity.value,
                "table": finding.table,
                "cells": [dict(cell) for cell in finding.cells],
                "explanation": finding.explanation,
            }
            for finding in self.findings
        ]


def audit(
    source: Source,
    study: str | None = None,
    *,
    evidence: Evidence = Evidence.MEASURED,
    names: Sequence[str] = (),
    severities: Collection[Severity] = tuple(Severity),
) -> Audit:
    """Look for what cannot be right.

    Args:
        source: a store, its folder, or a DuckDB connection that has a store's views.
        study: of measured evidence, only this study's (its name or the path of its file).
        evidence: published: the paper's own tables; measured: the store's results.
        names: only these rules.
        severities: only findings of these.

    Raises:
        UnknownName: a study or rule that does not exist, with the nearest one.
    """
    asked = _named(evidence, names)
    with session(source) as connection:
        study = _lay_out(connection, evidence, study)
        (counted,) = rows(connection, f"audit/{evidence.value}_count", {})
        found = [
            _finding(rule, row)
            for rule in asked
            for row in rows(connection, f"audit/{evidence.value}/{rule.name}", {})
        ]
    kept = [finding for finding in found if finding.severity in severities]
    return Audit(evidence, study, counted["examined"], asked, tuple(_worst_first(kept)))


@cache
def rules(evidence: Evidence) -> tuple[AuditRule, ...]:
    """Every rule for one kind of evidence, by name."""
    folder = files("effdsl_analysis").joinpath("sql", "audit", evidence.value)
    found = sorted(file.name.removesuffix(".sql") for file in folder.iterdir() if file.name.endswith(".sql"))
    return tuple(AuditRule(name, _question(statement(f"audit/{evidence.value}/{name}"))) for name in found)


def _finding(rule: AuditRule, row: Row) -> Finding:
    severity = Severity(row["severity"])
    return Finding(rule.name, severity, row["table"], tuple(row["cells"]), row["explanation"])


def _question(text: str) -> str:
    """The first sentence of the comment at the top of a rule's file."""
    lines = [line.removeprefix("--").strip() for line in text.splitlines() if line.startswith("--")]
    return " ".join(lines).partition("?")[0] + "?"


def _named(evidence: Evidence, names: Sequence[str]) -> tuple[AuditRule, ...]:
    known = {rule.name: rule for rule in rules(evidence)}
    for name in names:
        if name not in known:
            raise UnknownName(f"no rule {name!r}: {nearest(name, known)}known: {', '.join(known)}")
    return tuple(known[name] for name in dict.fromkeys(names)) or tuple(known.values())


def _lay_out(connection: DuckDBPyConnection, evidence: Evidence, study: str | None) -> str | None:
    """Make the tables that the rules read; returns the full name of the study."""
    from effdsl_registry.published import models

    _fill(connection, "devices", _devices())
    connection.execute(statement("audit/cells_of"))
    if evidence is Evidence.PUBLISHED:
        _fill(connection, "listed_models", models())
        connection.execute(statement("audit/published"))
        _fill(connection, "layouts", printed_layouts(rows(connection, "audit/laid_out_runs", {})))
        return None
    name = scope_of(connection, study, None).study
    connection.execute(statement("audit/measured"), {"study": name})
    return name


def _devices() -> Iterable[dict[str, Any]]:
    """What effdsl knows of hardware, a row per device and dtype: GB, W, FLOP/s and bytes/s."""
    for device in CATALOG:
        for dtype, peak in device.peak_flops.items():
            yield {
                "name": device.name,
                "dtype": dtype,
                "peak_flops": peak,
                "memory_gb": None if device.memory is None else device.memory.value / 1e9,
                "power_limit_w": device.power_limit_w,
                "bandwidth": device.bandwidth,
            }


def _fill(connection: DuckDBPyConnection, table: str, said: Iterable[Mapping[str, Any]]) -> None:
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS "
        "SELECT unnest(from_json($said, json_structure($said)), recursive := true)",
        {"said": json.dumps(list(said))},
    )


def _worst_first(found: Sequence[Finding]) -> list[Finding]:
    order = list(Severity)
    worst: dict[str, int] = {}
    for finding in found:
        worst[finding.rule] = min(order.index(finding.severity), worst.get(finding.rule, len(order)))
    return sorted(found, key=lambda finding: (worst[finding.rule], finding.rule))
