"""The model that a fine-tuning starts from, and its tokenizer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import singledispatch
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import peft
from effdsl_registry.checkpoints import BASE, Checkpoints, adapter_config
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM

import effdsl_runtime.checkpoints.auto  # noqa: F401  our own kinds of models
from effdsl.declare import Invalid, evolve
from effdsl.key import canonical_json, key_of
from effdsl.stages.pretraining import Pretraining
from effdsl.stages.tuning import Tuning
from effdsl.subjects.hub import Hub
from effdsl.subjects.local import Local, folder_hash
from effdsl.subjects.trained import LeftWeights, StoredWeights, TrainedWeights
from effdsl.subjects.weights import Weights
from effdsl.task import Task
from effdsl.workload import Workload
from effdsl_runtime.data.cached_text import cache_folder, corpus_folder
from effdsl_runtime.data.codec import TOKENIZER_FILE
from effdsl_runtime.data.prepare import prepare
from effdsl_runtime.data.text_files import DataError
from effdsl_runtime.tuning.methods import as_stored_for
from effdsl_runtime.tuning.saved import without_false_alarms

if TYPE_CHECKING:
    import torch

Report = Callable[[str], None]


@singledispatch
def source_of(weights: Weights, seed: int, checkpoints: Checkpoints) -> tuple[str | Path, str]:
    """What ``from_pretrained`` takes of ``weights`` for a repeat: a folder, or an id of the hub; and what
    pins its content: the hash of the folder, the key of the task that left it, or the hub's revision."""
    raise TypeError(f"nothing here knows where a {type(weights).__name__} is")


@source_of.register
def _(weights: Local, seed: int, checkpoints: Checkpoints) -> tuple[str | Path, str]:
    return Path(weights.path), weights.revision


@source_of.register
def _(weights: Hub, seed: int, checkpoints: Checkpoints) -> tuple[str | Path, str]:
    return weights.id, weights.revision


@source_of.register
def _(weights: LeftWeights, seed: int, checkpoints: Checkpoints) -> tuple[str | Path, str]:
    task = weights.left_by(seed)
    key = key_of(canonical_json(task))
    folder = checkpoints.of(key)
    if not folder.is_dir():
        named = f"{weights.name} seed {task.seed} ({key[:10]})" if weights.name.strip() else key[:10]
        raise DataError(
            f"the weights of {named} are gone; `effdsl execute` of their study, --retry ok, makes them again"
        )
    return folder.resolve(), key


@singledispatch
def check_unchanged(weights: Weights) -> None:
    """Refuse weights that are not those that were planned, where that can be seen.

    Raises:
        DataError: saying so.
    """


@check_unchanged.register
def _(weights: Local) -> None:
    try:
        found = folder_hash(Path(weights.path))
    except (OSError, Invalid) as error:
        raise DataError(f"{weights.path} cannot be read: {error}") from None
    if found != weights.revision:
        raise DataError(f"the files in {weights.path} have changed since they were planned; execute again")


def load_model(
    weights: Weights, seed: int, checkpoints: Checkpoints, dtype: torch.dtype | Literal["auto"] = "auto"
) -> Any:
    """The model of transformers; a class of ours where transformers has none. Where a fine-tuning has left an
    adapter, it is merged into its base.

    Args:
        dtype: of its weights; ``"auto"`` is that of their file.

    Raises:
        DataError: when it cannot be read.
    """
    source, revision = source_of(weights, seed, checkpoints)
    what = f"the weights of {weights.name} ({source})"
    if isinstance(weights, LeftWeights) and (work := adapter_left(weights, seed, checkpoints)) is not None:
        model = load_model(work.weights, weights.left_by(seed).seed, checkpoints, dtype)
        as_stored_for(work.method, model)
        try:
            with without_false_alarms():
                return peft.PeftModel.from_pretrained(model, source).merge_and_unload()
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:  # of a damaged adapter
            raise DataError(f"{what} cannot be loaded: {error}") from error
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            source,
            revision=revision,
            dtype=dtype,
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, SafetensorError) as error:  # of a folder, a hub, a revision; of a file
        raise DataError(f"{what} cannot be loaded: {error}") from error
    model, told = loaded
    missing = sorted([*told["missing_keys"], *(name for name, *_ in told["mismatched_keys"])])
    if missing:  # transformers has made them up, at random
        others = sorted(told["unexpected_keys"])
        instead = f", and there is {others[0]}, which it does not know" if others else ""
        raise DataError(
            f"{what} are not those that config.json asks for: {missing[0]} is missing or of another size"
            f"{instead}; write them anew with model.save_pretrained(folder), or copy the folder again"
        )
    return model


@singledispatch
def adapter_left(weights: LeftWeights, seed: int, checkpoints: Checkpoints) -> Tuning | None:
    """The fine-tuning whose adapter is left; ``None`` where a whole model is."""
    work = weights.cell.workload
    return work if isinstance(work, Tuning) and not work.method.replaces_weights else None


@adapter_left.register
def _(weights: StoredWeights, seed: int, checkpoints: Checkpoints) -> Tuning | None:
    return adapter_left(TrainedWeights(with_folders(weights.task, checkpoints).cell), seed, checkpoints)


def with_folders(task: Task, checkpoints: Checkpoints) -> Task:
    """A ``task`` out of the store with the paths of the folders that it starts from, which are in no key: the
    adapters that were left have them."""
    work = task.workload
    if not isinstance(work, Tuning):
        return task
    weights = _with_folder(work.weights, task, checkpoints)
    return evolve(task, cell=evolve(task.cell, workload=evolve(work, weights=weights)))


@singledispatch
def _with_folder(weights: Weights, of: Task, checkpoints: Checkpoints) -> Weights:
    return weights


@_with_folder.register
def _(weights: Local, of: Task, checkpoints: Checkpoints) -> Weights:
    config = adapter_config(checkpoints.of(key_of(canonical_json(of))))
    if not config:
        return weights
    found = evolve(weights, path=config[BASE])
    object.__setattr__(found, "model", weights.model)
    return found


@_with_folder.register
def _(weights: TrainedWeights, of: Task, checkpoints: Checkpoints) -> Weights:
    return TrainedWeights(with_folders(weights.left_by(of.seed), checkpoints).cell)


@singledispatch
def tokenizer_source(weights: Weights, report: Report) -> tuple[str | Path, str]:
    """Where the tokenizer of ``weights`` is, whether they are there yet or not; and the revision."""
    raise TypeError(f"nothing here knows the tokenizer of a {type(weights).__name__}")


@tokenizer_source.register
def _(weights: Local, report: Report) -> tuple[str | Path, str]:
    return Path(weights.path), "main"


@tokenizer_source.register
def _(weights: Hub, report: Report) -> tuple[str | Path, str]:
    return weights.id, weights.revision


@tokenizer_source.register
def _(weights: StoredWeights, report: Report) -> tuple[str | Path, str]:
    return Path(weights.folder), "main"


@tokenizer_source.register
def _(weights: LeftWeights, report: Report) -> tuple[str | Path, str]:
    return _tokenizer_left(weights.cell.workload, report)


@singledispatch
def _tokenizer_left(workload: Workload, report: Report) -> tuple[str | Path, str]:
    raise TypeError(f"nothing here knows the tokenizer that a {type(workload).__name__} leaves")


@_tokenizer_left.register
def _(workload: Tuning, report: Report) -> tuple[str | Path, str]:
    return tokenizer_source(workload.weights, report)


@_tokenizer_left.register
def _(workload: Pretraining, report: Report) -> tuple[str | Path, str]:
    """The tokenizer of the text, as the checkpoint will have it: a folder of its own beside the corpus."""
    corpus = prepare(workload.data, report, workload.budget.tokens)
    made = corpus_folder(workload.data, workload.budget.tokens)
    folder = cache_folder() / "tokenizers" / f"{made.name}-{workload.budget.context_length}"
    if not (folder / "tokenizer_config.json").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made / TOKENIZER_FILE, folder / TOKENIZER_FILE)
        said = json.dumps(corpus.tokenizer.described(workload.budget.context_length))
        (folder / "tokenizer_config.json").write_text(said, encoding="utf-8")
    return folder, "main"
