"""Rankings of what the paper printed, in its leaderboard's groups and by a rule of one's choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from effdsl_analysis.answer import Answer
from effdsl_analysis.ask import UnknownName, unknown
from effdsl_analysis.queries import rows, statement
from effdsl_analysis.questions.rank.grouped import grouped
from effdsl_analysis.relations import AnswerTable, types_of
from effdsl_analysis.vocabulary import Evidence, Rule

if TYPE_CHECKING:
    from effdsl_analysis.queries import Source


@attrs.frozen
class PublishedRank:
    """The rank of one technique by one metric in one group.

    Attributes:
        group: its name in the leaderboard, e.g. ``fine_tuning_7b_8b``.
        title: the group as people read it.
        technique: the paper's method, with its size where methods have sizes of their own (``moe 1.5B×8``).
        metric: ``performance`` for the group's quality metric, else the paper's short name in lower case.
        value: what is ranked, on 12 significant digits.
        rank: 1 + the techniques with a better value; equal values share a rank.
        n: printed values that went into ``value``.
        rule: by which it is ranked.
        scale: the one size or model of the rule ``one_scale``.
        column: the metric's name in the tables, e.g. ``amu_gb``.
        label: the metric as the paper writes it, e.g. ``AMU``.
        unit: of ``value``; by some rules not the metric's own.
        better: ``lower`` or ``higher`` values.
    """

    group: str
    title: str
    technique: str
    metric: str
    value: float
    rank: int
    n: int
    rule: str
    scale: str | None
    column: str
    label: str
    unit: str
    better: str


@attrs.frozen
class PublishedRanking(Answer):
    """Ranks by one rule: groups and metrics in the paper's order, the best technique first.

    Attributes:
        rule: how several sizes or models became one value.
        scale: the one size or model of the rule ``one_scale``, else ``None``.
        ranks: one per group, metric and technique; none where a metric does not apply.
        scales: the sizes or models of each group by name; empty where each technique has its own.
    """

    rule: Rule
    scale: str | None
    ranks: tuple[PublishedRank, ...]
    scales: dict[str, list[str]] = attrs.field(repr=False)

    def to_json(self) -> list[dict[str, Any]]:
        """One plain document per rank."""
        return [attrs.asdict(rank) | {"evidence": Evidence.PUBLISHED.value} for rank in self.ranks]

    def to_rows(self) -> AnswerTable:
        """One row per group, metric and technique."""
        return AnswerTable.of(self.to_json(), types_of(PublishedRank))


def rank_published(
    source: Source,
    *,
    groups: Sequence[str] = (),
    metrics: Sequence[str] = (),
    rule: Rule | None = None,
    scale: str | None = None,
) -> PublishedRanking:
    """Rank the techniques of the paper's leaderboard within their groups.

    Args:
        source: a store, its folder, or a DuckDB connection that has a store's views.
        groups: names of groups, e.g. ``attention``; all ten by default.
        metrics: columns or short names, e.g. ``amu_gb``, ``amu``, ``performance``; all by default.
        rule: how several sizes or models become one value; by default their mean, or, with a ``scale``,
            :attr:`Rule.ONE_SCALE`.
        scale: the one size (``0.5B``) or model (``qwen2.5-7b``) to look at.

    Raises:
        UnknownName: a group, metric or scale that does not exist, with the nearest one; a scale with a
            rule that averages over scales, or ``ONE_SCALE`` without one.
    """
    rule = rule or (Rule.ONE_SCALE if scale else Rule.MEAN)
    with grouped(source, Evidence.PUBLISHED, groups=groups, metrics=metrics) as connection:
        (known,) = rows(connection, "rank/known", {})
        _check_scale(rule, scale, known["scales"])
        connection.execute(statement("rank/by_rule"))
        found = rows(connection, "rank/one_rule", {"rule": rule.value, "scale": scale})
        scales = {row["group"]: row["scales"] for row in rows(connection, "rank/described", {})}
    return PublishedRanking(rule, scale, tuple(PublishedRank(**row) for row in found), scales)


def _check_scale(rule: Rule, scale: str | None, known: Sequence[str]) -> None:
    if rule is Rule.ONE_SCALE and scale is None:
        raise UnknownName(f"the rule one_scale needs a scale: one of {', '.join(known)}")
    if rule is not Rule.ONE_SCALE and scale is not None:
        raise UnknownName(f"the rule {rule.value} averages over scales: leave out the rule or the scale")
    if scale is not None and scale not in known:
        raise UnknownName(unknown("scale", scale, known))
