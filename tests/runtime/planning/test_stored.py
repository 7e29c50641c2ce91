"""Keys of tasks in a study: what the store has under them, and why nothing can start from some."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from effdsl_registry.records import Provenance, Record
from effdsl_registry.store import Store
from effdsl_runtime.planning.stored_tasks import stored_in
from effdsl_runtime.recording.run_record import identity_of

from effdsl import GQA, Attention, Budget, M, Study
from effdsl.declare import Invalid
from effdsl.hardware import Hardware
from effdsl.key import canonical_json, key_of
from effdsl.planner import make_plan
from effdsl.subjects.trained import StoredWeights
from effdsl.task import Task

LAPTOP = Hardware(name="a laptop", kind="cpu")
STUDY = Study(Attention([GQA]), [1 * M], budget=Budget(steps=10))
FIRST, SECOND, *_ = (planned.task for planned in make_plan(STUDY, LAPTOP).tasks)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def keep(store: Store, task: Task = FIRST, weights: bool = True, **changes: Any) -> str:
    """Put a record of ``task`` into the store, with what it left; its key."""
    canonical = canonical_json(task)
    when = {"started_at": "2026-01-01T00:00:00+00:00", "finished_at": "2026-01-01T00:01:00+00:00"}
    values: dict[str, Any] = {
        "key": key_of(canonical), "cell": "0" * 64, "lineage": "1" * 64, "canonical": canonical,
        "attempt": uuid.uuid4().hex, "outcome": "ok", "identity": identity_of(task),
        "provenance": Provenance(**when), "files": {"model.safetensors": "2" * 64} if weights else {},
    } | changes  # fmt: skip
    record = Record(**values)
    store.write(record, None, None)
    if weights:
        store.checkpoints.of(record.key).mkdir(parents=True)
    return record.key


def said_of(store: Store, digits: str) -> str:
    with pytest.raises(Invalid) as caught:
        stored_in(store)(digits)
    return str(caught.value)


def test_a_key_or_its_first_digits_is_the_task_by_its_name_and_where_its_weights_are(store: Store) -> None:
    key = keep(store, SECOND)
    keep(store, FIRST)
    for digits in (key, key[:10]):
        found = stored_in(store)(digits)
        assert isinstance(found, StoredWeights)
        assert canonical_json(found.task) == canonical_json(SECOND)
        assert found.name == f"GQA 1M seed {SECOND.seed}"
        assert Path(found.folder) == store.checkpoints.of(key)


def test_a_key_that_no_result_has_is_said_with_where_it_was_looked_for(store: Store) -> None:
    assert f"no result in {store.root} starts with 'abcd'" in said_of(store, "abcd")


def test_digits_that_several_keys_start_with_are_refused(store: Store) -> None:
    for end in "12":
        keep(store, weights=False, key="abcd" + 59 * "0" + end)
    assert said_of(store, "abcd").startswith("2 results start with 'abcd', give more digits")


def test_a_task_that_did_not_end_well_is_refused_with_its_end(store: Store) -> None:
    key = keep(store, weights=False, outcome="oom", reason="needs 3 GB")
    assert said_of(store, key) == f"{key[:10]}, GQA 1M seed {FIRST.seed}, ended as oom: needs 3 GB"


def test_a_task_that_left_no_weights_is_refused(store: Store) -> None:
    key = keep(store, weights=False)
    assert said_of(store, key) == f"{key[:10]}, GQA 1M seed {FIRST.seed}, left no weights"


def test_weights_that_were_removed_are_said_to_be(store: Store) -> None:
    key = keep(store)
    store.checkpoints.of(key).rmdir()
    assert said_of(store, key) == f"the weights of {key[:10]}, GQA 1M seed {FIRST.seed}, were removed"


def test_a_task_of_a_technique_that_is_not_here_is_refused_by_name(store: Store) -> None:
    canonical = canonical_json(FIRST).replace('"$":"gqa"', '"$":"of-another-study"')
    key = keep(store, key=key_of(canonical), canonical=canonical)
    assert "cannot be read here: nothing here is called 'of-another-study'" in said_of(store, key)
