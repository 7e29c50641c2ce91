"""What a fine-tuning leaves: peft and transformers load it, alone, as the model that was trained."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import peft
import pytest
import torch
from effdsl_runtime.tuning.saved import Origin, copy_tokenizer, save, start_of
from safetensors.torch import load_file
from torch import Tensor
from torch.testing import assert_close
from transformers import AutoModelForCausalLM

from effdsl.techniques.fine_tuning import AdaLoRA, Freeze, Full, LoRA, PiSSA
from effdsl.techniques.fine_tuning.adapter import Adapter
from effdsl.techniques.fine_tuning.method import Method

from .conftest import (
    ADAPTERS,
    KINDS,
    METHODS,
    built,
    copied,
    logits_of,
    put,
    shape_of,
    stirred,
    tokens_bt,
    train,
    trained,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
    # peft 0.21 takes the ranks that AdaLoRA has found for those of a LoRA
    pytest.mark.filterwarnings("ignore:The following rank_pattern keys:RuntimeWarning"),
]
STEPS = 6
MORE = (PiSSA(rank=3, iterations=None), AdaLoRA(rank=1))
"""The exact decomposition; and so small a rank that some targets are left none."""
Base = Callable[[str], Path]
Tune = Callable[..., "Left"]


class Left(NamedTuple):
    """A model that was trained by a method, what it started from, and the folder that it was saved to."""

    method: Method
    model: Any
    start: Any
    folder: Path


ALONE = """
import sys
class NoEffdsl:
    def find_spec(self, name, *_):
        if name.partition(".")[0].startswith("effdsl"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, NoEffdsl())
try:
    import effdsl
except ModuleNotFoundError:
    pass
else:
    raise SystemExit("effdsl can be imported")
import json, torch, peft
from pathlib import Path
from transformers import AutoModelForCausalLM
tokens = torch.tensor(json.loads(sys.argv[1]))
results, *folders = map(Path, sys.argv[2:])
for folder in folders:
    kind = AutoModelForCausalLM
    if (folder / "adapter_config.json").exists():
        kind = peft.AutoPeftModelForCausalLM
    model = kind.from_pretrained(folder).eval()
    with torch.no_grad():
        torch.save(model(input_ids=tokens, use_cache=False).logits, results / folder.name)
"""


@pytest.fixture(scope="module")
def tune(base: Base, tmp_path_factory: pytest.TempPathFactory) -> Tune:
    """Trains a saved model by a method, from another start than zero, and saves what comes of it; once."""
    known: dict[Any, Left] = {}

    def tuned(method: Method, kind: str = "llama", dtype: torch.dtype = torch.float32) -> Left:
        if (method, kind, dtype) not in known:
            loaded = AutoModelForCausalLM.from_pretrained(base(kind), dtype=dtype)
            resolved, model = put(method, loaded, STEPS)
            start = start_of(resolved, model)
            train(resolved, stirred(model), STEPS)
            folder = tmp_path_factory.mktemp(type(method).__name__)
            save(resolved, model, start, Origin(str(base(kind)), "main"), folder)
            known[method, kind, dtype] = Left(resolved, model, start, folder)
        return known[method, kind, dtype]

    return tuned


def on_the_base(left: Left) -> Any:
    """peft's model of an adapter on the base as it was."""
    said = json.loads((left.folder / "adapter_config.json").read_text("utf-8"))
    loaded = AutoModelForCausalLM.from_pretrained(said["base_model_name_or_path"], dtype=torch.float32)
    return peft.PeftModel.from_pretrained(loaded, left.folder)


@pytest.mark.slow
@pytest.mark.parametrize("method", [*ADAPTERS, *MORE], ids=str)
def test_peft_loads_an_adapter_on_the_base_as_what_was_trained(method: Method, tune: Tune) -> None:
    """With the same logits, which are not the base's; its tensors have the bytes that were foretold."""
    left = tune(method)
    expected = logits_of(left.model)
    assert_close(logits_of(on_the_base(left)), expected, atol=2e-5, rtol=1e-4)
    assert (logits_of(built()) - expected).abs().max() > 1e-2
    foretold = left.method.adapter_bytes(shape_of(built()))
    there = sum(tensor.nbytes for tensor in load_file(left.folder / "adapter_model.safetensors").values())
    assert foretold in (None, there)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "llama"])
@pytest.mark.parametrize("method", [LoRA(), PiSSA(), Freeze(), Full()], ids=str)
def test_so_it_does_of_other_kinds_of_models(method: Method, kind: str, tune: Tune) -> None:
    """With tied embeddings, latent attention, and biases."""
    left = tune(method, kind)
    whole = not isinstance(method, Adapter)
    theirs = AutoModelForCausalLM.from_pretrained(left.folder) if whole else on_the_base(left)
    assert_close(logits_of(theirs), logits_of(left.model), atol=2e-5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("method", [method for method in METHODS if not isinstance(method, Adapter)], ids=str)
def test_transformers_loads_a_whole_model(method: Method, tune: Tune) -> None:
    """Without an adapter the folder has every weight as it was after the last step, and nothing else."""
    left = tune(method)
    loaded: Any = AutoModelForCausalLM.from_pretrained(left.folder, output_loading_info=True)
    theirs, told = loaded
    assert not any(told.values()), told
    for name, tensor in left.model.state_dict().items():
        assert torch.equal(theirs.state_dict()[name], tensor), name
    assert not (left.folder / "adapter_config.json").exists()
    assert torch.equal(logits_of(theirs), logits_of(left.model))


@pytest.mark.slow
@pytest.mark.parametrize("method", [LoRA(), PiSSA()], ids=str)
def test_an_adapter_says_which_base_it_is_for(method: Method, tune: Tune, tmp_path: Path) -> None:
    """By source and revision; and there is no form to fill in."""
    left, commit = tune(method), "8faed761d45a263340a0528343f099c05c9a4323"
    save(left.method, left.model, left.start, Origin("Qwen/Qwen2.5-1.5B", commit), tmp_path)
    said = json.loads((tmp_path / "adapter_config.json").read_text("utf-8"))
    assert (said["base_model_name_or_path"], said["revision"]) == ("Qwen/Qwen2.5-1.5B", commit)
    assert peft.PeftConfig.from_pretrained(str(tmp_path)).base_model_name_or_path == "Qwen/Qwen2.5-1.5B"
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["adapter_config.json", "adapter_model.safetensors"]


@pytest.mark.slow
@pytest.mark.parametrize("method", [PiSSA(), LoRA()], ids=str)
def test_saving_leaves_the_model_as_it_was(method: Method, tune: Tune, tmp_path: Path) -> None:
    """PiSSA's is put back to its start and forth again; it can be saved twice."""
    left = tune(method)
    before = copied(left.model.state_dict())
    save(left.method, left.model, left.start, Origin("mine", "main"), tmp_path)
    after = left.model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    once, twice = (folder / "adapter_model.safetensors" for folder in (left.folder, tmp_path))
    assert once.read_bytes() == twice.read_bytes()


@pytest.mark.slow
def test_a_process_without_effdsl_loads_all_of_it(tune: Tune, tmp_path: Path) -> None:
    """By ``AutoPeftModelForCausalLM``, which finds the base by what the adapter says, or as a plain model."""
    left = [tune(method) for method in METHODS]
    folders = [str(each.folder) for each in left]
    command = [sys.executable, "-c", ALONE, json.dumps(tokens_bt().tolist()), str(tmp_path), *folders]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    for each in left:
        theirs: Tensor = torch.load(tmp_path / each.folder.name)
        assert_close(theirs, logits_of(each.model), atol=2e-5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("method", ADAPTERS, ids=str)
def test_a_merged_model_says_the_same(method: Method, tune: Tune) -> None:
    """Greedily, token by token; the logits differ by roundings."""
    theirs = on_the_base(tune(method)).eval()
    apart = theirs.generate(input_ids=tokens_bt(), max_new_tokens=12, do_sample=False)
    expected = logits_of(theirs)
    merged = theirs.merge_and_unload()
    assert not hasattr(merged, "peft_config")
    assert_close(logits_of(merged), expected, atol=1e-4, rtol=0)
    together = merged.generate(input_ids=tokens_bt(), max_new_tokens=12, do_sample=False)
    assert torch.equal(together, apart)


@pytest.mark.slow
@pytest.mark.parametrize("method", [LoRA(), PiSSA(), Freeze(), Full()], ids=str)
def test_what_was_trained_is_saved_in_float32_where_the_base_is_in_bfloat16(
    method: Method, tune: Tune
) -> None:
    """No bit of a trained tensor is lost, whatever the frozen ones are in."""
    left = tune(method, dtype=torch.bfloat16)
    (file,) = left.folder.glob("*.safetensors")
    saved, learned = load_file(file), trained(left.model)
    assert {parameter.dtype for parameter in learned.values()} == {torch.float32}
    if isinstance(method, Adapter):
        assert {tensor.dtype for tensor in saved.values()} == {torch.float32}
    else:
        assert all(torch.equal(saved[name], parameter) for name, parameter in learned.items())


def test_a_tokenizer_is_copied_beside_it(tmp_path: Path) -> None:
    """Its files, whichever there are, and none of the model's."""
    source, folder = tmp_path / "source", tmp_path / "left"
    for made in (source, folder):
        made.mkdir()
    names = ["chat_template.jinja", "tokenizer.json", "tokenizer_config.json"]
    for name in (*names, "config.json", "model.safetensors"):
        (source / name).write_text(name, encoding="utf-8")
    copy_tokenizer(source, folder)
    found = {path.name: path.read_text("utf-8") for path in folder.iterdir()}
    assert found == {name: name for name in names}
