"""The model that a fine-tuning made, whole: its adapter merged into the weights of its base."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from effdsl_registry.checkpoints import Checkpoints

from effdsl.declare import evolve
from effdsl.key import canonical_json, key_of
from effdsl.stages.tuning import Tuning
from effdsl.subjects.local import Local
from effdsl.subjects.trained import TrainedWeights
from effdsl.task import Task
from effdsl.workload import Workload
from effdsl_runtime.data.model_tokenizer import tokenizer_folder
from effdsl_runtime.tuning.base_model import load_model, tokenizer_source
from effdsl_runtime.tuning.saved import ADAPTER_CONFIG, copy_tokenizer


def write_merged(task: Task, checkpoints: Checkpoints, target: Path) -> None:
    """Write the model of a fine-tuning ``task`` to the new folder ``target``, whole or not at all.

    Raises:
        DataError: when what the task left, or its base, is gone or damaged.
    """
    left = checkpoints.of(key_of(canonical_json(task)))
    weights = TrainedWeights(evolve(task.cell, workload=_with_its_folder(task.workload, left)))
    model = load_model(weights, task.seed, checkpoints)
    source, revision = tokenizer_source(weights, lambda text: None)
    partial = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    model.save_pretrained(partial)
    copy_tokenizer(tokenizer_folder(source, revision), partial)
    partial.rename(target)


def _with_its_folder(workload: Workload, left: Path) -> Workload:
    """A fine-tuning of a folder with the folder's path, which is in no key; the adapter has it."""
    config = left / ADAPTER_CONFIG
    if not isinstance(workload, Tuning) or not isinstance(workload.weights, Local) or not config.is_file():
        return workload
    path = json.loads(config.read_text("utf-8"))["base_model_name_or_path"]
    return evolve(workload, weights=_at(workload.weights, path))


def _at(weights: Local, path: str) -> Local:
    found = evolve(weights, path=path)
    object.__setattr__(found, "model", weights.model)
    return found
