"""The view time_to_loss: how long each training takes to a loss that all that may be compared reach."""

from __future__ import annotations

from typing import Any

import pytest

from .fine_tuning_results import tune

SLOW = [(0, 4.0), (5, 3.0), (10, 2.5)]
FAST = [(0, 4.0), (5, 2.0), (10, 1.0)]


def times(shelf: Any) -> dict[tuple[str, int], tuple[float, float, float | None, bool]]:
    """By technique and seed: loss, steps, seconds, and whether that is a bound only."""
    with shelf.store.reading() as connection:
        found = connection.execute(
            "SELECT technique, seed, loss, steps, seconds, is_at_most FROM time_to_loss"
        ).fetchall()
    return {(technique, seed): tuple(rest) for technique, seed, *rest in found}


def test_the_loss_is_the_lowest_of_the_slowest_and_steps_lie_between_points(shelf: Any) -> None:
    """LoRA ends at 2.5, which full fine-tuning passes three quarters of the way to its second point."""
    tune(shelf, "LoRA", held_out=[SLOW], al_s_per_iter=[0.5])
    tune(shelf, "Full", held_out=[FAST], al_s_per_iter=[2.0])
    assert times(shelf) == {
        ("LoRA", 0): (2.5, 10.0, 5.0, False),
        ("Full", 0): (2.5, 3.75, 7.5, False),
    }


def test_every_repeat_has_its_own_time_to_a_loss_that_all_repeats_reach(shelf: Any) -> None:
    """The greatest of the lowest losses, over the repeats of all methods."""
    tune(shelf, "LoRA", held_out=[SLOW, [(0, 4.0), (10, 3.0)]], al_s_per_iter=[1.0, 1.0])
    tune(shelf, "Full", held_out=[FAST], al_s_per_iter=[1.0])
    assert times(shelf) == {
        ("LoRA", 0): (3.0, 5.0, 5.0, False),
        ("LoRA", 1): (3.0, 10.0, 10.0, False),
        ("Full", 0): (3.0, 2.5, 2.5, False),
    }


def test_the_lowest_may_come_before_the_end(shelf: Any) -> None:
    """A curve that rises again has reached what it once was at; the first time counts."""
    tune(shelf, "LoRA", held_out=[[(0, 4.0), (4, 2.0), (8, 3.0), (12, 2.0)]], al_s_per_iter=[1.0])
    tune(shelf, "Full", held_out=[FAST], al_s_per_iter=[1.0])
    assert times(shelf)["LoRA", 0] == (2.0, 4.0, 4.0, False)


def test_a_curve_that_starts_below_took_at_most_so_long(shelf: Any) -> None:
    """Before the first point nothing was measured."""
    tune(shelf, "LoRA", held_out=[SLOW], al_s_per_iter=[1.0])
    tune(shelf, "Full", held_out=[[(5, 2.0), (10, 1.0)]], al_s_per_iter=[1.0])
    assert times(shelf)["Full", 0] == (2.5, 5.0, 5.0, True)


def test_points_that_are_not_finite_are_left_out(shelf: Any) -> None:
    """Between its neighbours the curve goes straight."""
    tune(shelf, "LoRA", held_out=[SLOW], al_s_per_iter=[1.0])
    tune(shelf, "Full", held_out=[[(0, 4.0), (3, float("nan")), (6, 1.0)]], al_s_per_iter=[1.0])
    assert times(shelf)["Full", 0] == (2.5, 3.0, 3.0, False)


@pytest.mark.parametrize(
    "other", [{"model": "llama-3.2-3b"}, {"data": "MedicalO1"}, {"tried": "0.001, 0.01"}]
)
def test_only_what_may_be_compared_shares_a_loss(shelf: Any, other: dict[str, Any]) -> None:
    """Alone in its model, data or budget of tuning, a method has nothing to reach."""
    tune(shelf, "LoRA", held_out=[SLOW], al_s_per_iter=[1.0])
    tune(shelf, "Full", identity=other, held_out=[FAST], al_s_per_iter=[1.0])
    assert times(shelf) == {}


def test_what_failed_and_trials_hold_nobody_up(shelf: Any) -> None:
    """A diverged run reaches no loss, and a trial is measured on other text."""
    tune(shelf, "LoRA", held_out=[SLOW], al_s_per_iter=[1.0])
    tune(shelf, "Full", held_out=[FAST], al_s_per_iter=[1.0])
    tune(shelf, "DoRA", outcome="diverged", held_out=[[(0, 4.0)]])
    for method in ("LoRA", "Full"):
        tune(shelf, method, identity={"stage": "tuning"}, held_out=[[(0, 9.0)]], al_s_per_iter=[1.0])
    assert set(times(shelf)) == {("LoRA", 0), ("Full", 0)}
    assert times(shelf)["LoRA", 0][0] == 2.5


def test_without_the_time_of_an_iteration_there_are_steps_only(shelf: Any) -> None:
    """Seconds are unknown, not zero."""
    tune(shelf, "LoRA", held_out=[SLOW])
    tune(shelf, "Full", held_out=[FAST])
    assert times(shelf)["Full", 0] == (2.5, 3.75, None, False)
