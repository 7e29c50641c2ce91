"""What an executor asks of an index: what is known of a task, and how long tasks took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@attrs.frozen
class KnownResult:
    """The latest attempt at a key. ``code`` names the set of modules it was measured with."""

    outcome: str
    reason: str
    canonical: str
    code: str
    duration_s: float | None
    attempt: str


@attrs.frozen
class FinishedResult:
    """A task that ended well: what it was, how long it took, and what it needed where that was measured."""

    canonical: str
    duration_s: float
    training_s: float | None
    memory_gb: float | None


@attrs.frozen
class Lookup:
    """What the store knows of the keys and lineages it was asked for.

    Attributes:
        results: by key; a key without a result is absent.
        code: by the name that ``KnownResult.code`` gives: module to SHA-256 of its file.
        engine_versions: by lineage: the newest engine version that has a result for it.
    """

    results: dict[str, KnownResult] = attrs.field(factory=dict)
    code: dict[str, dict[str, str]] = attrs.field(factory=dict)
    engine_versions: dict[str, int] = attrs.field(factory=dict)


def known(connection: DuckDBPyConnection, keys: Sequence[str], lineages: Sequence[str]) -> Lookup:
    """The latest results of ``keys``, and which engine versions have results of ``lineages``."""
    rows = connection.execute(_KNOWN, [",".join(keys)]).fetchall()
    results = {key: KnownResult(*rest) for key, *rest in rows}
    code: dict[str, dict[str, str]] = {result.code: {} for result in results.values()}
    digests = connection.execute("SELECT code, module, sha256 FROM internal.code").fetchall()
    for name, module, digest in digests:
        if name in code:
            code[name][module] = digest
    versions = connection.execute(_ENGINE_VERSIONS, [",".join(lineages)]).fetchall()
    return Lookup(results, code, dict(versions))


def values(connection: DuckDBPyConnection, metric: str, keys: Sequence[str]) -> dict[str, float]:
    """A metric of those of ``keys`` whose latest attempt ended well and has it."""
    return dict(connection.execute(_VALUES, [",".join(keys), metric]).fetchall())


def finished(connection: DuckDBPyConnection, newest: int) -> list[FinishedResult]:
    """The ``newest`` measured results of each hardware, engine and dtype."""
    return [FinishedResult(*row) for row in connection.execute(_FINISHED, [newest]).fetchall()]


# Keys come as one string: a list of strings costs DuckDB's Python client 0.1 ms an element. The latest
# rows are found by narrow columns first, for a window over whole rows would carry the canonical forms along.
_KNOWN = """
WITH asked AS (SELECT unnest(string_split($1, ',')) AS key),
latest AS (
    SELECT arg_max(attempts.rowid, (finished_at, attempt)) AS latest
    FROM internal.attempts SEMI JOIN asked USING (key)
    GROUP BY key
)
SELECT key, outcome, reason, canonical, code, duration_s, attempt
FROM internal.attempts JOIN latest ON attempts.rowid = latest.latest
"""

_FINISHED = """
WITH newest AS (
    SELECT attempts.rowid AS attempt
    FROM internal.attempts
    WHERE outcome = 'ok' AND evidence = 'measured' AND duration_s > 0
    QUALIFY row_number() OVER (
        PARTITION BY hardware, hardware_count, engine, dtype ORDER BY finished_at DESC, attempt
    ) <= $1
)
SELECT canonical, duration_s, metrics['time_to_finish_s'], metrics['memory_over_baseline_gb']
FROM internal.attempts JOIN newest ON attempts.rowid = newest.attempt
"""

_VALUES = """
SELECT key, metrics[$2] AS value
FROM internal.latest
WHERE key IN (SELECT unnest(string_split($1, ','))) AND outcome = 'ok' AND value IS NOT NULL
"""

_ENGINE_VERSIONS = """
SELECT lineage, max(engine_version)
FROM internal.attempts
WHERE lineage IN (SELECT unnest(string_split($1, ','))) AND engine_version IS NOT NULL
GROUP BY lineage
"""
