"""A small model in a folder, with the tokenizer of a text, and the text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from effdsl_runtime.data import codec
from effdsl_runtime.observation import Progress
from transformers import AutoConfig, AutoModelForCausalLM

from effdsl import LocalText
from effdsl.data import BPE, BaseTokenizer, Data

CPU = torch.device("cpu")
TALE = (
    "the old king said to his daughter that no ship would come before winter and she laughed and went down "
    "to the harbour where men mended nets under a grey sky while gulls cried over boats full of silver fish"
)


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    torch.set_num_threads(1)
    monkeypatch.setenv("EFFDSL_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def unheard(_: Progress) -> None:
    """A report that nobody reads."""


@pytest.fixture(scope="session")
def text(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """Sentences of few words in many orders; three tenths of it are held out."""
    random = np.random.default_rng(0)
    file = tmp_path_factory.mktemp("text") / "tales.txt"
    sentences = [" ".join(random.choice(TALE.split(), random.integers(5, 12))) for _ in range(3000)]
    lines = [f"{s.capitalize()}." + ("\n\n" if i % 7 == 6 else " ") for i, s in enumerate(sentences)]
    file.write_text("".join(lines), encoding="utf-8")
    return LocalText(str(file), held_out_fraction=0.3, tokenizer=BaseTokenizer()).resolve()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, text: Any) -> Path:
    """A llama of random weights that prefers some tokens to others, as ``save_pretrained`` writes it."""
    found = tmp_path_factory.mktemp("model")
    cutter = codec.make(BPE(vocab_size=300), [Path(text.paths[0]).read_text("utf-8")])
    cutter.save(found)
    (found / "tokenizer_config.json").write_text(json.dumps(cutter.described(64)), encoding="utf-8")
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        "llama",
        num_hidden_layers=2,
        hidden_size=32,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=48,
        vocab_size=300,
        max_position_embeddings=64,
        bos_token_id=cutter.separator,
        eos_token_id=cutter.separator,
    )
    model: Any = AutoModelForCausalLM.from_config(config, dtype=torch.float32)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(4)
    model.save_pretrained(found)
    return found


@pytest.fixture
def model(folder: Path) -> Any:
    loaded: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return loaded.eval()
