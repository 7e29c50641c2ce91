"""Clozes: what is asked, and which answers are right."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from effdsl_runtime.data.parts import items
from effdsl_runtime.data.text_files import DataError
from effdsl_runtime.evaluating import evaluate
from effdsl_runtime.evaluating.cloze import cloze_items
from transformers import AutoTokenizer

from effdsl import Cloze
from effdsl.key import canonical_json

from .conftest import CPU, unheard


def held_out(text: Any) -> str:
    return "".join(item.content.text for item in items(text) if item.part == "held_out")


def test_the_answer_follows_the_passage_and_no_other_choice_does(text: Any) -> None:
    """In the held-out text, and each choice is somewhere in it."""
    asked = cloze_items(Cloze(items=50, prompt_words=20, continuation_words=6).resolve(text))
    whole, words = held_out(text), " ".join(held_out(text).split())
    assert len(asked) == 50
    for prompt, choices, answer in asked:
        assert len(prompt.split()) == 20
        assert len(set(choices)) == 4
        assert [prompt + choice in whole for choice in choices] == [i == answer for i in range(4)]
        assert all(" ".join(choice.split()) in words for choice in choices)
        assert len({choice[: len(choice) - len(choice.lstrip())] for choice in choices}) == 1


def test_items_are_the_same_whenever_they_are_made_and_others_for_another_seed(text: Any) -> None:
    """The seed changes wrong choices and places, not the passages."""
    asked = Cloze(items=30).resolve(text)
    first, again = cloze_items(asked), cloze_items(asked)
    other = cloze_items(Cloze(items=30, seed=1).resolve(text))
    assert first == again
    assert [item.prompt for item in first] == [item.prompt for item in other]
    assert first != other
    assert canonical_json(asked) != canonical_json(Cloze(items=30, seed=1).resolve(text))


def test_every_place_has_its_share_of_the_answers(text: Any) -> None:
    """Of 150 a quarter each, within five standard deviations."""
    asked = cloze_items(Cloze(items=150, prompt_words=10, continuation_words=4).resolve(text))
    places = Counter(item.answer for item in asked)
    assert len(asked) == 150
    assert all(abs(places[place] - 37.5) < 5 * (150 * 0.25 * 0.75) ** 0.5 for place in range(4))


@torch.no_grad()
def log_likelihood(model: Any, prompt: list[int], following: list[int]) -> float:
    """One choice, read alone, in double precision."""
    tokens = prompt + following
    chances = model(input_ids=torch.tensor([tokens])).logits[0].double().log_softmax(1)
    return sum(float(chances[i - 1, tokens[i]]) for i in range(len(prompt), len(tokens)))


def test_an_answer_is_the_likeliest_choice_as_a_whole_or_by_its_bytes(
    model: Any, folder: Path, text: Any
) -> None:
    """Against each choice read alone; the scores are the means."""
    asked = Cloze(items=12, prompt_words=12, continuation_words=4).resolve(text)
    found = evaluate(asked, model, folder, CPU, unheard)
    encode = AutoTokenizer.from_pretrained(folder).encode
    expected: dict[str, list[float]] = {"cloze": [], "cloze_per_byte": []}
    for prompt, choices, answer in cloze_items(asked):
        start = encode(prompt)
        likely = [log_likelihood(model, start, encode(prompt + c)[len(start) :]) for c in choices]
        per_byte = [value / len(c.encode()) for value, c in zip(likely, choices, strict=True)]
        expected["cloze"].append(float(likely.index(max(likely)) == answer))
        expected["cloze_per_byte"].append(float(per_byte.index(max(per_byte)) == answer))
    assert {name: [row.value for row in rows] for name, rows in found.items.items()} == expected
    means = {name: sum(values) / len(values) for name, values in expected.items()}
    assert dict(found.values) == pytest.approx(means)
    assert dict(found.scores) == pytest.approx(means)


def test_a_text_that_is_too_short_says_what_to_give(text: Any) -> None:
    """Rather than asking with choices that are the same."""
    with pytest.raises(DataError, match=r"fewer than choices=4; give Cloze\(data="):
        cloze_items(Cloze(prompt_words=20_000).resolve(text))


def test_a_cloze_that_is_not_quite_what_was_asked_for_says_so(model: Any, folder: Path, text: Any) -> None:
    """Fewer items than asked for, and texts longer than the 64 tokens that the model reads."""
    asked = Cloze(items=10**6, prompt_words=200, continuation_words=2).resolve(text)
    items_said, cut_said = evaluate(asked, model, folder, CPU, unheard).flags
    there = len(cloze_items(asked))
    assert f"cloze of {there:,} items, and not 1,000,000" in items_said
    assert f"{4 * there:,} of {4 * there:,} texts" in cut_said
    fits = Cloze(items=5, prompt_words=4, continuation_words=2).resolve(text)
    assert evaluate(fits, model, folder, CPU, unheard).flags == ()
