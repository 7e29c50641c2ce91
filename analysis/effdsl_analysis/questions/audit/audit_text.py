"""How an audit looks: what was examined, then each rule that found something with what it found."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

from rich.console import ConsoleRenderable, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from effdsl_analysis.answer import look
from effdsl_analysis.questions.audit.auditing import Audit, Finding
from effdsl_analysis.text import words
from effdsl_analysis.vocabulary import Evidence, Severity

STYLES = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}


@look.register
def audit(result: Audit) -> Group:
    """Counts first; a block per rule; the rules that found nothing last."""
    parts: list[ConsoleRenderable] = [words(_summary(result), "bold"), Text("")]
    questions = {rule.name: rule.question for rule in result.rules}
    for name, found in groupby(result.findings, key=lambda finding: finding.rule):
        block = list(found)
        parts += [
            words(f"{name} · {_counts(block)}", "bold"),
            words(questions[name], "dim"),
            Padding(_block(block, result.evidence), (0, 0, 0, 2)),
            Text(""),
        ]
    silent = [name for name in questions if name not in {finding.rule for finding in result.findings}]
    if silent and result.findings:
        parts.append(words(f"Nothing found by: {', '.join(silent)}."))
    if result.findings:
        parts.append(words("; ".join(f"{each.value}: {each.meaning}" for each in Severity) + "."))
        parts.append(words("Each holds under what it says is assumed. `--json` lists every cell."))
    return Group(*parts)


def _summary(result: Audit) -> str:
    rules = _number(len(result.rules), "rule")
    if result.evidence is Evidence.PUBLISHED:
        what = f"{result.examined:,} values printed by EfficientLLM (arXiv 2505.13840)"
    else:
        what = f"{_number(result.examined, 'measured result')} of {result.study or 'the store'}"
    if not result.examined:
        return f"{rules}, {what}: there is nothing to examine. `effdsl execute STUDY` runs a study."
    return f"{rules} over {what}: {_counts(result.findings) if result.findings else 'nothing found'}."


def _counts(found: tuple[Finding, ...] | list[Finding]) -> str:
    by_severity = Counter(finding.severity for finding in found)
    return ", ".join(_number(by_severity[each], each.value) for each in Severity if by_severity[each])


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def _block(found: list[Finding], evidence: Evidence) -> Table:
    shown = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    shown.add_column(no_wrap=True)
    shown.add_column(max_width=22, overflow="fold")
    shown.add_column(overflow="fold")
    for finding in found:
        shown.add_row(
            words(finding.severity.value, STYLES[finding.severity]),
            words(_where(finding, evidence)),
            words(finding.explanation),
        )
    return shown


def _where(finding: Finding, evidence: Evidence) -> str:
    if evidence is Evidence.PUBLISHED or not finding.cells:
        return finding.table
    cell = finding.cells[0]
    return f"{finding.table} {cell['technique']}, {cell['scale'] or 'no scale'}, seed {cell['seed']}"
