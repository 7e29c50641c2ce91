"""Declarations of what is fine-tuned on: what is in their key, and what their mistakes say."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from effdsl.data import BaseTokenizer, LocalText, Shakespeare
from effdsl.declare import Invalid
from effdsl.instructions import Instructions, MedicalO1, OpenO1SFT
from effdsl.key import canonical_json
from effdsl.problems import StudyError

ALL = (Instructions("a.jsonl"), OpenO1SFT(), MedicalO1())


def test_instructions_are_cut_into_tokens_as_the_model_does() -> None:
    """No tokenizer can be chosen for instructions, and none is shown as a choice."""
    assert [data.tokenizer for data in ALL] == [BaseTokenizer()] * 3
    assert [str(data) for data in ALL] == [
        f"{name}, the model's tokenizer" for name in ("Instructions", "OpenO1SFT", "MedicalO1")
    ]
    assert repr(Instructions("a.jsonl")) == "Instructions(paths=('a.jsonl',))"


def test_a_corpus_can_be_cut_as_the_model_does() -> None:
    """Text for pretraining takes the model's tokenizer as well, and is another declaration then."""
    assert Shakespeare(tokenizer=BaseTokenizer) == Shakespeare(tokenizer=BaseTokenizer())
    assert canonical_json(Shakespeare(tokenizer=BaseTokenizer())) != canonical_json(Shakespeare())
    assert LocalText("a.txt", tokenizer=BaseTokenizer()).tokenizer == BaseTokenizer()


def test_the_size_of_the_model_s_tokenizer_is_not_known_without_it() -> None:
    """Who asks for a vocabulary before there is a model is told why there is none."""
    with pytest.raises(Invalid, match="only a model that is fine-tuned has one"):
        _ = Instructions("a.jsonl").vocab_size


def test_what_is_in_the_key_is_the_content(tmp_path: Path) -> None:
    """Two files with the same lines have one canonical form, with their hash in it and not their name."""
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text('{"prompt": "a", "completion": "b"}\n', encoding="utf-8")
    first, second = (Instructions(tmp_path / name).resolve() for name in ("a.jsonl", "b.jsonl"))
    assert canonical_json(first) == canonical_json(second)
    assert first.revision in canonical_json(first)
    assert first.tokenizer == BaseTokenizer()


def test_every_field_knows_the_key() -> None:
    """No field is left unclassified: paths alone stay out of the key."""
    outside = {
        (type(data).__name__, field.name)
        for data in ALL
        for field in attrs.fields(type(data))
        if not field.metadata["effdsl.role"].in_key
    }
    assert outside == {("Instructions", "paths")}


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: Instructions("a.jsonl", tokenizer=BaseTokenizer()), "unknown keyword 'tokenizer'"),
        (lambda: Instructions([]), "names no file"),
        (
            lambda: Instructions("a.jsonl", field="text"),
            "unknown keyword 'field'\n.*allowed: paths, held_out",
        ),
        (lambda: Instructions("a.jsonl", held_out_fraction=0), "between 0 and 1"),
        (lambda: Instructions("a.jsonl", revision=3), "must be text in quotes"),
        (lambda: OpenO1SFT(held_out_fraction=1.0), "between 0 and 1"),
        (lambda: MedicalO1(revision=""), "must be text in quotes, not empty"),
        (lambda: MedicalO1(hub_config="zh"), "unknown keyword 'hub_config'"),
    ],
)
def test_mistakes_say_what_is_allowed(declare: object, message: str) -> None:
    """Each mistake is refused with the value and what is allowed."""
    with pytest.raises(StudyError, match=message):
        declare()  # type: ignore[operator]
