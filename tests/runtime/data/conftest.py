"""A base model's folder, as far as what is fine-tuned on needs it: the tokenizer, with a chat template."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from effdsl_runtime.data.codec import make

from effdsl.data import BPE
from effdsl.instructions import Instructions

TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>\n{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
    "<|endoftext|>{% endgeneration %}{% else %}{{ m.content }}\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
TEXT = ["The sea and the tree.\n\n", "What is a tree? A tree is a plant.\n", "user assistant system"] * 9
Base = Callable[..., Path]
Written = Callable[[Iterable[Any]], Instructions]


@pytest.fixture
def base(tmp_path: Path) -> Base:
    """Makes the folder of a base model with a small tokenizer."""

    def made(template: str | None = TEMPLATE, vocab_size: int = 320, **config: object) -> Path:
        folder = tmp_path / f"base-{len(list(tmp_path.glob('base-*')))}"
        folder.mkdir()
        codec = make(BPE(vocab_size), TEXT)
        codec.save(folder)
        described = codec.described(64) | ({"chat_template": template} if template else {}) | config
        (folder / "tokenizer_config.json").write_text(json.dumps(described), encoding="utf-8")
        (folder / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
        return folder

    return made


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    monkeypatch.setenv("EFFDSL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes rows, or lines as they are, as instructions of which a third is held out."""

    def made(rows: Iterable[Any]) -> Instructions:
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        (tmp_path / "i.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return Instructions(tmp_path / "i.jsonl", held_out_fraction=0.3).resolve()

    return made
