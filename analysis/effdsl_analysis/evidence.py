"""Evidence of one kind, laid out so that every question about techniques can be asked of it.

Whether a value was printed by the paper or measured here, the same four temporary tables hold it:
``subjects`` (a technique at a size, in a setting), ``observations`` (its values), ``figures`` (its means
with intervals) and ``contrasts`` (how any two of one axis and setting compare).
``sql/evidence/contrasts.sql`` says what their columns are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from effdsl_analysis.ask import EXACT, scope_of
from effdsl_analysis.queries import session, statement
from effdsl_analysis.vocabulary import Across, Evidence

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from effdsl_analysis.queries import Source


@contextmanager
def laid_out(
    source: Source, evidence: Evidence, study: str | None = None, across: Across | None = None
) -> Iterator[DuckDBPyConnection]:
    """A connection with the tables ``subjects``, ``observations``, ``figures`` and ``contrasts``.

    Args:
        source: a store, its folder, or a connection that has a store's views.
        evidence: which kind to lay out.
        study: of measured evidence, only this study's (its name or the path of its file).
        across: of measured evidence, what is compared though it is no technique.

    Raises:
        UnknownName: a study that does not exist, with the nearest one, or nothing to compare ``across``.
    """
    with session(source) as connection:
        lay_out(connection, evidence, study, across)
        yield connection


def lay_out(
    connection: DuckDBPyConnection,
    evidence: Evidence,
    study: str | None = None,
    across: Across | None = None,
) -> None:
    """Make or replace the four tables in a :func:`~effdsl_analysis.queries.session`.

    Raises:
        UnknownName: a study that does not exist, with the nearest one, or nothing to compare ``across``.
    """
    if evidence is Evidence.PUBLISHED:
        connection.execute(statement("evidence/published_subjects"))
        connection.execute(statement("evidence/published_observations"))
    else:
        name = scope_of(connection, study, None, across).study
        connection.execute(statement("claims/methods"))
        asked = {"study": name, "across_models": across is Across.MODELS}
        connection.execute(statement("evidence/measured_subjects"), asked)
        connection.execute(statement("evidence/measured_observations"), {"exact": EXACT})
    connection.execute(statement("evidence/contrasts"))
