"""Rankings of precisions: by checkpoints where there are several, by the items of one where there is one."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner
from effdsl_analysis.questions.rank.ranking import rank

from effdsl.cli import group

from ..inference_results import SHARED, store

RIGHT = {
    "BF16": [1.0] * 30 + [0.0] * 10,
    "INT8": [1.0] * 29 + [0.0] * 11,
    "INT4": [1.0] * 18 + [0.0] * 22,
}


def by_items(shelf: Any, repeats: int, **identity: Any) -> None:
    for precision, answers in RIGHT.items():
        share = sum(answers) / len(answers)
        store(
            shelf,
            precision,
            items=[{"cloze": answers}] * repeats,
            identity=identity,
            cloze=[share] * repeats,
            it_tokens_per_s=[100.0 + repeat for repeat in range(repeats)],
        )


def ranks(shelf: Any, metric: str) -> dict[str, tuple[int | None, int, tuple[str, ...]]]:
    (block,) = rank(shelf.store, metrics=[metric]).blocks
    return {cell.technique: (cell.rank, cell.n, cell.tied_with) for cell in block.cells}


@pytest.mark.parametrize("repeats", [1, 3])
def test_precisions_of_one_checkpoint_are_told_apart_by_its_items(shelf: Any, repeats: int) -> None:
    """One item lost of 40 is a tie, 12 are not, and a repeat of the same weights adds nothing."""
    by_items(shelf, repeats, checkpoints=SHARED)
    assert ranks(shelf, "cloze") == {
        "BF16": (1, 1, ("INT8",)),
        "INT8": (1, 1, ("BF16",)),
        "INT4": (3, 1, ()),
    }


def test_repeats_of_one_checkpoint_still_say_how_fast_it_is(shelf: Any) -> None:
    """Speed is measured anew in each, so each counts."""
    by_items(shelf, 3, checkpoints=SHARED)
    assert {n for _, n, _ in ranks(shelf, "it_tokens_per_s").values()} == {3}


def test_single_repeats_with_weights_of_their_own_are_told_apart_by_items_too(shelf: Any) -> None:
    by_items(shelf, 1)
    assert ranks(shelf, "cloze")["INT4"] == (3, 1, ())


def test_checkpoints_that_differ_by_the_very_same_share_are_tied(shelf: Any) -> None:
    """Without any spread there is no telling how sure a difference is."""
    by_items(shelf, 3)
    assert ranks(shelf, "cloze") == {
        "BF16": (1, 3, ("INT4", "INT8")),
        "INT8": (1, 3, ("BF16", "INT4")),
        "INT4": (1, 3, ("BF16", "INT8")),
    }


def test_several_checkpoints_are_ranked_by_the_differences_between_them(shelf: Any) -> None:
    """What each says with certainty by its items counts for nothing where they contradict one another."""
    losses = {"BF16": (2.0, 2.1, 2.2), "INT4": (2.005, 2.095, 2.203), "INT2": (2.5, 2.62, 2.69)}
    for precision, means in losses.items():
        items = [{"perplexity": [(10 * mean, 10.0), (20 * mean + 1e-4, 20.0)]} for mean in means]
        store(shelf, precision, items=items, held_out_loss=list(means))
    assert ranks(shelf, "held_out_loss") == {
        "BF16": (1, 3, ("INT4",)),
        "INT4": (1, 3, ("BF16",)),
        "INT2": (3, 3, ()),
    }


def test_wide_and_narrow_precisions_are_compared_whatever_their_products_are_computed_in(shelf: Any) -> None:
    """FP32 multiplies in float32 and BF16 in bfloat16: that is what is compared."""
    for precision, loss in (("FP32", 2.0), ("BF16", 2.001), ("FP16", 2.002)):
        store(shelf, precision, held_out_loss=[loss, loss + 0.1])
    (block,) = rank(shelf.store, metrics=["held_out_loss"]).blocks
    assert {cell.technique for cell in block.ranked} == {"FP32", "BF16", "FP16"}


@pytest.mark.parametrize(
    ("checkpoints", "said"),
    [
        (
            {"checkpoints": SHARED},
            "cloze is told apart over the items of one checkpoint, and for that one alone",
        ),
        ({}, "cloze is compared over 3 checkpoints, which answers for models that are trained so"),
    ],
)
def test_a_ranking_says_which_question_it_answers(shelf: Any, checkpoints: dict[str, str], said: str) -> None:
    by_items(shelf, 3, **checkpoints)
    shown = CliRunner().invoke(group, ["rank", "--metric", "cloze", "--store", str(shelf.store.root)])
    assert said in " ".join(shown.output.split())


def test_bytes_of_weights_are_in_order_after_one_repeat(shelf: Any) -> None:
    """They are the format's, and no other repeat could have others."""
    for precision, of_weights in {"BF16": 1600.0, "INT8": 900.0, "INT4": 500.0}.items():
        store(shelf, precision, weight_bytes=of_weights)
    assert ranks(shelf, "weight_bytes") == {"INT4": (1, 1, ()), "INT8": (2, 1, ()), "BF16": (3, 1, ())}
