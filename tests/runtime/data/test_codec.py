"""Tokenizers against transformers' own."""

from __future__ import annotations

import json
from pathlib import Path

from effdsl_runtime.data.codec import END_OF_TEXT, Codec, make
from hypothesis import given
from hypothesis import strategies as st
from transformers import Qwen2Tokenizer

from effdsl.data import BPE

TEXT = "To be, or not to be:.\n\nWhether 'tis nobler — I'LL say 1,234 times…\t naïve\r\n  so"
CODEC = make(BPE(vocab_size=300), [TEXT] * 50)


def qwen2(codec: Codec, folder: Path) -> Qwen2Tokenizer:
    """transformers' tokenizer of Qwen2 with the vocabulary and the merges of ``codec``."""
    codec.save(folder)
    model = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    return Qwen2Tokenizer(vocab=model["vocab"], merges=[tuple(merge) for merge in model["merges"]])


def test_bpe_cuts_text_as_qwen2_does(tmp_path_factory) -> None:
    """Which transformers does for every model that says it is a Qwen2, whatever its tokenizer says."""
    theirs = qwen2(CODEC, tmp_path_factory.mktemp("codec"))
    characters = st.characters(codec="utf-8") | st.sampled_from("aB 1'\n\r\t.,—é")

    @given(st.text(characters, max_size=60).filter(lambda text: END_OF_TEXT not in text))
    def as_it_does(text: str) -> None:
        assert list(CODEC.encode([text])[0]) == theirs(text, add_special_tokens=False).input_ids

    as_it_does()
    assert list(CODEC.encode([TEXT])[0]) == theirs(TEXT, add_special_tokens=False).input_ids
