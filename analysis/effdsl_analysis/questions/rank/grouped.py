"""Values in the groups in which techniques are ranked against each other, printed or measured.

The temporary tables ``entries`` and ``compared`` have the same columns for both kinds of evidence;
``sql/rank/published_values.sql`` and ``sql/rank/compared.sql`` say what they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from effdsl_analysis.ask import UnknownName, named_metrics, unknown
from effdsl_analysis.evidence import laid_out
from effdsl_analysis.queries import rows, session, statement
from effdsl_analysis.vocabulary import Evidence

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from effdsl_analysis.queries import Source


@contextmanager
def grouped(
    source: Source,
    evidence: Evidence,
    study: str | None = None,
    *,
    groups: Sequence[str] = (),
    metrics: Sequence[str] = (),
) -> Iterator[DuckDBPyConnection]:
    """A connection with the tables ``entries`` and ``compared``.

    Args:
        source: a store, its folder, or a connection that has a store's views.
        evidence: which kind to compare.
        study: of measured evidence, only this study's.
        groups: only these: the leaderboard's groups, or axes of measured evidence; all by default.
        metrics: only these, e.g. ``amu_gb``, ``amu`` or ``performance``; by default all that the paper
            ranks, or those of the default table.

    Raises:
        UnknownName: a study, group or metric that does not exist, with the nearest one.
    """
    with _entries(source, evidence, study) as connection:
        (known,) = rows(connection, "rank/known", {})
        for name in groups:
            if name not in known["groups"]:
                raise UnknownName(unknown("group", name, known["groups"]))
        columns = [_column(name, known["metrics"], known["columns"]) for name in metrics]
        asked = {"groups": list(groups) or None, "metrics": columns or None}
        connection.execute(statement("rank/asked"), asked)
        connection.execute(statement("rank/compared"))
        yield connection


@contextmanager
def _entries(source: Source, evidence: Evidence, study: str | None) -> Iterator[DuckDBPyConnection]:
    if evidence is Evidence.PUBLISHED:
        with session(source) as connection:
            connection.execute(statement("rank/published_values"))
            yield connection
    else:
        with laid_out(source, evidence, study) as connection:
            connection.execute(statement("rank/measured_values"))
            yield connection


def _column(name: str, metrics: Sequence[str], columns: Sequence[str]) -> str:
    if name in metrics:
        return name
    (metric,) = named_metrics([name])
    if metric.name not in columns:
        raise UnknownName(f"{metric.name} is not ranked in this evidence; these are: {', '.join(columns)}")
    return metric.name
