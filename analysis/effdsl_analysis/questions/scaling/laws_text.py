"""How laws of growth look: a table for each axis and setting, then the crossings."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from rich.console import ConsoleRenderable, Group
from rich.table import Table

from effdsl.metrics import BY_NAME
from effdsl_analysis.answer import look
from effdsl_analysis.footnotes import TO_MEASURE
from effdsl_analysis.questions.scaling.laws import Crossing, CrossingPlace, Fit, Law, Scaling, ScalingGroup
from effdsl_analysis.text import names, number, table, words
from effdsl_analysis.vocabulary import Evidence

NUMBERS = ("exponent", "N doubled", "R²")
READING = (
    "value = c · N^exponent, N the parameters; least squares on logarithms, 95% intervals by Student's t. "
    "Three sizes leave one degree of freedom, so their intervals are wide. Unclear: the interval holds "
    "zero. A crossing is claimed only where the intervals of both exponents are apart."
)
NOTHING = f"Nothing here can be compared yet: {TO_MEASURE}, and --evidence published asks the paper's tables."
ADVICE = "A study with three scales, e.g. scales=[1*M, 3*M, 10*M], shows how its techniques scale."
OF_MODELS = "A study of three models of different sizes shows how its techniques scale."
PREFIXES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))


@look.register
def scaling(result: Scaling) -> Group:
    """A block for each axis and setting that has a fit, then what has none."""
    if not result.groups:
        return Group(words(NOTHING))
    parts: list[ConsoleRenderable] = []
    fitted = [found for found in result.groups if found.fitted]
    for found in fitted:
        parts += [words(_title(found), "bold"), _laws(found)]
        parts += [words(line) for line in [*_unequal(found), *_crossings(found)]]
        parts.append(words(""))
    notes = [*_without_fit(result)]
    if fitted:
        notes.append(READING)
    elif result.evidence is Evidence.MEASURED:
        notes.append(OF_MODELS if all(found.of_models for found in result.groups) else ADVICE)
    return Group(*parts, *map(words, notes))


def _title(found: ScalingGroup) -> str:
    sizes = max((law.size_names for law in found.fitted), key=len)
    over = f"over {len(sizes)} different models" if found.of_models else f"at {', '.join(sizes)}"
    return f"{found.axis} · {found.source} · {over}"


def _laws(found: ScalingGroup) -> Table:
    headings = ("metric", "technique", "exponent", "95% interval", "N doubled", "R²", "trend")
    shown = table(*headings, numeric=NUMBERS, unbroken=("95% interval",), keys=2)
    for metric, laws in groupby(found.fitted, key=lambda law: law.metric):
        label = BY_NAME[metric].label
        for law in laws:
            shown.add_row(*map(words, (label, *_law(law))))
            label = ""
    return shown


def _law(law: Law) -> tuple[str, ...]:
    if law.exponent is None or law.low is None or law.high is None:
        return law.technique, "", "", "", "", ""
    interval = f"[{_signed(law.low)}, {_signed(law.high)}]"
    doubled = f"{100 * (2**law.exponent - 1):+.3g}%" if law.exponent else "the same"
    r2 = "" if law.r2 is None else _below_one(law.r2)
    return law.technique, _signed(law.exponent), interval, doubled, r2, law.trend.value if law.trend else ""


def _signed(exponent: float) -> str:
    return f"{exponent:+.3f}" if exponent else "0"


def _below_one(r2: float) -> str:
    """To four digits; what is not quite 1 does not become 1."""
    return ">0.9999" if 0.99995 <= r2 < 1 else f"{r2:.4f}"


def _unequal(found: ScalingGroup) -> Iterator[str]:
    if found.micro_batches:
        sizes = ", ".join(map(str, found.micro_batches))
        yield f"The micro-batch differs between sizes ({sizes}), so memory and time are not of equal work."


def _crossings(found: ScalingGroup) -> Iterator[str]:
    open_pairs = sum(not pair.resolved for pair in found.crossings)
    for pair in found.crossings:
        if pair.resolved:
            yield f"{BY_NAME[pair.metric].label}: {_crossing(pair)}"
    if open_pairs:
        of = len(found.crossings)
        yield f"Crossings: {open_pairs} of {of} pairs not resolved: the intervals of their exponents overlap."


def _crossing(pair: Crossing) -> str:
    if pair.crossing is None:
        return f"{pair.a} and {pair.b} do not cross at any size that can be: {_where(pair)}"
    sides = f"{pair.lower_below} is lower below, {pair.lower_above} above"
    at = f"{_parameters(pair.crossing)}{_between(pair)}, {_where(pair)}"
    return f"{pair.a} and {pair.b} cross at {at}; {sides}"


def _between(pair: Crossing) -> str:
    if pair.low is None or pair.high is None or pair.low == pair.high:
        return ""
    return f" [{_parameters(pair.low)}, {_parameters(pair.high)}]"


def _where(pair: Crossing) -> str:
    if pair.place is None or pair.place is CrossingPlace.INSIDE:
        return "inside the range of sizes"
    edge = "largest" if pair.place is CrossingPlace.ABOVE else "smallest"
    times = "far" if pair.beyond is None else f"{pair.beyond:,.3g} times"
    return f"{times} {pair.place.value} the {edge} size: beyond what was compared"


def _parameters(count: float) -> str:
    for unit, letter in PREFIXES:
        if count >= unit:
            return f"{number(float(f'{count / unit:.3g}'))}{letter}"
    return f"{count:.3g}"


def _without_fit(result: Scaling) -> Iterator[str]:
    """What has no law, together where the reason is the same."""
    why: dict[str, list[str]] = {}
    for found in result.groups:
        unfitted = {(law.verdict, law.sizes) for law in found.laws if law.verdict is not Fit.FITTED}
        for verdict, sizes in sorted(unfitted, key=lambda why: (why[0].value, why[1])):
            techniques = {law.technique for law in found.laws if (law.verdict, law.sizes) == (verdict, sizes)}
            what = f": {names(sorted(techniques), 0)}" if found.fitted else ""
            reason = {
                Fit.NO_PARAMETERS: "No parameters are known",
                Fit.TOO_FEW_SIZES: f"{sizes} size{'s' * (sizes != 1)}, and a law needs three",
                Fit.NOT_POSITIVE: "A value is zero or less, so it has no logarithm",
            }[verdict]
            why.setdefault(reason, []).append(f"{found.axis} ({found.source}{what})")
    for reason, places in why.items():
        yield f"{reason}: {'; '.join(dict.fromkeys(places))}."
