"""A choice of precision is made where quality is resolved, and not where it is not."""

from __future__ import annotations

from typing import Any

import pytest
from effdsl_analysis.questions.recommend.recommendation import recommend

from ..inference_results import SHARED, store

pytestmark = pytest.mark.slow

RIGHT = {"BF16": (30, 10), "INT8": (29, 11), "INT4": (18, 22)}


def fill(shelf: Any, repeats: int = 1, **identity: Any) -> None:
    for precision, (right, wrong) in RIGHT.items():
        store(
            shelf,
            precision,
            items=[{"cloze": [1.0] * right + [0.0] * wrong}] * repeats,
            identity=identity,
            cloze=[right / 40] * repeats,
            weight_bytes=[{"BF16": 1600.0, "INT8": 900.0, "INT4": 500.0}[precision]] * repeats,
        )


def chosen(shelf: Any, **asked: Any) -> tuple[str, set[str]]:
    (decision,) = recommend(shelf.store, **asked).decisions
    return decision.verdict.value, set(decision.chosen)


@pytest.mark.parametrize("repeats", [1, 3])
def test_no_choice_is_made_between_what_the_items_of_a_checkpoint_do_not_tell_apart(
    shelf: Any, repeats: int
) -> None:
    """BF16 has one more right than INT8; INT4, with 12 fewer, is out."""
    fill(shelf, repeats, checkpoints=SHARED)
    assert chosen(shelf, best="cloze") == ("tied", {"BF16", "INT8"})


def test_no_choice_is_made_between_checkpoints_that_differ_by_the_same_share(shelf: Any) -> None:
    fill(shelf, 3)
    assert chosen(shelf, best="cloze")[0] == "tied"


def test_a_bound_on_bytes_leaves_no_doubt(shelf: Any) -> None:
    """One repeat says all there is to know of them."""
    fill(shelf, checkpoints=SHARED)
    (decision,) = recommend(shelf.store, best="cloze", where=["weight_bytes <= 1000"]).decisions
    assert decision.chosen == ("INT8",)
    assert (decision.pessimistic, decision.optimistic) == (None, None)
