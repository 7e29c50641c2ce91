"""Verdicts on what the paper claims, from any evidence: one SQL file per statement."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from effdsl.problems import nearest
from effdsl_analysis.answer import Answer, plain
from effdsl_analysis.ask import UnknownName, scope_of
from effdsl_analysis.evidence import laid_out
from effdsl_analysis.queries import rows, statement
from effdsl_analysis.vocabulary import Evidence

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from effdsl_analysis.queries import Row, Source


class Verdict(enum.Enum):
    """What the cases of a claim say together; ``sql/claims/verdicts.sql`` computes it."""

    HOLDS = "holds"
    FAILS = "fails"
    PARTLY = "partly"
    UNDECIDED = "undecided"


class Kind(enum.Enum):
    """What a statement is by its words; ``sql/claims/kinds.sql`` says which claims are of which."""

    EVERY = "every"
    """Said of all its cases, so that one counter-example denies it."""
    NUMBER = "number"
    """Gives a number, which decides it."""
    RANGE = "range"
    """Gives the two ends of a range, and holds only if both do."""


class Tests(enum.Enum):
    """What a case tests of a claim that names a number."""

    DIRECTION = "direction"
    """Which way it goes, whatever the number."""
    SIZE = "size"
    """The number itself."""


@attrs.frozen
class Case:
    """One place where a statement can be tested, a scale or a model say.

    Attributes:
        case: its name.
        supports: ``None`` where the evidence cannot decide it.
        shown: what was compared.
        tests: direction or size; ``None`` where the claim names no number.
        tied_with: what has the same value. It is still lowest or highest then, but not lower or higher.
    """

    case: str
    supports: bool | None
    shown: str
    tests: Tests | None = None
    tied_with: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Its plain values."""
        return plain(self)


@attrs.frozen
class CaseCount:
    """How many cases support a claim, contradict it, and are left open by the evidence."""

    supporting: int
    contradicting: int
    undecided: int

    @classmethod
    def of(cls, cases: Iterable[Case]) -> CaseCount:
        """What the ``cases`` say, counted."""
        found = [case.supports for case in cases]
        return cls(found.count(True), found.count(False), found.count(None))

    @property
    def cases(self) -> int:
        """Cases that the claim is about, decided or not."""
        return self.supporting + self.contradicting + self.undecided


@attrs.frozen
class Claim:
    """A statement of the paper, in our words, with the cases that the evidence has for it.

    Attributes:
        id: ``C1`` to ``C87``.
        statement: what is claimed.
        section: where the paper says it.
        table: the number of the table that it is about, or ``all``.
        kinds: what kind of statement it is; most are of one kind or none.
        cases: where it was tested.
        verdict: what the cases say together.
    """

    id: str
    statement: str
    section: str
    table: str
    kinds: tuple[Kind, ...]
    cases: tuple[Case, ...]
    verdict: Verdict

    @property
    def supporting(self) -> int:
        """How many cases support it."""
        return CaseCount.of(self.cases).supporting

    @property
    def contradicting(self) -> int:
        """How many cases contradict it."""
        return CaseCount.of(self.cases).contradicting

    @property
    def undecided(self) -> int:
        """How many cases the evidence cannot decide."""
        return CaseCount.of(self.cases).undecided

    @property
    def counts(self) -> Mapping[Tests | None, CaseCount]:
        """The cases counted by what they test, direction first; by ``None`` where no number is named."""
        found = {tests: [case for case in self.cases if case.tests is tests] for tests in (*Tests, None)}
        return {tests: CaseCount.of(cases) for tests, cases in found.items() if cases}


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
        """One document of plain values per claim; ``direction`` and ``size`` are null without such cases."""
        return [
            {
                "id": claim.id,
                "verdict": claim.verdict.value,
                "kinds": [kind.value for kind in claim.kinds],
                **attrs.asdict(CaseCount.of(claim.cases)),
                **{
                    tests.value: attrs.asdict(claim.counts[tests]) if tests in claim.counts else None
                    for tests in Tests
                },
                "statement": claim.statement,
                "section": claim.section,
                "table": claim.table,
                "evidence": self.evidence.value,
                "cases": [case.to_json() for case in claim.cases],
            }
            for claim in self.claims
        ]


def claims(
    source: Source,
    study: str | None = None,
    *,
    evidence: Evidence = Evidence.MEASURED,
    ids: Sequence[str] = (),
    with_cases: bool = False,
) -> Claims:
    """The paper's claims with their verdicts.

    Args:
        source: a store, its folder, or a DuckDB connection that has a store's views.
        study: of measured evidence, only this study's.
        evidence: published: what the paper's own tables say; measured: what the store's results say.
        ids: only these (``C1`` to ``C87``), in this order.
        with_cases: show the cases of each when the answer is printed.

    Raises:
        UnknownName: an id or study that does not exist, with the nearest one.
    """
    with laid_out(source, evidence, study) as connection:
        for words in ("words", "tables", "sizes", "kinds"):
            connection.execute(statement(f"claims/{words}"))
        known = {row["id"]: row for row in rows(connection, "claims/statements", {})}
        asked = [_known(name, list(known)) for name in ids] or list(known)
        cases = {name: rows(connection, f"claims/{name}", {}) for name in dict.fromkeys(asked)}
        judged = _judged(connection, cases)
        name = scope_of(connection, study, None).study if evidence is Evidence.MEASURED else None
    found = tuple(_claim(known[name], cases[name], judged[name]) for name in cases)
    return Claims(evidence, name, found, with_cases)


def _known(name: str, known: Sequence[str]) -> str:
    if name.upper() not in known:
        raise UnknownName(f"no claim {name!r}: {nearest(name, known)}there are {known[0]} to {known[-1]}")
    return name.upper()


def _judged(connection: DuckDBPyConnection, cases: Mapping[str, Sequence[Row]]) -> dict[str, Row]:
    """What kind of statement each claim is, and the verdict of its cases."""
    tried = [(name, row) for name, found in cases.items() for row in found]
    told = {
        "ids": [name for name, _ in tried],
        "sources": [row.get("source") for _, row in tried],
        "tests": [row.get("tests") for _, row in tried],
        "supports": [row["supports"] for _, row in tried],
    }
    return {row["id"]: row for row in rows(connection, "claims/verdicts", told)}


def _claim(said: Row, cases: Sequence[Row], judged: Row) -> Claim:
    kinds = tuple(map(Kind, judged["kinds"]))
    return Claim(**said, kinds=kinds, cases=_cases(cases), verdict=Verdict(judged["verdict"]))


def _cases(found: Sequence[Row]) -> tuple[Case, ...]:
    """Each with a name of its own as far as the source, and then the technique, tell them apart."""
    names = [row["case"] for row in found]
    if len({row.get("source") for row in found}) > 1:
        names = [f"{name} · {row['source']}" for name, row in zip(names, found, strict=True)]
    names = [
        f"{name}, {row['technique']}" if row.get("technique") and names.count(name) > 1 else name
        for name, row in zip(names, found, strict=True)
    ]
    return tuple(_case(name, row) for name, row in zip(names, found, strict=True))


def _case(name: str, row: Row) -> Case:
    tests = Tests(row["tests"]) if row.get("tests") else None
    return Case(name, row["supports"], row["shown"], tests, tuple(row.get("tied_with") or ()))
