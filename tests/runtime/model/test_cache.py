"""A cache holds what concatenation would, counts what it holds, and copies little."""

from __future__ import annotations

import pytest
import torch
from effdsl_runtime.model.cache import Cache, GrowingTensor
from hypothesis import given
from hypothesis import strategies as st

STEPS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=30)


def fresh(tokens: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(2, 3, tokens, 4, generator=generator)


@pytest.mark.slow
@given(STEPS)
def test_it_holds_what_concatenation_and_slicing_give(steps: list[tuple[int, int]]) -> None:
    """After any appending and dropping, also of nothing; tensors handed out earlier stay as they were."""
    generator, cache, expected = torch.Generator().manual_seed(0), Cache(), torch.zeros(2, 3, 0, 4)
    handed: list[tuple[torch.Tensor, torch.Tensor]] = []
    for grow, drop in steps:
        x = fresh(grow, generator)
        expected = torch.cat((expected, x), 2)
        handed.append((cache.extend("k", x), expected))
        drop = min(drop, expected.shape[2])
        cache.drop_first("k", drop)
        expected = expected[:, :, drop:]
        assert cache.tokens("k") == expected.shape[2]
        assert cache.bytes == 4 * expected.numel()
    assert all(torch.equal(given, wanted) for given, wanted in handed)


def test_bytes_count_tokens_and_states_not_the_room_for_more() -> None:
    """Nine tokens and a state of five elements, in two dtypes, whatever was allocated."""
    cache = Cache()
    for _ in range(9):
        cache.extend("k", torch.zeros(1, 2, 1, 4, dtype=torch.bfloat16))
    cache.replace("state", torch.zeros(7))
    cache.replace("state", torch.zeros(5))
    assert cache.bytes == 9 * 8 * 2 + 5 * 4
    assert cache.tokens("state") == cache.tokens("nothing") == 0


def test_appending_a_token_moves_what_is_held_a_few_times_only(monkeypatch) -> None:
    """1,000 single tokens move what is held 10 times: its room doubles."""
    moves: list[int] = []
    plain = GrowingTensor._move
    monkeypatch.setattr(GrowingTensor, "_move", lambda self, room: (moves.append(room), plain(self, room)))
    cache = Cache()
    for _ in range(1000):
        cache.extend("k", torch.zeros(1, 1, 1, 1))
    assert len(moves) <= 10


def test_a_window_frees_the_room_of_the_prompt_that_passed_it() -> None:
    """Of a prompt of 1,000 tokens a window of 16 stays, in room for at most 64; 1,000 more keep it there."""
    growing = GrowingTensor(torch.zeros(1, 1, 0, 1))
    growing.extend(torch.zeros(1, 1, 1000, 1))
    growing.drop_first(984)
    for _ in range(1000):
        assert growing.held.untyped_storage().nbytes() <= 4 * 64
        growing.extend(torch.zeros(1, 1, 1, 1))
        growing.drop_first(1)
    assert growing.tokens == 16


def test_a_view_of_a_wider_product_is_not_kept_alive() -> None:
    """What is held has memory of its own: a value is often a slice of one large projection."""
    wide = torch.zeros(1, 1, 8, 1000)
    cache = Cache()
    held = cache.extend("v", wide[..., :4])
    assert held.untyped_storage().nbytes() <= 2 * held.numel() * 4
