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
    from effdsl_analysis.agreement import Agreement, compare
    from effdsl_analysis.ask import UnknownName
    from effdsl_analysis.audit import Audit
    from effdsl_analysis.claims import Claims
    from effdsl_analysis.difference import Difference, diff
    from effdsl_analysis.evidence import Evidence
    from effdsl_analysis.laws import Scaling, scaling
    from effdsl_analysis.paretoset import ParetoSet, pareto
    from effdsl_analysis.published_paretoset import PublishedParetoSet, pareto_published
    from effdsl_analysis.published_ranking import PublishedRanking, rank_published
    from effdsl_analysis.ranking import Ranking, rank
    from effdsl_analysis.recommendation import Recommendation, recommend
    from effdsl_analysis.relations import cells, published, relation, results, view
    from effdsl_analysis.rule_comparison import RuleComparison, compare_rules
    from effdsl_analysis.rules import Rule
    from effdsl_analysis.scoring import Scores, scores

__all__ = [
    "Agreement",
    "Audit",
    "Claims",
    "Difference",
    "Evidence",
    "ParetoSet",
    "PublishedParetoSet",
    "PublishedRanking",
    "Ranking",
    "Recommendation",
    "Rule",
    "RuleComparison",
    "Scaling",
    "Scores",
    "UnknownName",
    "cells",
    "compare",
    "compare_rules",
    "diff",
    "pareto",
    "pareto_published",
    "published",
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
    "agreement": ("Agreement", "compare"),
    "ask": ("UnknownName",),
    "audit": ("Audit",),
    "claims": ("Claims",),
    "difference": ("Difference", "diff"),
    "evidence": ("Evidence",),
    "laws": ("Scaling", "scaling"),
    "paretoset": ("ParetoSet", "pareto"),
    "published_paretoset": ("PublishedParetoSet", "pareto_published"),
    "published_ranking": ("PublishedRanking", "rank_published"),
    "ranking": ("Ranking", "rank"),
    "recommendation": ("Recommendation", "recommend"),
    "relations": ("cells", "published", "relation", "results", "view"),
    "rule_comparison": ("RuleComparison", "compare_rules"),
    "rules": ("Rule",),
    "scoring": ("Scores", "scores"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
