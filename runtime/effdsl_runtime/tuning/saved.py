"""What a fine-tuning leaves: an adapter that peft loads on its base, or the whole model; and a tokenizer."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import singledispatch
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import torch
from effdsl_registry.checkpoints import ADAPTER_CONFIG, BASE, adapter_config

from effdsl.subjects.weights import TOKENIZER_FILES
from effdsl.techniques.fine_tuning import PiSSA
from effdsl.techniques.fine_tuning.adapter import Adapter
from effdsl.techniques.fine_tuning.method import Method

FALSE_ALARMS: tuple[tuple[str, type[Warning]], ...] = (
    (".* have invalid shape", UserWarning),  # AdaLoRA may leave a target no rank at all
    (
        "PiSSA changes the base weights",
        UserWarning,
    ),  # peft loads the factors of the start as a second adapter
    ("The following rank_pattern keys", RuntimeWarning),  # peft takes AdaLoRA's ranks for those of a LoRA
    (".*is_gradient_checkpointing.*", FutureWarning),  # of transformers, about what peft asks it
)


@attrs.frozen
class Origin:
    """Where the base of an adapter is.

    Attributes:
        source: what ``from_pretrained`` takes: an id of the hub, or a folder.
        revision: what pins its content: of the hub, the key of the task that left it, or the folder's hash.
    """

    source: str
    revision: str


@singledispatch
def start_of(method: Method, model: Any) -> Any:
    """What has to be remembered of ``model`` before it is trained; usually nothing."""
    return None


@start_of.register
def _(method: PiSSA, model: Any) -> dict[str, torch.Tensor]:
    """The factors that were taken out of the weights: a saved adapter puts them back."""
    return {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}


@singledispatch
def save(method: Method, model: Any, start: Any, origin: Origin, folder: Path) -> None:
    """Write what ``method`` made of a model into an empty folder: the whole model, where it has no adapter.

    Args:
        start: what :func:`start_of` gave.
        origin: where the base is.
    """
    model.float().save_pretrained(folder)  # of a model in two dtypes only one would be written down


@save.register
def _(method: Adapter, model: Any, start: Any, origin: Origin, folder: Path) -> None:
    with without_false_alarms():
        model.save_pretrained(folder)
    _name_the_base(folder, origin)


@save.register
def _(method: PiSSA, model: Any, start: Any, origin: Origin, folder: Path) -> None:
    """As a LoRA of twice the rank on the base as it was: ``BA - B'A'`` with the factors it started from."""
    config = model.peft_config["default"]
    how = config.init_lora_weights
    with TemporaryDirectory() as initial, torch.no_grad():
        trained = {name: model.get_parameter(name).detach().clone() for name in start}
        for name, values in start.items():
            model.get_parameter(name).copy_(values)
        config.init_lora_weights = True
        model.save_pretrained(initial)
        for name, values in trained.items():
            model.get_parameter(name).copy_(values)
        config.init_lora_weights = how
        with without_false_alarms():
            model.save_pretrained(folder, path_initial_model_for_weight_conversion=initial)
    _name_the_base(folder, origin)


@contextmanager
def without_false_alarms() -> Iterator[None]:
    """Without what peft and transformers warn of that is as it should be."""
    with warnings.catch_warnings():
        for message, kind in FALSE_ALARMS:
            warnings.filterwarnings("ignore", message, kind)
        yield


def _name_the_base(folder: Path, origin: Origin) -> None:
    """peft writes whatever the model was loaded from; and README.md, an empty form to fill in."""
    file = folder / ADAPTER_CONFIG
    config = adapter_config(folder) | {BASE: origin.source, "revision": origin.revision}
    file.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").unlink(missing_ok=True)


def copy_tokenizer(source: Path, folder: Path) -> None:
    """Put the files of a tokenizer beside what was written."""
    for name in TOKENIZER_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
