"""What is said where weights cannot be read: a sentence that names them, by the language or the runtime."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from effdsl_registry.checkpoints import Checkpoints
from effdsl_runtime.data.model_tokenizer import tokenizer_folder
from effdsl_runtime.data.text_files import DataError
from effdsl_runtime.tuning.base_model import check_unchanged, load_model, tokenizer_source
from safetensors.torch import load_file, save_file
from transformers import Qwen2Config, Qwen2ForCausalLM

from effdsl.data import LocalText
from effdsl.declare import Invalid
from effdsl.engines.transformers import Transformers
from effdsl.hardware import Hardware
from effdsl.stages.tuning import Tuning
from effdsl.subject import Surroundings
from effdsl.subjects.hub import Hub
from effdsl.subjects.local import Local
from effdsl.subjects.trained import TrainedWeights
from effdsl.task import Cell, Labels
from effdsl.techniques.fine_tuning import Full
from effdsl.training import TrainingBudget

from .conftest import RECIPE, built, logits_of

Base = Callable[..., Path]


def load(folder: Path, tmp_path: Path) -> object:
    return load_model(Local(str(folder)), 0, Checkpoints(tmp_path / "checkpoints"), torch.float32)


@pytest.fixture
def folder(base: Base, tmp_path: Path) -> Path:
    """A copy of a small model that may be damaged."""
    return Path(shutil.copytree(base(), tmp_path / "mine"))


def weights_in(folder: Path) -> Path:
    return folder / "model.safetensors"


def cut_short(folder: Path) -> None:
    content = weights_in(folder).read_bytes()
    weights_in(folder).write_bytes(content[: len(content) // 2])


def cut_in_its_header(folder: Path) -> None:
    weights_in(folder).write_bytes(weights_in(folder).read_bytes()[:100])


def empty(folder: Path) -> None:
    weights_in(folder).write_bytes(b"")


def of_noise(folder: Path) -> None:
    weights_in(folder).write_bytes(b"\xff" * 1000)


def gone(folder: Path) -> None:
    weights_in(folder).unlink()


def pickled(folder: Path) -> None:
    torch.save(load_file(weights_in(folder)), folder / "pytorch_model.bin")
    weights_in(folder).unlink()


def without_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def with_half_a_config(folder: Path) -> None:
    text = (folder / "config.json").read_text("utf-8")
    (folder / "config.json").write_text(text[: len(text) // 2], encoding="utf-8")


def removed(folder: Path) -> None:
    shutil.rmtree(folder)


def without_a_layer(folder: Path) -> None:
    kept = {name: t for name, t in load_file(weights_in(folder)).items() if ".layers.1." not in name}
    save_file(kept, weights_in(folder), metadata={"format": "pt"})


def of_another_width(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"intermediate_size": 48}), encoding="utf-8")


def of_an_unknown_kind(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "nowhere"}), encoding="utf-8")


REFUSED = [
    cut_short,
    cut_in_its_header,
    empty,
    of_noise,
    gone,
    pickled,
    without_config,
    with_half_a_config,
    removed,
    without_a_layer,
]
damages = pytest.mark.parametrize(
    "damage", [*REFUSED, of_another_width, of_an_unknown_kind], ids=lambda damage: damage.__name__
)


def test_a_whole_folder_is_loaded_as_it_is(folder: Path, tmp_path: Path) -> None:
    """Or the tests below would say nothing."""
    assert torch.equal(logits_of(load(folder, tmp_path)), logits_of(built()))


@damages
def test_a_damaged_folder_is_a_mistake_in_the_data(
    damage: Callable[[Path], None], folder: Path, tmp_path: Path
) -> None:
    """Whatever the library beneath raises, and never a model with weights made up."""
    damage(folder)
    with pytest.raises(DataError) as caught:
        load(folder, tmp_path)
    assert str(folder) in str(caught.value)
    assert "mine" in str(caught.value)


@pytest.mark.parametrize("damage", REFUSED, ids=lambda damage: damage.__name__)
def test_a_study_refuses_it_before_anything_runs(damage: Callable[[Path], None], folder: Path) -> None:
    """With a sentence that names the file or the folder, and a hint."""
    damage(folder)
    with pytest.raises(Invalid) as caught:
        Local(str(folder)).resolve(Surroundings())
    assert str(folder) in str(caught.value)
    assert caught.value.hint


def test_what_a_task_was_to_leave_is_missed_by_its_name(tmp_path: Path) -> None:
    """Weights that were trained and then removed are asked for again, with the study's name and the seed."""
    work = Tuning(Local(str(tmp_path)), Full(), LocalText(("*.txt",)), TrainingBudget(1, 1, 8, 1), RECIPE)
    labels = Labels(technique="Full()", scale="mine", full_name="Full()")
    weights = TrainedWeights(Cell(work, Transformers(), Hardware("a laptop", kind="cpu"), labels))
    said = r"the weights of Full\(\) mine seed 4 \([0-9a-f]{10}\) are gone; `effdsl execute"
    with pytest.raises(DataError, match=said):
        load_model(weights, 4, Checkpoints(tmp_path / "checkpoints"), torch.float32)


def test_a_model_that_the_hub_does_not_give_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a network, for one."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match=r"the weights of nobody/has-it .* cannot be loaded"):
        load_model(Hub("nobody/has-it"), 0, Checkpoints(tmp_path), torch.float32)


def test_a_tokenizer_of_no_folder_is_missed_by_its_name(tmp_path: Path) -> None:
    """Where the weights have been removed since."""
    source, revision = tokenizer_source(Local(str(tmp_path / "removed")), lambda _: None)
    with pytest.raises(DataError, match=r"removed: no such folder"):
        tokenizer_folder(source, revision)


def test_weights_that_have_changed_since_they_were_planned_are_refused(tmp_path: Path) -> None:
    """Their key is that of what they were: a result of others must not stand under it."""
    torch.manual_seed(0)
    Qwen2ForCausalLM(
        Qwen2Config(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
                    num_key_value_heads=2, intermediate_size=8)
    ).save_pretrained(tmp_path)  # fmt: skip
    (tmp_path / "tokenizer.json").write_text("{}")
    (planned,) = Local(tmp_path).resolve(Surroundings())
    check_unchanged(planned)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match="have changed since they were planned"):
        check_unchanged(planned)


def test_weights_under_other_names_are_said_with_both_and_what_to_do(folder: Path, tmp_path: Path) -> None:
    """Where transformers would make them up at random."""
    file = folder / "model.safetensors"
    tensors = {name.replace("q_proj", "query"): tensor for name, tensor in load_file(file).items()}
    save_file(tensors, file, {"format": "pt"})
    with pytest.raises(DataError) as caught:
        load(folder, tmp_path)
    assert str(caught.value) == (
        f"the weights of mine ({folder}) are not those that config.json asks for: "
        "model.layers.0.self_attn.q_proj.weight is missing or of another size, and there is "
        "model.layers.0.self_attn.query.weight, which it does not know; write them anew with "
        "model.save_pretrained(folder), or copy the folder again"
    )
