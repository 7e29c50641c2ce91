"""How an agreement looks: what differs first, then each metric with its values, pairs and tau."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import ConsoleRenderable, Group
from rich.table import Table
from rich.text import Text

from effdsl_analysis.answer import look
from effdsl_analysis.naming import quantity
from effdsl_analysis.questions.compare.agreement import Agreement, MetricAgreement, TechniquePair, Value
from effdsl_analysis.text import number, table, words
from effdsl_analysis.vocabulary import Contrast

SIGNS = {
    Contrast.LOWER: ">",
    Contrast.HIGHER: "<",
    Contrast.EQUAL: "=",
    Contrast.TIED: "≈",
    Contrast.UNDECIDED: "?",
}
"""Between a and b, of what is said of b against a."""


@look.register
def agreement(result: Agreement) -> Group:
    """The set-ups, a block per metric, and how to read it."""
    whose = result.study or "everything in the store"
    parts: list[ConsoleRenderable] = [
        words(f"Table {result.table} of EfficientLLM, as printed, and {whose}, measured here", "bold")
    ]
    parts += [_differs(result), Text("")] if result.differs else [Text("")]
    several = len({found.setting for found in result.metrics}) > 1
    for found in result.metrics:
        where = f" · {found.setting}" if several else ""
        parts += [
            words(f"{quantity(found.metric)}, {found.metric.better.value} is better{where}", "bold"),
            _values(found),
            _pairs(found),
            _taus(found),
            Text(""),
        ]
    return Group(*parts, words(READING))


READING = (
    "Pairs a – b: < a is lower; > a is higher; = the same; ≈ the repeats do not tell them apart; ? too few "
    "repeats. tau: Kendall's tau-b of the means, 1 the same order, -1 the reverse; may be: what it can be "
    "when each pair that is not told apart at 95% may go either way."
)


def _differs(result: Agreement) -> Table:
    shown = table("what differs", "printed", "measured")
    for fact in result.differs:
        shown.add_row(*map(words, (fact.name, fact.printed or "not said", fact.measured or "not said")))
    return shown


def _values(found: MetricAgreement) -> Table:
    printed = list(dict.fromkeys(v.size for v in found.values if v.side == "printed"))
    measured = list(dict.fromkeys(v.size for v in found.values if v.side == "measured"))
    columns = [f"printed {size}" for size in printed] + [f"measured {size}" for size in measured]
    shown = table("technique", *columns, numeric=columns[: len(printed)])
    methods = dict.fromkeys(v.method for v in found.values)
    for method in methods:
        cells = [_cell(found.values, method, "printed", size) for size in printed]
        cells += [_cell(found.values, method, "measured", size) for size in measured]
        shown.add_row(*map(words, (_called(found.values, method), *cells)))
    return shown


def _called(values: Sequence[Value], method: str) -> str:
    """As it was measured, with the paper's word where that is another."""
    names = sorted({v.technique for v in values if v.method == method and v.side == "measured"})
    called = ", ".join(names)
    return called if called.lower() == method else f"{called} (printed: {method})"


def _cell(values: Sequence[Value], method: str, side: str, size: str) -> str:
    found = [v for v in values if (v.method, v.side, v.size) == (method, side, size)]
    return ", ".join(map(_said, found)) or "–"


def _said(value: Value) -> str:
    if value.low is None or value.high is None or value.low == value.high:
        return f"{value.value:.5g}"
    half = (value.high - value.low) / 2
    return f"{number(value.value, half)} [{number(value.low, half)}, {number(value.high, half)}]"


def _pairs(found: MetricAgreement) -> Table:
    """A row per pair: the signs printed at each size, the sign measured, and whether they agree."""
    printed = list(dict.fromkeys(pair.printed_size for pair in found.pairs))
    measured = list(dict.fromkeys(pair.measured_size for pair in found.pairs))
    shown = table("pair", *(f"printed {s}" for s in printed), *(f"measured {s}" for s in measured), "agree")
    for a, b in dict.fromkeys((pair.a, pair.b) for pair in found.pairs):
        mine = [pair for pair in found.pairs if (pair.a, pair.b) == (a, b)]
        signs = [SIGNS[next(p.printed for p in mine if p.printed_size == size)] for size in printed]
        signs += [SIGNS[next(p.measured for p in mine if p.measured_size == size)] for size in measured]
        shown.add_row(*map(words, (f"{a} – {b}", *signs, _agree(mine))))
    return shown


def _agree(pairs: Sequence[TechniquePair]) -> str:
    decided = [pair for pair in pairs if pair.agrees is not None]
    if not decided:
        return "not told apart"
    agreeing = sum(pair.agrees is True for pair in decided)
    if agreeing in (0, len(pairs)):
        return "yes" if agreeing else "no"
    return f"{agreeing} of {len(decided)}{' told apart' if len(decided) < len(pairs) else ''}"


def _taus(found: MetricAgreement) -> Table:
    shown = table("order", "tau", "may be", "ordered as printed", unbroken=("may be",))
    for tau in found.taus:
        between = "not defined", ""
        if tau.tau is not None and tau.tau_low is not None and tau.tau_high is not None:
            between = f"{tau.tau:.2f}", f"{tau.tau_low:.2f} to {tau.tau_high:.2f}"
        told = f"{tau.agreeing} of {tau.resolved} resolved pairs, of {tau.pairs}"
        sizes = f"printed {tau.printed_size}, measured {tau.measured_size}"
        shown.add_row(*map(words, (sizes, *between, told)))
    return shown
