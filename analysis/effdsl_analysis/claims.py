"""Verdicts on what the paper claims, from any evidence: one SQL file per statement."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from effdsl_analysis.ask import UnknownName
from effdsl_analysis.evidence import Evidence, laid_out
from effdsl_analysis.queries import rows, statement

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from effdsl_analysis.queries import Row, Source


class Verdict(enum.Enum):
    """What the cases of a claim say together; computed, never typed in."""

    HOLDS = "holds"
    FAILS = "fails"
    PARTLY = "partly"
    UNDECIDED = "undecided"


@attrs.frozen
class Case:
    """One place where a statement can be tested, a scale or a model say.

    Attributes:
        case: its name.
        supports: ``None`` where the evidence cannot decide it.
        shown: what was compared.
    """

    case: str
    supports: bool | None
    shown: str


@attrs.frozen
class Claim:
    """A statement of the paper, in our words, with the cases that the evidence has for it."""

    id: str
    statement: str
    section: str
    table: str
    cases: tuple[Case, ...]

    @property
    def supporting(self) -> int:
        """How many cases support it."""
        return sum(case.supports is True for case in self.cases)

    @property
    def contradicting(self) -> int:
        """How many cases contradict it."""
        return sum(case.supports is False for case in self.cases)

    @property
    def undecided(self) -> int:
        """How many cases the evidence cannot decide."""
        return sum(case.supports is None for case in self.cases)

    @property
    def verdict(self) -> Verdict:
        """``holds`` if every case supports it, ``fails`` if cases contradict it and none supports it,
        ``partly`` if there are both, else ``undecided``."""
        if self.contradicting:
            return Verdict.PARTLY if self.supporting else Verdict.FAILS
        return Verdict.HOLDS if self.supporting and not self.undecided else Verdict.UNDECIDED


@attrs.frozen
class Claims:
    """The claims that were asked for, each with its verdict on one kind of evidence."""

    evidence: Evidence
    study: str | None
    claims: tuple[Claim, ...]

    def to_json(self) -> list[dict[str, Any]]:
        """One document of plain values per claim."""
        return [
            {
                "id": claim.id,
                "verdict": claim.verdict.value,
                "supporting": claim.supporting,
                "contradicting": claim.contradicting,
                "undecided": claim.undecided,
                "statement": claim.statement,
                "section": claim.section,
                "table": claim.table,
                "evidence": self.evidence.value,
                "cases": [attrs.asdict(case) for case in claim.cases],
            }
            for claim in self.claims
        ]


def claims(
    source: Source, evidence: Evidence, *, ids: Sequence[str] = (), study: str | None = None
) -> Claims:
    """The paper's claims with their verdicts.

    Args:
        source: a store, or a DuckDB connection that has a store's views.
        evidence: published: what the paper's own tables say; measured: what the store's results say.
        ids: only these (``C1`` to ``C87``), in this order.
        study: of measured evidence, only this study's.

    Raises:
        UnknownName: an id or study that does not exist.
    """
    with laid_out(source, evidence, study) as connection:
        for words in ("words", "tables"):
            connection.execute(statement(f"claims/{words}"))
        known = {row["id"]: row for row in rows(connection, "claims/statements", {})}
        for name in ids:
            if name not in known:
                raise UnknownName(f"no claim {name!r}; there are C1 to C{len(known)}")
        found = [_claim(connection, known[name]) for name in (ids or known)]
    return Claims(evidence, study, tuple(found))


def _claim(connection: DuckDBPyConnection, said: dict[str, Any]) -> Claim:
    return Claim(**said, cases=_cases(rows(connection, f"claims/{said['id']}", {})))


def _cases(found: Sequence[Row]) -> tuple[Case, ...]:
    """Each with a name of its own as far as the source, and then the technique, tell them apart."""
    names = [row["case"] for row in found]
    if len({row.get("source") for row in found}) > 1:
        names = [f"{name} · {row['source']}" for name, row in zip(names, found, strict=True)]
    names = [
        f"{name}, {row['technique']}" if row.get("technique") and names.count(name) > 1 else name
        for name, row in zip(names, found, strict=True)
    ]
    return tuple(Case(name, row["supports"], row["shown"]) for name, row in zip(names, found, strict=True))
