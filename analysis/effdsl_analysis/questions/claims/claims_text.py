"""How claims look: a line each with its verdict, or each with the cases that decide it."""

from __future__ import annotations

from rich.console import ConsoleRenderable, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from effdsl_analysis.answer import look
from effdsl_analysis.questions.claims.verdicts import Case, CaseCount, Claim, Claims, Kind, Tests, Verdict
from effdsl_analysis.text import table, words
from effdsl_analysis.vocabulary import Evidence

STYLES = {Verdict.HOLDS: "green", Verdict.FAILS: "red", Verdict.PARTLY: "yellow", Verdict.UNDECIDED: "dim"}
COUNTED = {
    Verdict.HOLDS: ("holds", "hold"),
    Verdict.PARTLY: ("holds in part", "hold in part"),
    Verdict.FAILS: ("fails", "fail"),
    Verdict.UNDECIDED: ("is undecided", "are undecided"),
}

NEXT = "`effdsl execute STUDY` measures; `effdsl claims --evidence published` asks the paper's own tables."


@look.register
def claims(result: Claims) -> Group:
    """What they were tested on, the claims, how many hold, and what else can be asked."""
    told = [claim for claim in result.claims if claim.cases]
    untold = [claim for claim in result.claims if not claim.cases]
    parts: list[ConsoleRenderable] = [words(_title(result), "bold"), Text("")]
    if result.with_cases:
        for claim in told:
            parts += [_heading(claim), Padding(_cases(claim), (0, 0, 0, 2)), Text("")]
    elif told:
        parts += [_overview(told), Text("")]
    if untold:
        parts.append(words(_untold(untold, bool(told))))
    if told:
        parts += [words(_total(result)), *(words(line) for line in _reading(result))]
    elif result.evidence is Evidence.MEASURED:
        parts.append(words(NEXT))
    return Group(*parts)


def _title(result: Claims) -> str:
    if result.evidence is Evidence.PUBLISHED:
        return "Claims of EfficientLLM (arXiv 2505.13840), tested on the tables that it printed"
    whose = f"results of {result.study}" if result.study else "every result in the store"
    return f"Claims of EfficientLLM (arXiv 2505.13840), tested on {whose}"


def _overview(told: list[Claim]) -> Table:
    shown = table("id", "verdict", "cases", "claim")
    for claim in told:
        verdict = words(claim.verdict.value, STYLES[claim.verdict])
        shown.add_row(
            words(claim.id), verdict, Text(",\n").join(map(words, _shares(claim))), words(claim.statement)
        )
    shown.columns[2].no_wrap = True
    return shown


def _shares(claim: Claim) -> list[str]:
    """How many cases say so: ``3 of 3``, ``counter-examples in 1 of 3``, or of a claim that gives a number
    ``direction holds in 9 of 9`` and ``size in 0 of 9``."""
    shares: list[str] = []
    for tests, count in claim.counts.items():
        share = _share(claim, tests, count)
        verb = "" if shares or not tests else "holds "
        shares.append(f"{tests.value} {verb}{share}" if tests else share)
    return shares


def _share(claim: Claim, tests: Tests | None, count: CaseCount) -> str:
    """How many cases support it, and how many of the rest are open rather than against it."""
    share = f"{count.supporting} of {count.cases}"
    if tests is Tests.SIZE and Kind.RANGE in claim.kinds:
        share = f"at {share} ends"
    elif tests:
        share = f"in {share}"
    elif _has_counter_examples(claim):
        share = f"counter-examples in {count.contradicting} of {count.cases}"
    return f"{share}, {count.undecided} open" if count.undecided else share


def _has_counter_examples(claim: Claim) -> bool:
    return Kind.EVERY in claim.kinds and None in claim.counts and claim.contradicting > 0


def _heading(claim: Claim) -> Text:
    where = f"Table {claim.table}" if claim.table.isdigit() else "all tables"
    told = words(f"{claim.id} ", "bold").append_text(words(claim.verdict.value, STYLES[claim.verdict]))
    shares = ", ".join(_shares(claim))
    beside = ", " if shares[0].isdigit() else "; "
    return told.append_text(words(f"{beside}{shares}: {claim.statement} ({where}; said in {claim.section})"))


def _cases(claim: Claim) -> Table:
    """Its cases; what each tests where that differs."""
    apart = len(claim.counts) > 1
    shown = table("case", *["tests"] * apart, "supports", "compared")
    for case in claim.cases:
        tests = [words(case.tests.value if case.tests else "")] * apart
        shown.add_row(words(case.case), *tests, _supports(case), words(case.shown))
    return shown


def _supports(case: Case) -> Text:
    if case.supports is None:
        return words("open", STYLES[Verdict.UNDECIDED])
    said = words("yes", STYLES[Verdict.HOLDS]) if case.supports else words("no", STYLES[Verdict.FAILS])
    return said.append_text(words(f" (tied with {', '.join(case.tied_with)})")) if case.tied_with else said


def _untold(untold: list[Claim], others: bool) -> str:
    if len(untold) == 1:
        return f"Undecided, as nothing in this evidence is about it: {untold[0].id} ({untold[0].statement})."
    which = "the other " if others else ""
    return (
        f"Undecided, as nothing in this evidence is about them: {which}{len(untold)} claims, {_runs(untold)}."
    )


def _runs(found: list[Claim]) -> str:
    """``C3, C4, C30 to C83``: their ids, neighbours together."""
    runs: list[list[int]] = []
    for number in (int(claim.id.removeprefix("C")) for claim in found):
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(
        f"C{run[0]} to C{run[-1]}" if len(run) > 2 else ", ".join(f"C{n}" for n in run) for run in runs
    )


def _total(result: Claims) -> str:
    counts = {verdict: len(result.of(verdict)) for verdict in COUNTED}
    told = [f"{n} {COUNTED[verdict][n != 1]}" for verdict, n in counts.items() if n]
    claims = "1 claim" if len(result.claims) == 1 else f"{len(result.claims)} claims"
    return f"{claims}: {', '.join(told)}."


def _reading(result: Claims) -> list[str]:
    lines = []
    if result.evidence is Evidence.MEASURED:
        lines.append("Open: not told apart at 95% by the repeats, or not measured.")
    if any(claim.counts.keys() & set(Tests) for claim in result.claims):
        lines.append("Direction: which way it goes, whatever the number; size: the number, which decides.")
    if any(_has_counter_examples(claim) for claim in result.claims):
        lines.append(
            "Counter-examples: cases against what is said of every one; it fails if they are more than half."
        )
    if result.with_cases and any(case.tied_with for claim in result.claims for case in claim.cases):
        lines.append("Tied with: of the same value, so still lowest or highest, but not lower or higher.")
    if not result.with_cases:
        lines.append("Cases: the scales, models and numbers that support it; `--why` shows them.")
    return lines
