"""A small model with a tokenizer, in a project of its own whose engines run in their own environments."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from effdsl_registry.store import Store
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, Qwen2Config

SIZES = {
    "hidden_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 256,
    "max_position_embeddings": 256,
}
END = "<|end|>"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model in it."""
    folder = tmp_path_factory.mktemp("project")
    write_model(folder / "tiny")
    return folder


def write_model(folder: Path) -> None:
    """A Qwen2 with random weights, so large that its likeliest tokens vary; its tokens are bytes."""
    folder.mkdir()
    alphabet = [*sorted(pre_tokenizers.ByteLevel.alphabet()), END]
    tokenizer: Any = Tokenizer(models.BPE({text: i for i, text in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(folder / "tokenizer.json"))
    said = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END}
    (folder / "tokenizer_config.json").write_text(json.dumps(said))
    torch.manual_seed(0)
    config: Any = Qwen2Config(
        vocab_size=len(alphabet), initializer_range=0.2, tie_word_embeddings=True, **SIZES
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)  # type: ignore[no-untyped-call]


def executed(project: Path, study: str) -> dict[str, Any]:
    """What ``effdsl execute --json`` says of a study with this text."""
    (project / "mine.py").write_text(f"from effdsl import *\nstudy = {study}\n")
    command = [sys.executable, "-m", "effdsl", "execute", "mine.py", "--json"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def records(project: Path, condition: str) -> list[Any]:
    """The records of results that meet an SQL condition, in the order of their techniques."""
    store = Store(project / ".effdsl")
    with store.reading() as connection:
        found = connection.execute(
            f"SELECT key FROM results WHERE {condition} ORDER BY technique"  # noqa: S608  the test's own words
        ).fetchall()
    return [store.record(key) for (key,) in found]
