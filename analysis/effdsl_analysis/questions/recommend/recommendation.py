"""What to choose: the best technique that satisfies some conditions, and what that answer hangs on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import attrs

from effdsl.metrics import Better
from effdsl_analysis.answer import Answer
from effdsl_analysis.ask import Objective, UnknownName, parse_objectives, unknown
from effdsl_analysis.evidence import laid_out
from effdsl_analysis.naming import name_cells
from effdsl_analysis.queries import Row, T, read_as, rows, statement
from effdsl_analysis.questions.recommend.conditions import Condition, parse_conditions, parse_tolerance
from effdsl_analysis.questions.recommend.decisions import (
    Binding,
    BoundSegment,
    Candidate,
    CandidateState,
    Decision,
    DecisionVerdict,
    Estimate,
    Gap,
    Question,
    Satisfaction,
)
from effdsl_analysis.relations import AnswerTable
from effdsl_analysis.vocabulary import Across, Evidence

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from effdsl_analysis.queries import Source

TWIN_COLUMNS = ("technique", "layers", "hidden_size", "micro_batch_size")


@attrs.frozen
class Recommendation(Answer):
    """What to choose along each axis and at each size; prints as text or HTML, and gives JSON.

    Attributes:
        question: what was asked.
        decisions: one per axis, setting and size; none where no two techniques were trained alike.
    """

    evidence: Evidence
    question: Question
    decisions: tuple[Decision, ...]

    def to_json(self) -> dict[str, Any]:
        """A document of plain values; unknown ones are null."""
        return {
            "schema": "effdsl/recommendation",
            "version": 1,
            "evidence": self.evidence.value,
            **self.question.to_json(),
            "decisions": [decision.to_json() for decision in self.decisions],
        }

    def to_rows(self) -> AnswerTable:
        """One row per decision and candidate, with a column for each metric asked for."""
        metrics = dict.fromkeys(name for d in self.decisions for c in d.candidates for name in c.values)
        kinds = {"size": "VARCHAR", **dict.fromkeys(metrics, "DOUBLE")}
        return AnswerTable.of(
            (row for d in self.decisions for row in _candidate_rows(d, list(metrics))), kinds
        )


def _candidate_rows(decision: Decision, metrics: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "stage": decision.stage,
            "axis": decision.axis,
            "size": decision.size,
            "source": decision.source,
            "verdict": decision.verdict.value,
            "technique": found.technique,
            "state": found.state.value,
            **{name: found.values[name].value if name in found.values else None for name in metrics},
        }
        for found in decision.candidates
    ]


def recommend(
    source: Source,
    study: str | None = None,
    *,
    evidence: Evidence = Evidence.MEASURED,
    best: str,
    where: Sequence[str] = (),
    within: str | None = None,
    then: str | None = None,
    stage: str | None = None,
    axes: Sequence[str] = (),
    scale: str | None = None,
    across: Across | None = None,
) -> Recommendation:
    """Choose the technique with the best ``best`` of those that satisfy ``where``.

    Args:
        source: a store, its folder, or a DuckDB connection that has a store's views.
        study: of measured evidence, only this study's.
        evidence: what to decide on.
        best: a metric; ``ppl:max`` or ``ppl:min`` overrides its direction.
        where: conditions such as ``"amu_gb <= 45"``; several in one text are joined by AND.
        within: how far from the best the choice may be, e.g. ``"2%"``.
        then: by which metric to choose among those that are that near, or tied; by default of
            ``within`` the first condition's, further inside its bound.
        stage: only the axes of ``pretraining``, ``fine-tuning`` or ``inference``.
        axes: only these axes, e.g. ``["attention"]``.
        scale: only this scale or model.
        across: of measured evidence, ``Across.MODELS`` chooses a model that exists together with what is done
            to it.

    Raises:
        UnknownName: for what does not exist, with the nearest name, and what cannot be read.
    """
    (wanted,) = parse_objectives([best])
    conditions = parse_conditions(where)
    tolerance = None if within is None else parse_tolerance(within)
    second = _second(then, wanted, conditions, tolerance)
    question = Question(wanted, conditions, tolerance, second, stage, tuple(axes), scale, across)
    with laid_out(source, evidence, study, across) as connection:
        (known,) = rows(connection, "recommend/known", {})
        if not known["axes"]:
            return Recommendation(evidence, question, ())
        _check(known, evidence, question)
        decisions = decide(connection, question)
    if not decisions:
        raise UnknownName(_nothing_there(known, question))
    return Recommendation(evidence, question, decisions)


def _second(
    then: str | None, best: Objective, conditions: Sequence[Condition], tolerance: float | None
) -> Objective | None:
    """The second criterion, where one was asked for or is needed."""
    if then is not None:
        return parse_objectives([then])[0]
    if tolerance is None:
        return None
    for condition in conditions:
        if condition.metric is not best.metric:
            return Objective(condition.metric, Better.LOWER if condition.sign > 0 else Better.HIGHER)
    raise UnknownName("say by what to choose among those that are near the best: --then METRIC")


def _check(known: Row, evidence: Evidence, question: Question) -> None:
    for axis in question.axes:
        if axis not in known["axes"]:
            raise UnknownName(unknown(f"{evidence.value} axis", axis, known["axes"]))
    if question.size is not None and question.size not in known["sizes"]:
        raise UnknownName(unknown("scale or model", question.size, known["sizes"]))


def _nothing_there(known: Row, question: Question) -> str:
    asked = [f"stage {question.stage}"] if question.stage else []
    asked += [f"axis {' or '.join(question.axes)}"] if question.axes else []
    asked += [f"size {question.size}"] if question.size else []
    return f"no results for {' and '.join(asked)}; there are the axes {', '.join(known['axes'])}"


def decide(connection: DuckDBPyConnection, question: Question) -> tuple[Decision, ...]:
    """Answer ``question`` where :func:`~effdsl_analysis.evidence.lay_out` has laid out the evidence."""
    for step, parameters in _steps(question):
        connection.execute(statement(f"recommend/{step}"), parameters)
    answers, path, shown = (
        rows(connection, f"recommend/{name}", {}) for name in ("answers", "path", "shown")
    )
    paths = {number: list(found) for number, found in groupby(path, key=_decided)}
    each = groupby(shown, key=_decided)
    return tuple(
        _decision(answer, question.conditions, paths.get(number, []), list(candidates))
        for answer, (number, candidates) in zip(answers, each, strict=True)
    )


def _steps(question: Question) -> Iterator[tuple[str, dict[str, Any]]]:
    """The files that make the tables from which the answers are read, with their parameters."""
    best, then, conditions = question.best, question.then, question.conditions
    yield (
        "criteria",
        {
            "best": best.metric.name,
            "best_sign": best.sign,
            "then": then and then.metric.name,
            "then_sign": then and then.sign,
            "within": question.within,
        },
    )
    yield (
        "conditions",
        {
            "metrics": [condition.metric.name for condition in conditions],
            "signs": [condition.sign for condition in conditions],
            "strict": [condition.is_strict for condition in conditions],
            "bounds": [condition.bound for condition in conditions],
        },
    )
    yield "candidates", {"stage": question.stage, "axes": list(question.axes), "size": question.size}
    for step in ("not_worse", "met", "cases", "outcomes"):
        yield step, {}


def _decided(row: Row) -> int:
    return int(row["decision"])


def _decision(
    answer: Row, conditions: Sequence[Condition], path: Sequence[Row], shown: Sequence[Row]
) -> Decision:
    called = name_cells({row["cell"]: {name: row[name] for name in TWIN_COLUMNS} for row in shown})

    def named(cells: Sequence[str]) -> tuple[str, ...]:
        return tuple(called[cell] for cell in cells)

    binding = [Binding(conditions[b["number"] - 1], named(b["chosen"])) for b in answer["binding"]]
    if answer["together"] is not None:
        binding.append(Binding(None, named(answer["together"])))
    nearest = answer["nearest"]
    verdict = DecisionVerdict(answer["verdict"])
    return Decision(
        stage=answer["stage"],
        axis=answer["axis"],
        size=answer["size"],
        source=" · ".join(filter(None, [answer["source"], _meter(answer["energy_scope"])])),
        verdict=verdict,
        chosen=named(answer["chosen"]) if verdict in (DecisionVerdict.CHOSEN, DecisionVerdict.TIED) else (),
        undecided=answer["undecided"],
        unsure=named(answer["unsure"]),
        binding=tuple(binding),
        pessimistic=None if answer["pessimistic"] is None else named(answer["pessimistic"]),
        optimistic=None if answer["optimistic"] is None else named(answer["optimistic"]),
        leader=answer["leader"] and called[answer["leader"]],
        runner_up=answer["runner_up"] and called[answer["runner_up"]],
        nearest=nearest and (called[nearest["cell"]], nearest["excess"]),
        path=tuple(_segment(row, conditions, named(row["chosen"])) for row in path),
        candidates=tuple(_candidate(row, called[row["cell"]]) for row in shown),
    )


def _meter(scope: str | None) -> str:
    return f"energy of the {scope}" if scope else ""


def _segment(row: Row, conditions: Sequence[Condition], chosen: tuple[str, ...]) -> BoundSegment:
    condition = conditions[row["number"] - 1] if row["number"] else None
    edge = row["edge"]
    if condition is not None and edge is not None:
        edge *= condition.sign
    return BoundSegment(condition, edge, chosen, row["step"])


def _candidate(row: Row, name: str) -> Candidate:
    return Candidate(
        technique=name,
        state=CandidateState(row["state"]),
        values=_by_metric(Estimate, row["values"]),
        meets=tuple(map(Satisfaction, row["meets"])),
        lacking=tuple(row["lacking"]),
        gaps=_by_metric(Gap, row["gaps"]),
        parameters=row["parameters"],
        examples=row["examples"],
    )


def _by_metric(kind: type[T], found: Sequence[Row]) -> dict[str, T]:
    return {row["metric"]: read_as(kind, row) for row in found}
