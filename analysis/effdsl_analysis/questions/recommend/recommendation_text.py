"""How a recommendation looks: a few labelled lines for each decision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from rich.console import ConsoleRenderable, Group
from rich.table import Table
from rich.text import Text

from effdsl.metrics import BY_NAME, Better, Metric
from effdsl.problems import listed
from effdsl_analysis.answer import look
from effdsl_analysis.ask import Objective
from effdsl_analysis.fairness import models
from effdsl_analysis.footnotes import TO_MEASURE
from effdsl_analysis.naming import quantity
from effdsl_analysis.questions.recommend.bounds import bounds
from effdsl_analysis.questions.recommend.conditions import Condition, percent
from effdsl_analysis.questions.recommend.decisions import (
    BoundSegment,
    Candidate,
    Decision,
    DecisionVerdict,
    Estimate,
    Gap,
    Satisfaction,
)
from effdsl_analysis.questions.recommend.recommendation import Recommendation
from effdsl_analysis.text import number, words
from effdsl_analysis.vocabulary import Across, Contrast, Evidence

SUPERLATIVE = {Better.LOWER: "lowest", Better.HIGHER: "highest"}
NOT_CERTAIN = {Contrast.TIED: "not told apart", Contrast.UNDECIDED: "too few repeats to tell"}
MEASURED = (
    "Not told apart: the 95% interval of the difference holds zero. A condition is tested on the mean; "
    "where the interval reaches across the bound, that is said."
)
NOTHING = (
    "Nothing here can be compared yet: a choice needs two techniques that were trained alike; "
    f"{TO_MEASURE}, and --evidence published asks the paper's tables."
)
PRINTED = "The paper prints each value once, so how certain a choice is cannot be said."


@look.register
def recommendation(result: Recommendation) -> Group:
    """What was asked, a block for each decision, and what could not be decided."""
    if not result.decisions:
        return Group(words(NOTHING))
    parts: list[ConsoleRenderable] = [words(_asked(result), "bold"), Text("")]
    decided = [found for found in result.decisions if found.verdict is not DecisionVerdict.NO_EVIDENCE]
    for decision in decided:
        parts += map(words, models(decision.candidates) if result.question.across else [])
        parts += [words(_title(decision), "bold"), _block(result, decision), Text("")]
    notes = [*_without_evidence(result)]
    if decided:
        notes.append(PRINTED if result.evidence is Evidence.PUBLISHED else MEASURED)
    return Group(*parts, *map(words, notes))


def _asked(result: Recommendation) -> str:
    best = f"the {_wanted(result.question.best)}"
    if result.question.conditions:
        best += f" with {' and '.join(map(str, result.question.conditions))}"
    if result.question.across is Across.MODELS:
        best += " of all models"
    if result.question.then is None:
        return f"{best[0].upper()}{best[1:]} · {result.evidence.value}"
    near = "Tied with" if result.question.within is None else f"Within {percent(result.question.within)} of"
    return f"{near} {best}: the {_wanted(result.question.then)} · {result.evidence.value}"


def _wanted(objective: Objective) -> str:
    return f"{SUPERLATIVE[objective.better]} {quantity(objective.metric)}"


def _title(decision: Decision) -> str:
    return " · ".join(filter(None, [decision.axis, decision.size, decision.source]))


def _block(result: Recommendation, decision: Decision) -> Table:
    shown = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 2))
    shown.add_column(style="dim", no_wrap=True, min_width=11)
    shown.add_column(overflow="fold")
    for label, line in _lines(result, decision):
        shown.add_row(words(label), line if isinstance(line, Text) else words(line))
    return shown


def _lines(result: Recommendation, decision: Decision) -> Iterator[tuple[str, str | Text]]:
    best = result.question.best.metric
    if decision.verdict is DecisionVerdict.CHOSEN:
        yield (
            "choice",
            words(f"{decision.chosen[0]}: {_values(decision.candidate(decision.chosen[0]))}", "bold"),
        )
    elif decision.verdict is DecisionVerdict.TIED:
        yield from _tied(result, decision)
    else:
        yield from _nothing(result, decision)
    if decision.leader and decision.leader not in decision.chosen:
        yield f"best {best.label}", _against(decision.candidate(decision.leader))
    if decision.runner_up is None and decision.verdict is DecisionVerdict.CHOSEN:
        yield "runner-up", f"none: nothing else {_asked_for(result)}"
    elif decision.runner_up and decision.runner_up != decision.leader:
        yield "runner-up", _against(decision.candidate(decision.runner_up))
    yield from _binding(result, decision)
    yield from _doubts(result, decision)
    yield from _flips(decision, result.question.within)


def _asked_for(result: Recommendation) -> str:
    within, best = result.question.within, result.question.best.metric
    return (
        "has what is asked for" if within is None else f"is within {percent(within)} of the best {best.label}"
    )


def _flips(decision: Decision, within: float | None) -> Iterator[tuple[str, Text]]:
    """The choice along each bound that matters, from tight to loose."""
    moved = False
    for _, along in groupby(decision.path, key=lambda segment: segment.condition):
        segments = list(along)
        if len(segments) > 1:
            moved = True
            metric = segments[0].condition.metric.name if segments[0].condition else "within"
            yield "flips", _path(metric, segments, within)
    if decision.path and not moved:
        yield "flips", words("no one bound changes this")


def _tied(result: Recommendation, decision: Decision) -> Iterator[tuple[str, str | Text]]:
    first, *others = decision.chosen
    one_of = f"one of {', '.join(decision.chosen)}: {_why_tied(result, decision)}"
    yield "no choice", words(one_of, "bold")
    yield first, _values(decision.candidate(first))
    for name in others:
        yield name, _against(decision.candidate(name), named=False)


def _why_tied(result: Recommendation, decision: Decision) -> str:
    if decision.undecided:
        return "too few repeats to tell; set repeats=3 in the study"
    if result.evidence is Evidence.PUBLISHED:
        return "the values are the same"
    if decision.unsure and result.question.within is not None:
        near = f"within {percent(result.question.within)} of {decision.leader}"
        return f"the repeats do not tell whether {listed(decision.unsure)} {_are(decision.unsure)} {near}"
    if result.question.then is None:
        return "the repeats do not tell them apart; --then METRIC chooses among them"
    return "the repeats do not tell them apart"


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _nothing(result: Recommendation, decision: Decision) -> Iterator[tuple[str, str | Text]]:
    yield "no choice", words(f"nothing has {' and '.join(map(str, result.question.conditions))}", "bold")
    if decision.nearest:
        found = decision.candidate(decision.nearest[0])
        broken = [
            f"{_excess(condition, found.values[condition.metric.name].value)} beyond {condition}"
            for condition, meets in zip(result.question.conditions, found.meets, strict=True)
            if meets in (Satisfaction.NO, Satisfaction.POSSIBLY_NOT)
        ]
        yield "nearest", f"{found.technique}: {_values(found)}; {' and '.join(broken)}"


def _excess(condition: Condition, value: float) -> str:
    """As a share of the bound, or, of a bound of zero, in the metric's unit."""
    excess = abs(value - condition.bound)
    if condition.bound:
        return _signed(excess / abs(condition.bound)).removeprefix("+")
    return f"{number(excess)}{_unit(condition.metric)}"


def _binding(result: Recommendation, decision: Decision) -> Iterator[tuple[str, str]]:
    """What keeps the choice from being another; nothing satisfied is a line of its own already."""
    if not decision.binding and result.question.conditions and decision.chosen:
        yield "binding", "none"
    for found in decision.binding if decision.chosen else ():
        what = "all conditions together" if found.condition is None else str(found.condition)
        would = ", ".join(found.otherwise)
        if len(found.otherwise) == 1:
            metrics = [result.question.best.metric, *([found.condition.metric] if found.condition else [])]
            would += f": {_values(decision.candidate(found.otherwise[0]), metrics, gaps=True)}"
        yield "binding", f"{what}; without it {would}{' (tied)' if len(found.otherwise) > 1 else ''}"


def _doubts(result: Recommendation, decision: Decision) -> Iterator[tuple[str, str]]:
    if decision.pessimistic is not None and decision.chosen:
        conditions = _that_are(Satisfaction.POSSIBLY, result, decision.chosen, decision)
        instead = ", ".join(decision.pessimistic) or "nothing"
        yield "not certain", f"the interval reaches out of {conditions}; certainly within: {instead}"
    also = [name for name in decision.optimistic or () if name not in decision.chosen]
    if also and decision.optimistic:
        conditions = _that_are(Satisfaction.POSSIBLY_NOT, result, also, decision)
        then = f"if within, the choice is {', '.join(decision.optimistic)}"
        yield "not certain", f"the interval of {', '.join(also)} reaches into {conditions}; {then}"


def _that_are(meets: Satisfaction, result: Recommendation, names: Iterable[str], decision: Decision) -> str:
    """The conditions that one of the candidates meets in this way."""
    how = [decision.candidate(name).meets for name in names]
    found = [
        str(condition)
        for place, condition in enumerate(result.question.conditions)
        if any(met[place] == meets for met in how)
    ]
    return " and ".join(found)


def _values(found: Candidate, metrics: Sequence[Metric] = (), *, gaps: bool = False) -> str:
    """Its values, all or those of some metrics; with ``gaps`` by how much they differ from the choice's."""
    wanted = [metric.name for metric in metrics] or list(found.values)
    shown = []
    for name in dict.fromkeys(wanted):
        gap = found.gaps.get(name) if gaps else None
        shown.append(_value(BY_NAME[name], found.values[name]) + (f" ({_gap(gap)})" if gap else ""))
    return ", ".join(shown)


def _value(metric: Metric, figure: Estimate) -> str:
    unit = _unit(metric)
    if figure.printed is not None:
        return f"{metric.label} {figure.printed}{unit}"
    if figure.low is None or figure.high is None or figure.low == figure.high:
        return f"{metric.label} {number(figure.value)}{unit}"
    half = (figure.high - figure.low) / 2
    return f"{metric.label} {number(figure.value, half)} ± {number(half, half)}{unit}"


def _unit(metric: Metric) -> str:
    return "" if metric.unit in ("", "fraction", "ratio") else f" {metric.unit}"


def _against(found: Candidate, *, named: bool = True) -> str:
    return f"{found.technique}: {_values(found, gaps=True)}" if named else _values(found, gaps=True)


def _gap(gap: Gap) -> str:
    if gap.verdict is Contrast.EQUAL:
        return "the same"
    if gap.share is None:
        text = f"{gap.difference:+.3g}"
    elif gap.share_low is None or gap.share_high is None or gap.share_low == gap.share_high:
        text = _signed(gap.share)
    else:
        text = f"{_signed(gap.share)}, {_signed(gap.share_low)} to {_signed(gap.share_high)}"
    return f"{text}, {NOT_CERTAIN[gap.verdict]}" if gap.verdict in NOT_CERTAIN else text


def _signed(share: float) -> str:
    """Three digits, and thousands in full rather than as a power of ten."""
    percentage = 100 * share
    return f"{percentage:+,.0f}%" if abs(percentage) >= 999.5 else f"{percentage:+.3g}%"


def _path(metric: str, segments: Sequence[BoundSegment], within: float | None) -> Text:
    """The choice along one bound, from tight to loose; where the question stands is bold."""
    parts = [words(f"{metric}: ")]
    for segment, where in zip(segments, bounds(segments, within), strict=True):
        who = ", ".join(segment.chosen) or "nothing"
        parts += [words(f"{who} {where}", "bold" if segment.step == 0 else ""), words(" · ")]
    return Text.assemble(*parts[:-1])


def _without_evidence(result: Recommendation) -> Iterable[str]:
    """Where there is no choice for want of values, together where the same are missing."""
    lacking: dict[tuple[str, ...], list[str]] = {}
    for decision in result.decisions:
        if decision.verdict is DecisionVerdict.NO_EVIDENCE:
            missing = sorted({name for found in decision.candidates for name in found.lacking})
            lacking.setdefault(tuple(missing), []).append(f"{decision.axis} ({decision.source})")
    for names, places in lacking.items():
        what = " or ".join(BY_NAME[name].label for name in names)
        why = f"Fewer than two techniques with {what}" if names else "One technique only"
        yield f"{why}, so no choice: {'; '.join(dict.fromkeys(places))}."
