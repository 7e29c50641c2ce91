"""Examples are no longer than the sequences that a model is made for, where that is known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from effdsl import GQA, Attention, Budget, Hub, M, Study, Trained
from effdsl.stages.tuning import Tuning
from effdsl.subject import Subject

from .conftest import BASE, COMMIT, CONFIG, planned, states, tuned

SHORT = Study(Attention([GQA]), [3 * M], budget=Budget(steps=10, context_length=64), repeats=1, name="short")


def context_of(models: Subject, budget: Budget) -> int | str:
    """The context of the only cell, or why it is unsupported."""
    (cell,) = planned(tuned(models, budget=budget, repeats=1)).cells
    if cell.cell is None:
        return cell.unsupported
    assert isinstance(cell.cell.workload, Tuning)
    return cell.cell.workload.budget.context_length


@pytest.fixture
def positions(hub: Path) -> Path:
    """A model of the hub that says how long its sequences are."""
    config = hub / "snapshots" / COMMIT / "config.json"
    config.write_text(json.dumps(CONFIG | {"max_position_embeddings": 100}))
    return config


def test_a_longer_context_than_config_json_has_positions_for_is_unsupported_with_the_number(
    positions: Path,
) -> None:
    assert context_of(Hub("owner/unknown"), Budget(context_length=101)) == (
        "context_length=101 is more than the 100 tokens that owner/unknown is made for; "
        "give Budget(context_length=100) or less"
    )
    assert context_of(Hub("owner/unknown"), Budget(context_length=100)) == 100


def test_a_study_that_names_no_context_takes_no_longer_one(positions: Path) -> None:
    assert context_of(Hub("owner/unknown"), Budget()) == 100
    positions.write_text(json.dumps(CONFIG | {"max_position_embeddings": 10_000}), encoding="utf-8")
    assert context_of(Hub("owner/unknown"), Budget()) == 256, "what is usual for a small model"


@pytest.mark.parametrize("said", [{}, {"max_position_embeddings": None}, {"max_position_embeddings": -1}])
def test_where_config_json_says_nothing_nothing_is_refused(positions: Path, said: dict[str, object]) -> None:
    positions.write_text(json.dumps(CONFIG | said), encoding="utf-8")
    assert context_of(Hub("owner/unknown"), Budget(context_length=5000)) == 5000


def test_a_model_of_another_study_is_made_for_the_context_that_it_was_trained_with() -> None:
    assert context_of(Trained(SHORT), Budget()) == 64
    assert "is more than the 64 tokens that GQA 3M is made for" in str(
        context_of(Trained(SHORT), Budget(context_length=65))
    )


def test_so_is_what_was_fine_tuned_from_it() -> None:
    first = tuned(Trained(SHORT), repeats=1, name="first", budget=Budget(steps=5, context_length=32))
    assert context_of(Trained(first), Budget()) == 64


def test_other_models_of_the_study_are_planned_all_the_same() -> None:
    both = tuned(Trained(BASE), repeats=1, budget=Budget(context_length=65)).derive(
        models=[Trained(BASE), Trained(SHORT)]
    )
    assert states(planned(both)) == {"new": 1, "waiting": 1, "unsupported": 1}
