"""Where rules of ranking disagree: a rank that only one rule gives is the rule's, not the technique's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from effdsl_analysis.answer import Answer
from effdsl_analysis.queries import Row, rows, statement
from effdsl_analysis.questions.rank.grouped import grouped
from effdsl_analysis.relations import AnswerTable, types_of
from effdsl_analysis.vocabulary import Evidence, Rule

if TYPE_CHECKING:
    from effdsl_analysis.queries import Source

AVERAGES = tuple(rule for rule in Rule if rule is not Rule.ONE_SCALE)
"""The rules that average over scales, in the order in which they are shown."""


@attrs.frozen
class RuledRanks:
    """What each rule says of one technique by one metric in one group.

    Attributes:
        group, title, technique, metric, column, label: as in a published ranking.
        ranks: by the rules that average over scales; a rule that does not apply is left out.
        ranks_by_scale: at each size or model alone, in their order.
        averages_agree: all averages give the same rank; ``None`` where no average is taken, for want of a
            value at one of the scales.
        scales_agree: and so does each scale alone.
    """

    group: str
    title: str
    technique: str
    metric: str
    column: str
    label: str
    ranks: Mapping[str, int]
    ranks_by_scale: Mapping[str, int]
    averages_agree: bool | None
    scales_agree: bool


@attrs.frozen
class RuleComparison(Answer):
    """The ranks of every rule side by side.

    Attributes:
        evidence: which kind was ranked.
        rows: groups and metrics in order, techniques by their rank of means.
        scales: the sizes or models of each group by name; empty where each technique has its own.
    """

    evidence: Evidence
    rows: tuple[RuledRanks, ...]
    scales: Mapping[str, Sequence[str]] = attrs.field(repr=False)

    def to_json(self) -> list[dict[str, Any]]:
        """One plain document per group, metric and technique, agreeing ones included."""
        return [attrs.asdict(row) | {"evidence": self.evidence.value} for row in self.rows]

    def to_rows(self) -> AnswerTable:
        """One row per group, metric and technique."""
        return AnswerTable.of(self.to_json(), types_of(RuledRanks))


def compare_rules(
    source: Source,
    study: str | None = None,
    *,
    evidence: Evidence = Evidence.MEASURED,
    groups: Sequence[str] = (),
    metrics: Sequence[str] = (),
) -> RuleComparison:
    """Rank by every rule at once.

    Args:
        source: a store, its folder, or a DuckDB connection that has a store's views.
        study: of measured evidence, only this study's.
        evidence: which kind to rank. Of measured evidence the means over repeats are ranked, whatever
            their intervals.
        groups: the leaderboard's groups, or axes of measured evidence; all by default.
        metrics: columns or short names, e.g. ``amu_gb`` or ``amu``; by default the usual ones.

    Raises:
        UnknownName: a study, group or metric that does not exist, with the nearest one.
    """
    with grouped(source, evidence, study, groups=groups, metrics=metrics) as connection:
        connection.execute(statement("rank/by_rule"))
        found = rows(connection, "rank/disagreements", {})
        scales = {row["group"]: row["scales"] for row in rows(connection, "rank/described", {})}
    return RuleComparison(evidence, tuple(map(_ruled, found)), scales)


def _ruled(row: Row) -> RuledRanks:
    ranks = {rule.value: row["ranks"][rule.value] for rule in AVERAGES if rule.value in row["ranks"]}
    return RuledRanks(**{**row, "ranks": ranks})
