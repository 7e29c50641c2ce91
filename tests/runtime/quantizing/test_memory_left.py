"""What a model that was stored in fewer bits takes of the memory of its process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, Qwen2Config

pytestmark = pytest.mark.slow
SCRIPT = """
import sys
import psutil, torch
from transformers import AutoModelForCausalLM
from effdsl_runtime.device import give_back
from effdsl_runtime.quantizing import quantize
from effdsl.techniques import precision

def held():
    give_back(torch.device("cpu"))
    return psutil.Process().memory_info().rss

def stored(folder):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval()
    return model, quantize(model, getattr(precision, sys.argv[2])(), torch.bfloat16)

stored(sys.argv[1])  # whatever is loaded or allocated once
before = held()
model, became = stored(sys.argv[1])
print(became.bytes, held() - before)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of 60 MB in bfloat16."""
    made = tmp_path_factory.mktemp("model")
    config = Qwen2Config(
        vocab_size=8192,
        hidden_size=768,
        intermediate_size=3072,
        num_hidden_layers=3,
        num_attention_heads=8,
        num_key_value_heads=2,
        tie_word_embeddings=True,
        torch_dtype=torch.bfloat16,
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(made)  # type: ignore[no-untyped-call]
    return made


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere what is free is returned at other times")
@pytest.mark.parametrize("name", ["BF16", "INT4", "NF4"])
def test_the_process_holds_the_bytes_of_the_format_and_nothing_of_the_file(name: str, folder: Path) -> None:
    """Neither pages of the file that weights were read from nor what rounding them took."""
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), name], capture_output=True, text=True, check=True
    )
    stored, held = map(int, ran.stdout.split())
    assert held == pytest.approx(stored, rel=0.1, abs=6e6)
