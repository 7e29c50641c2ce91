"""What follows from evidence: rankings, Pareto sets, scores, claims. The queries are ``.sql`` files.

A question is a function, and its answer an object that prints itself, shows itself in a notebook, and
gives plain values (``to_json()``) or a DuckDB relation (:func:`relation`)::

    from effdsl_registry.store import Store
    from effdsl_analysis import pareto, published, rank, relation

    store = Store.find()
    rank(store, "small/attention")                        # a table, in a terminal or a notebook
    relation(pareto(store, on=["ppl", "amu_gb"])).df()    # pandas; .pl() polars, .arrow() Arrow
    published(store).filter("table_number = 3")           # the rows of a view, to go on with in SQL

Each name is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from effdsl_analysis.ask import UnknownName
    from effdsl_analysis.questions.audit.auditing import Audit, audit
    from effdsl_analysis.questions.claims.verdicts import Claims, claims
    from effdsl_analysis.questions.compare.agreement import Agreement, compare
    from effdsl_analysis.questions.diff.difference import Difference, diff
    from effdsl_analysis.questions.pareto.paretoset import ParetoSet, pareto
    from effdsl_analysis.questions.pareto.published_paretoset import PublishedParetoSet, pareto_published
    from effdsl_analysis.questions.quality.pairing import Quality, quality
    from effdsl_analysis.questions.rank.published_ranking import PublishedRanking, rank_published
    from effdsl_analysis.questions.rank.ranking import Ranking, rank
    from effdsl_analysis.questions.rank.rule_comparison import RuleComparison, compare_rules
    from effdsl_analysis.questions.recommend.recommendation import Recommendation, recommend
    from effdsl_analysis.questions.scaling.laws import Scaling, scaling
    from effdsl_analysis.questions.scores.scoring import Scores, scores
    from effdsl_analysis.relations import cells, published, relation, results, view
    from effdsl_analysis.vocabulary import Across, Evidence, Rule

__all__ = [
    "Across",
    "Agreement",
    "Audit",
    "Claims",
    "Difference",
    "Evidence",
    "ParetoSet",
    "PublishedParetoSet",
    "PublishedRanking",
    "Quality",
    "Ranking",
    "Recommendation",
    "Rule",
    "RuleComparison",
    "Scaling",
    "Scores",
    "UnknownName",
    "audit",
    "cells",
    "claims",
    "compare",
    "compare_rules",
    "diff",
    "pareto",
    "pareto_published",
    "published",
    "quality",
    "rank",
    "rank_published",
    "recommend",
    "relation",
    "results",
    "scaling",
    "scores",
    "view",
]

_HOMES = {
    "questions.compare.agreement": ("Agreement", "compare"),
    "ask": ("UnknownName",),
    "questions.audit.auditing": ("Audit", "audit"),
    "questions.diff.difference": ("Difference", "diff"),
    "vocabulary": ("Across", "Evidence", "Rule"),
    "questions.pareto.paretoset": ("ParetoSet", "pareto"),
    "questions.pareto.published_paretoset": ("PublishedParetoSet", "pareto_published"),
    "questions.quality.pairing": ("Quality", "quality"),
    "questions.rank.published_ranking": ("PublishedRanking", "rank_published"),
    "questions.rank.ranking": ("Ranking", "rank"),
    "questions.rank.rule_comparison": ("RuleComparison", "compare_rules"),
    "questions.scores.scoring": ("Scores", "scores"),
    "questions.recommend.recommendation": ("Recommendation", "recommend"),
    "relations": ("cells", "published", "relation", "results", "view"),
    "questions.scaling.laws": ("Scaling", "scaling"),
    "questions.claims.verdicts": ("Claims", "claims"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
