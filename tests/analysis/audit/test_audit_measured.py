"""The audit of measured results: silent on results that fit together, and loud on each kind that does not."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import attrs
import pytest
from effdsl_analysis.questions.audit.auditing import audit, rules
from effdsl_analysis.vocabulary import Evidence
from effdsl_registry.records import Identity, Provenance, Record
from effdsl_registry.store import Store, StudyTask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from effdsl.hardware import H100
from effdsl.metrics import BY_NAME
from effdsl.task import ChosenTechnique

from .test_audit_of_inference import OF_INFERENCE

PARAMETERS, BATCH, CONTEXT, ITERATIONS = 3_000_000, 8, 256, 100


def consistent(seconds: float = 0.125, loss: float = 4.0, watts: float = 300.0) -> dict[str, float]:
    """Metrics of one result that fit together by their definitions."""
    tokens_per_s = BATCH * CONTEXT / seconds
    energy = watts * seconds * ITERATIONS
    return {
        "al_s_per_iter": seconds,
        "p50_s_per_iter": seconds * 0.99,
        "p95_s_per_iter": seconds * 1.1,
        "p99_s_per_iter": seconds * 1.2,
        "tokens_per_s": tokens_per_s,
        "tt_tokens_per_param_s": tokens_per_s / PARAMETERS,
        "time_to_finish_s": seconds * ITERATIONS * 1.05,
        "held_out_loss": loss,
        "ppl": math.exp(loss),
        "bits_per_byte": loss / math.log(2) / 3,
        "amu_gb": 0.4 + seconds / 10,
        "peak_memory_gb": 0.5 + seconds / 10,
        "memory_over_baseline_gb": 0.1,
        "pcu": 0.7,
        "mfu": 0.2,
        "aec_w": watts,
        "energy_j": energy,
        "energy_j_per_token": energy / (ITERATIONS * BATCH * CONTEXT),
        "decode_s_per_token": 0.005,
        "decode_tokens_per_s": 200.0,
        "kv_bytes_per_token": 1024.0,
        "cache_bytes": 1024.0 * CONTEXT,
        "expert_load_max_over_mean": 1.5,
        "router_entropy": 2.0,
        "dropped_tokens": 0.0,
    }


def shares(*by_layer: tuple[float, ...]) -> tuple[dict[str, float], ...]:
    """The table of the shares of experts, layer by layer."""
    return tuple(
        {"layer": layer, "expert": expert, "share": share}
        for layer, of_layer in enumerate(by_layer)
        for expert, share in enumerate(of_layer)
    )


def decoding(*rows: tuple[int, float, float, int]) -> tuple[dict[str, float], ...]:
    """The table of decoding, context by context."""
    names = ("context", "prefill_s", "decode_s_per_token", "cache_bytes")
    return tuple(dict(zip(names, row, strict=True)) for row in rows)


EVEN, UNEVEN = (0.125,) * 8, (0.2, 0.05, *(0.125,) * 6)
SHORT, WHOLE = (64, 0.01, 0.004, 1024 * 64), (256, 0.03, 0.005, 1024 * 256)
IDENTITY = Identity(
    stage="pretraining",
    technique="MHA",
    scale="3M",
    parameters=PARAMETERS,
    active_parameters=PARAMETERS,
    hardware=H100.name,
    dtype="bfloat16",
    engine="torch",
    setting={"data": "Shakespeare", "context_length": CONTEXT, "batch_size": BATCH},
    details={"vocab_size": 2048, "hidden_size": 256},
)


def record(technique: str = "MHA", seed: int = 0, attempt: int = 0, **changed: Any) -> Record:
    """A result whose columns fit together, with some metrics or fields of the record changed."""
    fields = {name: changed.pop(name) for name in ("decoding", "expert_shares") if name in changed}
    identity = {name: changed.pop(name) for name in ("parameters",) if name in changed}
    where = hashlib.sha256(technique.encode()).hexdigest()
    size = seed / 1000 + int(where[:4], 16) / 1e6
    return Record(
        tables={"expert_shares": shares(EVEN, UNEVEN), "decoding": decoding(SHORT, WHOLE)} | fields,
        key=hashlib.sha256(f"{technique} {seed}".encode()).hexdigest(),
        cell=where,
        lineage=where,
        canonical="{}",
        attempt=f"{technique}-{seed}-{attempt}",
        outcome="ok",
        identity=attrs.evolve(
            IDENTITY,
            technique=technique,
            choices={"attention": ChosenTechnique(technique, technique)},
            seed=seed,
            **identity,
        ),
        metrics={k: v for k, v in (consistent(0.125 + size, 4 + size) | changed).items() if v is not None},
        provenance=Provenance(
            started_at="2026-01-01T00:00:00+00:00",
            finished_at=f"2026-01-01T00:01:0{attempt}+00:00",
            duration_s=60.0,
            meter_scope="gpu",
            measured_iterations=ITERATIONS,
        ),
    )


def store_of(root: Path, *records: Record) -> Store:
    store = Store(root)
    for each in records:
        store.write(each, None, None)
    return store


def found(store: Store, *names: str) -> list[tuple[str, str]]:
    """(rule, shortened key) of every finding."""
    return [(f.rule, f.table) for f in audit(store, names=names).findings]


GOOD = [record(technique, seed) for technique in ("MHA", "GQA") for seed in range(3)]


@pytest.mark.slow
def test_results_that_fit_together_raise_nothing(tmp_path: Path) -> None:
    audited = audit(store_of(tmp_path, *GOOD))
    assert (audited.examined, audited.findings) == (6, ())


@pytest.mark.slow
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seconds=st.floats(0.01, 0.4),
    loss=st.floats(0.1, 12.0),
    watts=st.floats(1.0, 700.0),
    missing=st.sets(st.sampled_from(sorted(consistent()))),
)
def test_no_consistent_result_raises_anything_whatever_is_missing(
    tmp_path_factory: pytest.TempPathFactory, seconds: float, loss: float, watts: float, missing: set[str]
) -> None:
    metrics = consistent(seconds, loss, watts) | dict.fromkeys(missing)
    assert found(store_of(tmp_path_factory.mktemp("store"), record("MQA", **metrics))) == []


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("above_device", {"peak_memory_gb": 90.0}),
    ("above_device", {"aec_w": 740.0}),
    ("cache_bytes", {"cache_bytes": 1024.0 * CONTEXT - 1}),
    ("cache_bytes", {"decoding": decoding(SHORT, (*WHOLE[:3], 10))}),
    ("energy_and_power", {"aec_w": 150.0}),
    ("experts", {"expert_load_max_over_mean": 0.9}),
    ("experts", {"expert_load_max_over_mean": 8.1}),
    ("experts", {"router_entropy": math.log(8) + 0.01}),
    ("experts", {"expert_shares": shares(EVEN, (0.2,) * 8)}),
    ("experts", {"expert_shares": shares(EVEN, (-0.1, 0.35, *UNEVEN[2:]))}),
    ("memory_below_weights", {"parameters": 400_000_000}),
    ("out_of_order", {"amu_gb": 0.9}),
    ("out_of_order", {"memory_over_baseline_gb": 0.9}),
    ("out_of_order", {"p50_s_per_iter": 0.5}),
    ("out_of_order", {"p99_s_per_iter": 0.01}),
    ("out_of_order", {"time_to_finish_s": 1.0}),
    ("out_of_order", {"time_to_finish_s": 61.0}),
    ("out_of_order", {"bits_per_byte": 9.0}),
    ("outside_unit", {"pcu": 70.0}),
    ("outside_unit", {"dropped_tokens": -0.1}),
    ("outside_unit", {"amu_gb": 0.0}),
    ("rate_above_peak", {"mfu": 1.01}),
    ("rate_above_peak", {"tokens_per_s": 1e10}),
    ("repeats_disagree", {"kv_bytes_per_token": 512.0}),
    ("repeats_disagree", {"cache_bytes": 1024.0 * CONTEXT + 64}),
    ("tied_columns", {"tokens_per_s": 16_000.0}),
    ("tied_columns", {"tt_tokens_per_param_s": 1.0}),
    ("tied_columns", {"ppl": 50.0}),
    ("tied_columns", {"decode_tokens_per_s": 201.0}),
    ("tied_columns", {"energy_j_per_token": 1.0}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "changed"), WRONG)
def test_a_wrong_value_is_found_where_it_is(tmp_path: Path, rule: str, changed: dict[str, Any]) -> None:
    """One result of six is wrong: every finding is about it, or about its repeats."""
    wrong = record("GQA", 2, **changed)
    store = store_of(tmp_path, *GOOD[:-1], wrong)
    cells = [cell for f in audit(store, names=[rule]).findings for cell in f.cells]
    metric = next(name for name in changed if name in BY_NAME) if set(changed) & set(BY_NAME) else None
    assert wrong.key[:10] in {cell["key"] for cell in cells}
    assert {cell["technique"] for cell in cells} == {"GQA"}
    assert metric is None or (metric, changed[metric]) in {(cell["metric"], cell["value"]) for cell in cells}


@pytest.mark.slow
def test_a_result_under_two_names_is_found(tmp_path: Path) -> None:
    twin = attrs.evolve(record("MQA"), metrics=GOOD[0].metrics)
    assert ("rows_repeated", min(twin.key, GOOD[0].key)[:10]) in found(store_of(tmp_path, *GOOD, twin))


@pytest.mark.slow
def test_attempts_that_end_differently_are_found(tmp_path: Path) -> None:
    again = record("MHA", attempt=1, held_out_loss=4.5, ppl=math.exp(4.5))
    assert found(store_of(tmp_path, *GOOD, again)) == [("attempts_disagree", again.key[:10])]


def test_every_rule_is_made_to_fire() -> None:
    """Those of weights in fewer bits in a file of their own."""
    tried = {rule for rule, _ in WRONG} | {"rows_repeated", "attempts_disagree"} | OF_INFERENCE
    assert {rule.name for rule in rules(Evidence.MEASURED)} == tried


def test_failed_and_estimated_results_are_not_examined(tmp_path: Path) -> None:
    broken = attrs.evolve(record("MLA", ppl=1.0), outcome="failed")
    estimated = attrs.evolve(record("NSA", ppl=1.0), evidence="estimated")
    assert audit(store_of(tmp_path, broken, estimated)).examined == 0


@pytest.mark.slow
def test_a_study_is_examined_alone(tmp_path: Path) -> None:
    wrong = record("MQA", ppl=1.0)
    store = store_of(tmp_path, *GOOD, wrong)
    tasks = [StudyTask(each.key, each.cell, each.identity.technique, "3M") for each in GOOD]
    store.remember_study("small/good", "studies/good.py", tasks)
    assert audit(store, "good").findings == ()
    assert found(store) == [("tied_columns", wrong.key[:10])]


def tuned(**changed: float | None) -> Record:
    """A fine-tuning whose columns fit together: its examples are shorter than the context."""
    seconds, tokens = 0.125, 900.0
    metrics = {
        "al_s_per_iter": seconds,
        "tokens_per_s": tokens / seconds,
        "samples_per_s": BATCH / seconds,
        "st_samples_per_param_s": BATCH / seconds / PARAMETERS,
        "energy_j": 300.0,
        "energy_j_per_token": 300.0 / (tokens * ITERATIONS),
        "new_domain_loss": 4.0,
        "own_domain_loss": 5.0,
        "own_domain_loss_before": 4.75,
        "forgetting": 0.25,
        "trainable_parameters": 20_000.0,
    }
    good = record("MLA")
    identity = attrs.evolve(good.identity, stage="fine-tuning")
    known = {name: value for name, value in (metrics | changed).items() if value is not None}
    return attrs.evolve(good, identity=identity, metrics=known, tables={})


@pytest.mark.slow
def test_examples_shorter_than_the_context_are_no_mistake(tmp_path: Path) -> None:
    """Only a sequence of pretraining fills its context; energy is per token that there was."""
    assert found(store_of(tmp_path, tuned())) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "changed"),
    [
        ("out_of_order", {"tokens_per_s": 20_000.0}),
        ("tied_columns", {"samples_per_s": 9.0}),
        ("tied_columns", {"st_samples_per_param_s": 1.0}),
        ("tied_columns", {"forgetting": 0.2}),
        ("tied_columns", {"energy_j_per_token": 1.0}),
    ],
)
def test_a_wrong_value_of_a_fine_tuning_is_found(
    tmp_path: Path, rule: str, changed: dict[str, float]
) -> None:
    """More tokens than examples can have, and columns that do not follow from each other."""
    wrong = tuned(**changed)
    assert (rule, wrong.key[:10]) in found(store_of(tmp_path, wrong))
