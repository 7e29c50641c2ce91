"""An answer depends on what is in a store, never on the order in which it came in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from effdsl_analysis.questions.audit.auditing import audit
from effdsl_analysis.questions.claims.verdicts import claims
from effdsl_analysis.questions.compare.agreement import compare
from effdsl_analysis.questions.pareto.paretoset import pareto
from effdsl_analysis.questions.pareto.published_paretoset import pareto_published
from effdsl_analysis.questions.quality.pairing import quality
from effdsl_analysis.questions.rank.published_ranking import rank_published
from effdsl_analysis.questions.rank.ranking import rank
from effdsl_analysis.questions.rank.rule_comparison import compare_rules
from effdsl_analysis.questions.recommend.recommendation import recommend
from effdsl_analysis.questions.scaling.laws import scaling
from effdsl_analysis.questions.scores.scoring import scores
from effdsl_analysis.report import report
from effdsl_analysis.vocabulary import Evidence
from effdsl_registry.store import Store

from .conftest import Shelf
from .hostile_store import fill
from .inference_results import store as stored

if TYPE_CHECKING:
    from effdsl_analysis.queries import Source

pytestmark = pytest.mark.slow  # every question, three times

TABLES = "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'internal'"
WAYS = 2

Question = Callable[["Source"], Any]


def of_both(ask: Callable[..., Any]) -> dict[str, Question]:
    """The question asked of each kind of evidence."""
    return {kind.value: lambda source, kind=kind: ask(source, evidence=kind).to_json() for kind in Evidence}


QUESTIONS: dict[str, dict[str, Question]] = {
    "rank": {
        "measured": lambda source: rank(source).to_json(),
        "published": lambda source: rank_published(source).to_json(),
    },
    "rules": of_both(compare_rules),
    "scores": of_both(scores),
    "pareto": {
        "measured": lambda source: pareto(source, on=["ppl", "al_s_per_iter"]).to_json(),
        "published": lambda source: pareto_published(source, on=["performance", "al", "aec"]).to_json(),
    },
    "claims": of_both(claims),
    "audit": of_both(audit),
    "recommend": of_both(partial(recommend, best="ppl")),
    "scaling": of_both(scaling),
    "compare": {"measured": lambda source: compare(source, "paper/attention", table=3).to_json()},
    "quality": {"measured": lambda source: quality(source).to_json()},
    "report": {"both": report},
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Four techniques at two sizes, values that tie, and repeats that were tried twice."""
    shelf = Shelf(tmp_path_factory.mktemp("orders") / "store")
    fill(shelf)
    for place, technique in enumerate(("MQA", "GQA", "MLA"), start=1):
        for seed, (scale, parameters) in product(range(4), (("1M", 1e6), ("3M", 3e6), ("9M", 9e6))):
            uneven = math.sqrt(2 + seed + place) % 1
            shelf.add(
                technique,
                study="paper/attention",
                seed=seed,
                scale=scale,
                parameters=int(parameters),
                ppl=50.0 / parameters**0.1 + uneven,
                al_s_per_iter=0.5 + uneven / 3,
                amu_gb=1.0 + seed,
                backbone="Transformer",
                feed_forward="SwiGLU",
            )
    for place, precision in enumerate(("BF16", "INT8", "INT4"), start=1):
        losses = [
            [(math.sqrt(2 + seed + place * item) % 1, 1.0 + item) for item in range(20)] for seed in range(3)
        ]
        stored(
            shelf, precision, items=[{"perplexity": of_one} for of_one in losses], ppl=[2.0, 2.5, 2.0 + place]
        )
    return shelf.store


@pytest.fixture(scope="module")
def shuffled(store: Store) -> Iterator[list[duckdb.DuckDBPyConnection]]:
    """The store's index, each time with the rows in another order and another number of threads at work."""
    with store.reading():
        pass
    made = [_shuffled(store, way) for way in range(WAYS)]
    yield made
    for connection in made:
        connection.close()


def _shuffled(store: Store, way: int) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(f"ATTACH '{store.index}' AS kept (READ_ONLY)")
    connection.execute(f"COPY FROM DATABASE kept TO memory; DETACH kept; SET threads = {4**way}")
    for (table,) in connection.execute(TABLES).fetchall():
        connection.execute(f"CREATE OR REPLACE TEMP TABLE aside AS FROM internal.{table}")
        connection.execute(f"DELETE FROM internal.{table}")  # noqa: S608 - names of our own
        connection.execute(f"INSERT INTO internal.{table} FROM aside ORDER BY hash(aside.rowid + {way})")
    return connection


@pytest.mark.parametrize(
    "ask",
    [pytest.param(ask, id=f"{name} {kind}") for name, by in QUESTIONS.items() for kind, ask in by.items()],
)
def test_the_answer_is_the_same_in_whatever_order_results_and_printed_values_are_kept(
    store: Store, shuffled: list[duckdb.DuckDBPyConnection], ask: Question
) -> None:
    answer = ask(store)
    for connection in shuffled:
        assert ask(connection) == answer
