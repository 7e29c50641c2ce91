"""How a difference looks: text of at most 100 columns, or the same in a notebook."""

from __future__ import annotations

import re

from rich.console import ConsoleRenderable, Group
from rich.text import Text

from effdsl.key import short
from effdsl_analysis.answer import look
from effdsl_analysis.questions.diff.difference import Change, Difference
from effdsl_analysis.text import table, words

DIGEST = re.compile(r"\b[0-9a-f]{64}\b")


@look.register
def difference(result: Difference) -> Group:
    """A table for each part that differs; a sentence when nothing does."""
    a, b = result.names
    if not result.changes:
        return Group(words(f"{a} and {b} are equal in identity, provenance and metrics."))
    parts: list[ConsoleRenderable] = []
    for part in result.parts:
        shown = table("", a, b, *(["b against a"] if part == "metrics" else []))
        for change in result.of(part):
            shown.add_row(*(words(text) for text in _change_row(change, part == "metrics")))
        parts += [words(part, "bold"), shown, Text("")]
    if not result.of("identity"):
        parts.append(words("Identity: equal."))
    if result.of("metrics"):
        parts.append(words("Two single runs: whether a difference exceeds the spread, `effdsl rank` says."))
    return Group(*parts)


def _change_row(change: Change, with_verdict: bool) -> list[str]:
    values = [DIGEST.sub(_shortened, value) for value in (change.a, change.b)]
    return [change.name, *values, *([change.verdict] if with_verdict else [])]


def _shortened(digest: re.Match[str]) -> str:
    """A digest by the digits that people are shown: two whole ones do not fit beside each other."""
    return f"{short(digest[0])}…"
