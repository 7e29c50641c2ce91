"""What an inference is asked to do, as declared and as resolved."""

from __future__ import annotations

import pytest

from effdsl import Load, StudyError
from effdsl.key import canonical_json
from effdsl.load import Batches, ClosedLoop, OpenLoop


def test_a_load_that_says_nothing_is_one_sequence_at_a_time() -> None:
    """128 tokens of prompt, 64 new ones."""
    assert Load().resolve() == Batches(128, 64, (1,))


def test_each_kind_of_load_resolves_to_its_own() -> None:
    """A list of batch sizes, requests on their way, requests per second."""
    assert Load(batch_size=[1, 8]).resolve() == Batches(128, 64, (1, 8))
    assert Load(16, 4, requests=64, concurrency=8).resolve() == ClosedLoop(16, 4, 64, 8)
    assert Load(16, 4, requests=64, rate=2).resolve() == OpenLoop(16, 4, 64, 2.0)


def test_loads_that_mean_the_same_have_one_canonical_form() -> None:
    """One size, alone or in a list."""
    one, listed = Load(batch_size=4).resolve(), Load(batch_size=[4]).resolve()
    assert canonical_json(one) == canonical_json(listed)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"concurrency": 8}, "concurrency= and rate= are of requests"),
        ({"requests": 8}, "either concurrency= or rate="),
        ({"requests": 8, "rate": 1, "concurrency": 1}, "either concurrency= or rate="),
        ({"requests": 8, "rate": 1, "batch_size": 2}, "says otherwise"),
        ({"batch_size": []}, "batch sizes that differ"),
        ({"batch_size": [2, 2]}, "batch sizes that differ"),
        ({"batch_size": [0]}, "at least 1"),
        ({"prompt_tokens": 0}, "at least 1"),
        ({"requests": 8, "rate": -1}, "above 0"),
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, object], said: str) -> None:
    """With what is wrong."""
    with pytest.raises(StudyError, match=said):
        Load(**wrong)  # type: ignore[arg-type]  # that is what is tested
