"""Verdicts on what the paper claims, from any evidence: one SQL file per statement."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from effdsl.problems import nearest
from effdsl_analysis.answer import Answer
from effdsl_analysis.ask import UnknownName, scope_of
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
class Claims(Answer):
    """The claims that were asked for, each with its verdict; prints as text or HTML, and gives JSON.

    Attributes:
        evidence: what they were tested on.
        study: of measured evidence, the one study asked for.
        claims: in the paper's order, or in the order asked for.
        with_cases: whether the text shows the cases of each.
    """

    evidence: Evidence
    study: str | None
    claims: tuple[Claim, ...]
    with_cases: bool = False

    def of(self, verdict: Verdict) -> tuple[Claim, ...]:
        """Those with this verdict."""
        return tuple(claim for claim in self.claims if claim.verdict is verdict)

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

    def __rich__(self) -> Any:
        from effdsl_analysis.verdicts.claims_text import claims

        return claims(self)


def claims(
    source: Source,
    evidence: Evidence,
    *,
    ids: Sequence[str] = (),
    study: str | None = None,
    with_cases: bool = False,
) -> Claims:
    """The paper's claims with their verdicts.

    Args:
        source: a store, or a DuckDB connection that has a store's views.
        evidence: published: what the paper's own tables say; measured: what the store's results say.
        ids: only these (``C1`` to ``C87``), in this order.
        study: of measured evidence, only this study's.
        with_cases: show the cases of each when the answer is printed.

    Raises:
        UnknownName: an id or study that does not exist, with the nearest one.
    """
    with laid_out(source, evidence, study) as connection:
        for words in ("words", "tables"):
            connection.execute(statement(f"claims/{words}"))
        known = {row["id"]: row for row in rows(connection, "claims/statements", {})}
        asked = [_known(name, list(known)) for name in ids] or list(known)
        found = [_claim(connection, known[name]) for name in dict.fromkeys(asked)]
        name = scope_of(connection, study, None).study if evidence is Evidence.MEASURED else None
    return Claims(evidence, name, tuple(found), with_cases)


def _known(name: str, known: Sequence[str]) -> str:
    if name.upper() not in known:
        raise UnknownName(f"no claim {name!r}: {nearest(name, known)}there are {known[0]} to {known[-1]}")
    return name.upper()


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
