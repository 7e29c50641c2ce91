"""The paper's own scores: eq. 10 and 11 scale a metric to 0.1 to 1.0, eq. 12 adds five up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from effdsl_analysis.answer import Answer
from effdsl_analysis.queries import Row, rows
from effdsl_analysis.questions.rank.grouped import grouped
from effdsl_analysis.relations import AnswerTable, types_of
from effdsl_analysis.vocabulary import Evidence

if TYPE_CHECKING:
    from effdsl_analysis.queries import Source


@attrs.frozen
class EfficiencyScore:
    """Eq. 12 of one technique in its two forms (``sql/scores/scores.sql``); higher is better.

    Attributes:
        as_printed: in which low utilisation, high latency and low throughput raise the score.
        rank_as_printed: 1 + the techniques that score higher.
        by_arrows: each term turned the way of its metric's arrow in the tables.
        rank_by_arrows: 1 + the techniques that score higher.
        turned: the techniques that the two forms order the other way round against this one.
    """

    as_printed: float
    rank_as_printed: int
    by_arrows: float
    rank_by_arrows: int
    turned: tuple[str, ...]


@attrs.frozen
class TechniqueScores:
    """The scores of one technique at one scale of its group.

    Attributes:
        group: its name, e.g. ``fine_tuning_7b_8b``; of measured evidence the axis.
        title: the group as people read it.
        scale: the size or model; ``None`` where the techniques have sizes of their own.
        technique: its name.
        normalised: metric to eq. 10 (lower is better) or eq. 11 (higher is better): 0.1 is the worst of
            the group at this scale, 1.0 the best; a metric in which all are equal is left out.
        efficiency: eq. 12; ``None`` where one of its metrics has no value.
        missing: those metrics.
    """

    group: str
    title: str
    scale: str | None
    technique: str
    normalised: Mapping[str, float]
    efficiency: EfficiencyScore | None
    missing: tuple[str, ...]


@attrs.frozen
class Scores(Answer):
    """Scores of techniques.

    Attributes:
        evidence: which kind was scored.
        scores: group by group and scale by scale, the most efficient or the best first.
        labels: of each group by name, what people call its metrics.
    """

    evidence: Evidence
    scores: tuple[TechniqueScores, ...]
    labels: Mapping[str, Mapping[str, str]] = attrs.field(repr=False)

    def to_json(self) -> list[dict[str, Any]]:
        """One plain document per group, scale and technique."""
        return [attrs.asdict(score) | {"evidence": self.evidence.value} for score in self.scores]

    def to_rows(self) -> AnswerTable:
        """One row per group, scale and technique, both forms of eq. 12 in columns of their own."""
        records = self.to_json()
        for record in records:
            record |= record.pop("efficiency") or {}
        return AnswerTable.of(records, types_of(TechniqueScores) | types_of(EfficiencyScore))


def scores(
    source: Source,
    study: str | None = None,
    *,
    evidence: Evidence = Evidence.MEASURED,
    groups: Sequence[str] = (),
) -> Scores:
    """The scores of every technique at every scale (appendix of the paper, eq. 10 to 12).

    Least and greatest values are taken over the techniques of a group at one scale; the paper does not
    say over which set.

    Args:
        source: a store, its folder, or a DuckDB connection that has a store's views.
        study: of measured evidence, only this study's.
        evidence: which kind to score; of measured evidence the means over repeats.
        groups: the leaderboard's groups, or axes of measured evidence; all by default.

    Raises:
        UnknownName: a study or group that does not exist, with the nearest one.
    """
    with grouped(source, evidence, study, groups=groups) as connection:
        found = rows(connection, "scores/scores", {})
        labels = {row["group"]: row["labels"] for row in rows(connection, "rank/described", {})}
    return Scores(evidence, tuple(map(_scores, found)), labels)


def _scores(row: Row) -> TechniqueScores:
    kept = {name: row[name] for name in ("group", "title", "scale", "technique", "normalised")}
    forms = {name: row[name] for name in attrs.fields_dict(EfficiencyScore)}
    efficiency = None
    if not row["missing"]:
        efficiency = EfficiencyScore(**{**forms, "turned": tuple(row["turned"])})
    return TechniqueScores(**kept, efficiency=efficiency, missing=tuple(row["missing"]))
