"""``effdsl merge`` and chains of fine-tunings: what an adapter did to a model is in the model's weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from effdsl_registry.checkpoints import BASE, Checkpoints, adapter_config
from effdsl_runtime.tuning.base_model import load_model, source_of, tokenizer_source
from effdsl_runtime.tuning.merging import write_merged
from effdsl_runtime.tuning.methods import applied
from effdsl_runtime.tuning.saved import Origin, copy_tokenizer, save, start_of
from transformers import AutoModelForCausalLM, Qwen2Config, Qwen2ForCausalLM

from effdsl.data import PythonHelp
from effdsl.engines.transformers import Transformers
from effdsl.from_canonical import decoded
from effdsl.hardware import Hardware
from effdsl.key import canonical_json, key_of
from effdsl.stages.tuning import Tuning
from effdsl.subject import Surroundings
from effdsl.subjects.local import Local
from effdsl.subjects.trained import StoredWeights, TrainedWeights
from effdsl.subjects.weights import Weights
from effdsl.task import Cell, Task
from effdsl.techniques.fine_tuning import AdaLoRA, DoRA, Full, LoRA, PiSSA
from effdsl.techniques.fine_tuning.method import Method
from effdsl.training import TrainingBudget, TrainingRecipe

IDS_BT = torch.arange(12).reshape(2, 6)


@pytest.fixture
def base(tmp_path: Path) -> Local:
    """A tiny model in a folder."""
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=40, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=48, tie_word_embeddings=True,
    )  # fmt: skip
    Qwen2ForCausalLM(config).save_pretrained(tmp_path / "base")
    (tmp_path / "base" / "tokenizer.json").write_text("{}", encoding="utf-8")  # copied, not read
    (resolved,) = Local(tmp_path / "base").resolve(Surroundings())
    return resolved


def tuned(base: Local, method: Method, folder: Path) -> tuple[Task, Checkpoints, Any]:
    """A task whose weights were changed as by training, what it left, and the logits of its model."""
    start = AutoModelForCausalLM.from_pretrained(base.path)
    task, checkpoints, logits = tuned_from(base, start, method, folder)
    copy_tokenizer(Path(base.path), checkpoints.of(key_of(canonical_json(task))))
    return task, checkpoints, logits


def tuned_from(base: Weights, loaded: Any, method: Method, folder: Path) -> tuple[Task, Checkpoints, Any]:
    """The same of any weights, which are ``loaded``."""
    shape = base.language_model()
    closed = method.resolve(shape)
    work = Tuning(
        base, closed, PythonHelp().resolve(), TrainingBudget(1, 1, 8, 1), TrainingRecipe(learning_rate=1e-3)
    )
    task = Task(Cell(work, Transformers(), Hardware("a laptop", kind="cpu")), 0)
    model = applied(closed, loaded, shape, steps=10)
    start = start_of(closed, model)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.05 * torch.randn_like(parameter)
    checkpoints = Checkpoints(folder / "artifacts")
    left = checkpoints.of(key_of(canonical_json(task)))
    left.mkdir(parents=True)
    logits = model.eval()(IDS_BT).logits.detach()
    source, revision = source_of(base, 0, checkpoints)
    save(closed, model, start, Origin(str(source), revision), left)
    return task, checkpoints, logits


@pytest.mark.parametrize(
    "method", [LoRA(rank=4), DoRA(rank=4), PiSSA(rank=4), AdaLoRA(rank=4), Full()], ids=repr
)
def test_what_a_fine_tuning_left_is_loaded_as_one_model(base: Local, method: Method, tmp_path: Path) -> None:
    """So that another fine-tuning can start from it."""
    task, checkpoints, logits = tuned(base, method, tmp_path)
    model = load_model(TrainedWeights(task.cell), 0, checkpoints)
    assert not isinstance(model, peft.PeftModel)
    torch.testing.assert_close(model.eval()(IDS_BT).logits, logits, atol=1e-4, rtol=1e-4)


def test_a_merged_model_has_the_logits_of_the_unmerged(base: Local, tmp_path: Path) -> None:
    """Also where the store knows the base by its content alone: the adapter says where it was."""
    task, checkpoints, logits = tuned(base, LoRA(rank=4), tmp_path)
    stored: Task = decoded(canonical_json(task))
    write_merged(stored, checkpoints, tmp_path / "merged")
    assert (tmp_path / "merged" / "tokenizer.json").is_file()
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    torch.testing.assert_close(model.eval()(IDS_BT).logits, logits, atol=1e-4, rtol=1e-4)
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".tmp")] == []


@pytest.mark.parametrize("method", [LoRA(rank=4), Full()], ids=repr)
def test_weights_by_a_key_are_those_of_that_task_for_every_repeat(
    base: Local, method: Method, tmp_path: Path
) -> None:
    """Also where the store knows the base by its content alone."""
    task, checkpoints, logits = tuned(base, method, tmp_path)
    weights = StoredWeights(decoded(canonical_json(task)), str(checkpoints.of(key_of(canonical_json(task)))))
    for seed in (0, 5):
        model = load_model(weights, seed, checkpoints)
        torch.testing.assert_close(model.eval()(IDS_BT).logits, logits, atol=1e-4, rtol=1e-4)
    source, _ = tokenizer_source(weights, lambda text: None)
    assert Path(source, "tokenizer.json").is_file()


def test_an_adapter_says_where_its_base_is_and_what_pins_it(base: Local, tmp_path: Path) -> None:
    """A folder and its hash; or the folder in the store of the task that left it, and its key."""
    first, checkpoints, _ = tuned(base, Full(), tmp_path)
    start = load_model(TrainedWeights(first.cell), 0, checkpoints)
    tasks = [
        tuned(base, LoRA(rank=4), tmp_path)[0],
        tuned_from(TrainedWeights(first.cell), start, LoRA(rank=4), tmp_path)[0],
    ]
    of_folder, of_task = (adapter_config(checkpoints.of(key_of(canonical_json(task)))) for task in tasks)
    key = key_of(canonical_json(first))
    assert (of_folder[BASE], of_folder["revision"]) == (base.path, base.revision)
    assert (of_task[BASE], of_task["revision"]) == (str(tmp_path / "artifacts" / key), key)


def test_an_adapter_on_an_adapter_on_a_folder_is_merged_from_the_store_alone(
    base: Local, tmp_path: Path
) -> None:
    """Nothing in the task's canonical form says where the folder is; the first adapter does."""
    first, checkpoints, _ = tuned(base, LoRA(rank=4), tmp_path)
    start = load_model(TrainedWeights(first.cell), 0, checkpoints)
    second, _, logits = tuned_from(TrainedWeights(first.cell), start, DoRA(rank=4), tmp_path)
    write_merged(decoded(canonical_json(second)), checkpoints, tmp_path / "merged")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    torch.testing.assert_close(model.eval()(IDS_BT).logits, logits, atol=1e-4, rtol=1e-4)
    weights = StoredWeights(decoded(canonical_json(second)), "")
    model = load_model(weights, 3, checkpoints)
    torch.testing.assert_close(model.eval()(IDS_BT).logits, logits, atol=1e-4, rtol=1e-4)
