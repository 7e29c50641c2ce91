"""Weights as a folder that another engine reads: where they are already, or made once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from effdsl_registry.checkpoints import Checkpoints
from effdsl_runtime.generating.giving import prompts_needed
from effdsl_runtime.generating.model_folder import model_folder
from transformers import AutoModelForCausalLM, Qwen2Config, Qwen2ForCausalLM

from effdsl import BF16, FP32, Load, PythonHelp
from effdsl.engines.transformers import Transformers
from effdsl.hardware import Hardware
from effdsl.key import canonical_json, key_of
from effdsl.stages.generation import ROUNDS, Inference
from effdsl.stages.tuning import Tuning
from effdsl.subjects.local import Local
from effdsl.subjects.trained import TrainedWeights
from effdsl.subjects.weights import Weights
from effdsl.task import Cell, Task
from effdsl.techniques.fine_tuning import LoRA
from effdsl.training import TrainingBudget, TrainingRecipe

LAPTOP = Hardware("a laptop", kind="cpu", bf16=True)
IDS_BT = torch.arange(12).reshape(2, 6)


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Local:
    """A tiny model in a folder."""
    monkeypatch.setenv("EFFDSL_CACHE", str(tmp_path / "cache"))
    torch.manual_seed(0)
    config: Any = Qwen2Config(
        vocab_size=40, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=48, tie_word_embeddings=True,
    )  # fmt: skip
    Qwen2ForCausalLM(config).save_pretrained(tmp_path / "base")
    (tmp_path / "base" / "tokenizer.json").write_text("{}")
    (resolved,) = Local(tmp_path / "base").resolve(lambda study: ())
    return resolved


def work_of(weights: Weights, format: Any = FP32, **load: Any) -> Inference:
    data = PythonHelp().resolve()
    return Inference(weights, format(), data, Load(**load).resolve(), (), format().dtype(True))


def silent(text: str) -> None:
    """Nobody listens."""


def test_a_model_in_a_folder_is_read_from_where_it_is(base: Local, tmp_path: Path) -> None:
    """In whichever dtype: engines convert as they load."""
    for format in (FP32, BF16):
        found = model_folder(work_of(base, format), 0, Checkpoints(tmp_path / "artifacts"), silent)
        assert found == tmp_path / "base"
    assert not (tmp_path / "cache" / "models").exists()


def with_adapter(base: Local, folder: Path) -> tuple[TrainedWeights, Checkpoints, Any]:
    """What a fine-tuning by LoRA may leave of two repeats, and the logits of the first."""
    method = LoRA(rank=4).resolve(base.language_model())
    budget = TrainingBudget(1, 1, 8, 1)
    work = Tuning(base, method, PythonHelp().resolve(), budget, TrainingRecipe(learning_rate=1e-3))
    cell, checkpoints = Cell(work, Transformers(), LAPTOP), Checkpoints(folder / "artifacts")
    logits = []
    for seed in (0, 1):
        config = peft.LoraConfig(r=4, init_lora_weights=False, target_modules=["q_proj", "down_proj"])
        torch.manual_seed(seed)
        model: Any = peft.get_peft_model(AutoModelForCausalLM.from_pretrained(base.path), config)
        model.save_pretrained(checkpoints.of(key_of(canonical_json(Task(cell, seed)))))
        logits.append(model.eval()(IDS_BT).logits.detach())
    return TrainedWeights(cell), checkpoints, logits[0]


@pytest.mark.filterwarnings(
    "ignore:.*is_gradient_checkpointing:FutureWarning"
)  # peft, as transformers goes on
def test_an_adapter_is_merged_once_for_each_repeat(base: Local, tmp_path: Path) -> None:
    """And in each dtype; the folder is a model of its own, found again by its content."""
    weights, checkpoints, logits = with_adapter(base, tmp_path)
    first = model_folder(work_of(weights), 0, checkpoints, silent)
    model = AutoModelForCausalLM.from_pretrained(first)
    torch.testing.assert_close(model.eval()(IDS_BT).logits, logits, atol=1e-4, rtol=1e-4)
    written = (first / "model.safetensors").stat().st_mtime_ns
    assert model_folder(work_of(weights), 0, checkpoints, silent) == first
    assert (first / "model.safetensors").stat().st_mtime_ns == written
    others = [
        model_folder(work_of(weights, format), seed, checkpoints, silent)
        for format, seed in ((FP32, 1), (BF16, 0))
    ]
    assert len({first, *others}) == 3
    assert not [path for path in (tmp_path / "cache" / "models").iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("load", "prompts"),
    [
        ({"batch_size": [2, 5]}, (ROUNDS + 1) * 7),
        ({"requests": 30, "concurrency": 12}, 42),
        ({"requests": 30, "rate": 2}, 38),
    ],
)
def test_there_is_a_prompt_for_all_that_is_generated_and_for_what_warms_up(
    base: Local, load: dict[str, Any], prompts: int
) -> None:
    """A batch of each size; as many requests as are on their way at once, eight at least."""
    assert prompts_needed(work_of(base, **load)) == prompts
