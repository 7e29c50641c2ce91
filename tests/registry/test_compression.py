"""MCR, eq. 9 of the paper, by hand."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from effdsl_registry.records import Identity
from effdsl_registry.store import Store

from effdsl.task import ChosenTechnique

BITS = {"FP32": 32, "BF16": 16, "INT4": 4}


def rows(store: Store, columns: str, where: str = "true") -> list[tuple[Any, ...]]:
    store.ingest()
    with store.reading() as connection:
        asked = f"SELECT {columns} FROM compression WHERE {where} ORDER BY technique, seed, score_of"  # noqa: S608
        return connection.execute(asked).fetchall()


@pytest.fixture
def add(store: Store, make_record: Any) -> Any:
    """A function: keep a precision of weights with metrics."""
    count = iter(range(100))

    def keep(precision: str, seed: int = 0, base: str = "one", **metrics: float) -> None:
        identity = Identity(
            stage="inference",
            technique=precision,
            scale="7M",
            seed=seed,
            engine="transformers",
            engine_version=1,
            choices={"precision": ChosenTechnique(precision, precision, usual=precision == "BF16")},
            setting={"base": base},
            details={"bits": BITS[precision]},
        )
        record = make_record(next(count), identity=identity, metrics=metrics)
        cell = f"{list(BITS).index(precision):x}{sum(map(ord, base)):x}".ljust(64, "0")
        store.write(attrs.evolve(record, cell=cell), None, None)

    return keep


def test_it_is_size_over_size_times_score_over_score(store: Store, add: Any) -> None:
    """By bytes 1600 / 500, by bits 16 / 4; scores 0.4 / 0.5, and of perplexity its inverse."""
    add("BF16", weight_bytes=1600.0, avg_perf=0.5, ppl=10.0)
    add("INT4", weight_bytes=500.0, avg_perf=0.4, ppl=12.5)
    found = rows(store, "technique, reference, score_of, mcr, nominal_mcr, reason")
    assert [row[:3] for row in found] == [
        ("BF16", "BF16", "1/ppl"),
        ("BF16", "BF16", "avg_perf"),
        ("INT4", "BF16", "1/ppl"),
        ("INT4", "BF16", "avg_perf"),
    ]
    assert [row[3] for row in found] == pytest.approx([1, 1, 3.2 * 0.8, 3.2 * 0.8])
    assert [row[4] for row in found] == pytest.approx([1, 1, 4 * 0.8, 4 * 0.8])
    assert {row[5] for row in found} == {""}


def test_each_repeat_is_set_beside_the_same_seed_of_the_same_weights(store: Store, add: Any) -> None:
    """A seed without its reference has no value, and says why; other weights are no reference."""
    add("BF16", seed=0, weight_bytes=1600.0, cloze=0.5)
    add("INT4", seed=0, weight_bytes=400.0, cloze=0.25)
    add("INT4", seed=1, weight_bytes=400.0, cloze=0.25)
    add("BF16", seed=1, base="two", weight_bytes=800.0, cloze=0.5)
    assert rows(store, "seed, mcr, reason", "technique = 'INT4'") == [
        (0, pytest.approx(4 * 0.5), ""),
        (1, None, "no result of BF16 with the seed 1 has this score"),
    ]


def test_without_the_usual_precision_the_widest_is_the_original(store: Store, add: Any) -> None:
    add("FP32", weight_bytes=3200.0, cloze=0.5)
    add("INT4", weight_bytes=400.0, cloze=0.5)
    assert rows(store, "reference, mcr, nominal_mcr", "technique = 'INT4'") == [("FP32", 8.0, 8.0)]


def test_what_lacks_a_score_or_its_bytes_has_no_value_and_a_reason(store: Store, add: Any) -> None:
    """Also where the original scores nothing."""
    add("BF16", weight_bytes=1600.0, cloze=0.0, avg_perf=0.5)
    add("INT4", cloze=0.5, avg_perf=0.5)
    add("FP32", weight_bytes=3200.0)
    assert rows(store, "technique, score_of, mcr, reason", "technique <> 'BF16'") == [
        ("FP32", None, None, "no score was measured"),
        ("INT4", "avg_perf", None, "bytes of the weights were not measured"),
        ("INT4", "cloze", None, "BF16 scores 0"),
    ]
