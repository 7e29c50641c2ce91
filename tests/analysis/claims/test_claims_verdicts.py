"""What the cases of a claim say together, against the same rules in plain Python on statements read anew."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from effdsl_analysis.evidence import laid_out
from effdsl_analysis.queries import rows, statement
from effdsl_analysis.questions.claims.verdicts import Claim, Claims, Kind, claims
from effdsl_analysis.questions.claims.verdicts import Tests as CaseTests
from effdsl_analysis.vocabulary import Evidence

pytestmark = pytest.mark.slow  # every verdict of the paper is computed

UNIVERSAL = re.compile(r"\b(every|all|any|both|each|consistently)\b", re.IGNORECASE)
README = Path(__file__).parents[3] / "README.md"
OF_RIVALS = {"C33", "C38", "C78"}
"""Where "all methods" or "any other method" are the rivals of one case, so that a case tests them all."""
WORST_FIRST = ("fails", "partly", "undecided", "holds")

Supports = Sequence[bool | None]


@pytest.fixture(scope="module")
def published(nothing: Any) -> Claims:
    return claims(nothing, evidence=Evidence.PUBLISHED)


@pytest.fixture(scope="module")
def judge(nothing: Any) -> Any:
    """A function: the verdict of a claim on made-up cases, each ``(supports, tests, source)``."""
    with laid_out(nothing, Evidence.PUBLISHED) as connection:
        for words in ("words", "kinds"):
            connection.execute(statement(f"claims/{words}"))

        def ask(id_: str, *cases: tuple[bool | None, str | None, str | None]) -> str:
            supports, tests, sources = zip(*cases, strict=True) if cases else ((), (), ())
            told = {"supports": list(supports), "tests": list(tests), "sources": list(sources)}
            found = rows(connection, "claims/verdicts", {"ids": [id_] * len(cases), **told})
            return next(str(row["verdict"]) for row in found if row["id"] == id_)

        yield ask


def together(supports: Supports, of_every: bool) -> str:
    yes, no = supports.count(True), supports.count(False)
    if no and (not yes or (of_every and no / len(supports) > 0.5)):
        return "fails"
    if no:
        return "partly"
    return "holds" if yes and yes == len(supports) else "undecided"


def expected(claim: Claim) -> str:
    """Its verdict by the words of its statement: the worse of its number's and its other cases'."""
    sizes = [case.supports for case in claim.cases if case.tests is CaseTests.SIZE]
    others = [case.supports for case in claim.cases if case.tests is not CaseTests.SIZE]
    if re.search(r"\b(?:from|From) [\d.]+B? to [\d.]+", claim.statement):
        sizes = [False if False in sizes else None if None in sizes else True]
    of_every = bool(UNIVERSAL.search(claim.statement)) and claim.id not in OF_RIVALS
    found = [together(sizes, False)] if sizes else []
    found += [together(others, of_every)] if others else []
    return min(found, key=WORST_FIRST.index)


def test_every_verdict_is_that_of_its_words_and_cases(published: Claims) -> None:
    found = {claim.id: claim.verdict.value for claim in published.claims}
    assert found == {claim.id: expected(claim) for claim in published.claims}
    assert Counter(found.values()) == {"holds": 41, "partly": 22, "fails": 20, "undecided": 4}


def test_the_readme_counts_the_verdicts_of_today(published: Claims) -> None:
    found = Counter(claim.verdict.value for claim in published.claims)
    said = "{holds} hold, {partly} hold in part, {fails} fail and {undecided} are undecided".format(**found)
    assert said in README.read_text(encoding="utf-8")


def test_a_number_that_holds_nowhere_fails_whatever_its_direction(published: Claims) -> None:
    by_number = {
        claim.id: (claim.counts[CaseTests.DIRECTION].supporting, claim.counts[CaseTests.DIRECTION].cases)
        for claim in published.claims
        if claim.verdict.value == "fails" and CaseTests.DIRECTION in claim.counts
    }
    assert by_number == {
        "C3": (1, 1),
        "C15": (1, 1),
        "C45": (4, 7),
        "C51": (9, 9),
        "C53": (9, 9),
        "C54": (7, 9),
        "C59": (4, 9),
        "C61": (6, 9),
    }


def test_the_kinds_of_every_statement_are_in_its_words(published: Claims, nothing: Any) -> None:
    said = {claim.id: claim.statement for claim in published.claims}
    with laid_out(nothing, Evidence.PUBLISHED) as connection:
        connection.execute(statement("claims/kinds"))
        kinds = connection.sql("SELECT id, kind, words FROM kinds").fetchall()
    assert not [(id_, words) for id_, _, words in kinds if words not in said[id_]]
    of_every = {id_ for id_, kind, _ in kinds if kind == "every"}
    assert of_every | OF_RIVALS == {id_ for id_, text in said.items() if UNIVERSAL.search(text)}
    assert not of_every & OF_RIVALS


def test_a_claim_gives_a_number_if_and_only_if_cases_test_one(published: Claims) -> None:
    """But for C44, whose number no table can test, as it has no model above 24B."""
    numbered = {claim.id for claim in published.claims if {Kind.NUMBER, Kind.RANGE} & set(claim.kinds)}
    assert numbered - {"C44"} == {claim.id for claim in published.claims if CaseTests.SIZE in claim.counts}


@pytest.mark.parametrize(
    ("supports", "verdict"),
    [
        ([True, True, True], "holds"),
        ([True, True, False], "partly"),
        ([True, False], "partly"),  # half is not more than half
        ([True, False, False], "fails"),
        ([True, False, False, None], "partly"),  # of four cases
        ([False, None], "fails"),
        ([True, None], "undecided"),
        ([], "undecided"),
    ],
)
def test_more_than_half_deny_what_is_said_of_every_case(judge: Any, supports: Supports, verdict: str) -> None:
    assert judge("C1", *((case, None, None) for case in supports)) == verdict


def test_what_is_not_said_of_every_case_is_right_in_part_where_any_support_it(judge: Any) -> None:
    assert judge("C39", (True, None, None), (False, None, None), (False, None, None)) == "partly"


@pytest.mark.parametrize(
    ("directions", "sizes", "verdict"),
    [
        ([True, True], [False, False], "fails"),
        ([True, True], [True, False], "partly"),
        ([True, True], [True, True], "holds"),
        ([True, False], [True, True], "partly"),
        ([False, False], [True], "fails"),
        ([True, True], [None, None], "undecided"),
        ([True, True], [], "undecided"),  # a number that nothing tests does not hold
        ([False, False], [None, None], "fails"),
        ([], [True], "holds"),
    ],
)
def test_a_number_decides_and_its_direction_cannot_hide_it(
    judge: Any, directions: Supports, sizes: Supports, verdict: str
) -> None:
    cases = [*((case, "direction", None) for case in directions), *((case, "size", None) for case in sizes)]
    assert judge("C51", *cases) == verdict


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [
        ([(True, "a"), (True, "a")], "holds"),
        ([(True, "a"), (False, "a")], "fails"),
        ([(True, "a"), (None, "a")], "undecided"),
        ([(False, "a"), (None, "a")], "fails"),
        ([(True, "a"), (True, "a"), (True, "b"), (False, "b")], "partly"),
        ([(True, "a"), (False, "a"), (False, "b"), (True, "b")], "fails"),
    ],
)
def test_a_range_takes_both_its_ends(
    judge: Any, ends: Sequence[tuple[bool | None, str]], verdict: str
) -> None:
    assert judge("C41", *((supports, "size", source) for supports, source in ends)) == verdict
