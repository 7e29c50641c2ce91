"""The same tokens and the same labels as trl's, from its own preparation and collator."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from effdsl_runtime.data.conversations import from_row
from effdsl_runtime.data.example_batches import padded
from effdsl_runtime.data.model_tokenizer import Example, ModelTokenizer
from torch import Tensor

from .conftest import Base

pytestmark = pytest.mark.slow  # trl is loaded
CONTEXT = 40
PAIRS = [
    {"prompt": "What is a tree? ", "completion": "A tree is a plant."},
    {"prompt": "", "completion": "sea"},
    {"prompt": "a tr", "completion": "ee"},
    {"prompt": "line\n", "completion": "\n\nThe sea — ä.\n"},
    {"prompt": "ended", "completion": "tree<|endoftext|>"},
    {"prompt": "The sea " * 4, "completion": "tree " * 40},
]
TALKS = [
    [("user", "What is a tree?"), ("assistant", "A plant.")],
    [("system", "s"), ("user", "q"), ("assistant", "\n\n a"), ("user", "The sea."), ("assistant", "tree")],
    [("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "tree " * 40)],
]
MESSAGES = [{"messages": [{"role": r, "content": c} for r, c in talk]} for talk in TALKS]


def by_trl(folder: Path, rows: list[dict[str, Any]], tmp_path: Path, **options: Any) -> tuple[Tensor, Tensor]:
    """Inputs and labels of one batch of ``rows`` as SFTTrainer trains on them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from datasets import Dataset
        from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
        from trl import SFTConfig, SFTTrainer

        sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
        trainer = SFTTrainer(
            LlamaForCausalLM(LlamaConfig(vocab_size=320, **sizes)),  # type: ignore[arg-type]
            SFTConfig(
                str(tmp_path), max_length=CONTEXT, use_cpu=True, bf16=False, report_to="none", **options
            ),
            train_dataset=Dataset.from_list(rows),
            processing_class=AutoTokenizer.from_pretrained(folder),
        )
        batch = trainer.data_collator(list(trainer.train_dataset))
    return batch["input_ids"], batch["labels"]


def ours(examples: list[Example], pad: int) -> tuple[Tensor, Tensor]:
    return padded([Example(tokens[:CONTEXT], learned[:CONTEXT]) for tokens, learned in examples], pad)


def assert_equal(found: tuple[Tensor, Tensor], theirs: tuple[Tensor, Tensor]) -> None:
    """Equal but for the label of each first token, which no loss looks at."""
    assert torch.equal(found[0], theirs[0])
    assert torch.equal(found[1][:, 1:], theirs[1][:, 1:])
    assert (found[1][:, 0] == -100).all()


def test_prompts_and_completions(base: Base, tmp_path: Path) -> None:
    """Ragged pairs: an empty prompt, a token across the boundary, an end that is there, one too long."""
    folder = base()
    tokenizer = ModelTokenizer(folder)
    examples = tokenizer.completions([from_row(row, "f:1") for row in PAIRS])  # type: ignore[misc]
    assert_equal(ours(examples, tokenizer.pad), by_trl(folder, PAIRS, tmp_path))


def test_conversations(base: Base, tmp_path: Path) -> None:
    """Every turn of the assistant, as a template says that marks them, which ours does not ask."""
    folder = base()
    tokenizer = ModelTokenizer(folder)
    talks = [from_row(row, "f:1") for row in MESSAGES]
    examples = tokenizer.conversations(talks, ["f:1"] * len(talks))  # type: ignore[arg-type]
    assert_equal(ours(examples, tokenizer.pad), by_trl(folder, MESSAGES, tmp_path, assistant_only_loss=True))
