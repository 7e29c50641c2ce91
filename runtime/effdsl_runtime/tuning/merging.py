"""The model that a fine-tuning made, whole: its adapter merged into the weights of its base."""

from __future__ import annotations

import shutil
from pathlib import Path

from effdsl_registry.checkpoints import Checkpoints

from effdsl.key import canonical_json, key_of
from effdsl.subjects.trained import TrainedWeights
from effdsl.task import Task
from effdsl_runtime.tuning.base_model import load_model, with_folders
from effdsl_runtime.tuning.saved import copy_tokenizer


def write_merged(task: Task, checkpoints: Checkpoints, target: Path) -> None:
    """Write the model of a fine-tuning ``task`` to the new folder ``target``, whole or not at all.

    Raises:
        DataError: when what the task left, or its base, is gone or damaged.
    """
    weights = TrainedWeights(with_folders(task, checkpoints).cell)
    model = load_model(weights, task.seed, checkpoints)
    partial = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    model.save_pretrained(partial)
    copy_tokenizer(checkpoints.of(key_of(canonical_json(task))), partial)
    partial.rename(target)
