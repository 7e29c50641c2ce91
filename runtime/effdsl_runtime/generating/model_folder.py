"""Weights in a format as a folder that other engines read: made once, and found again by its content."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import singledispatch
from pathlib import Path

import torch
from effdsl_registry.checkpoints import Checkpoints

from effdsl.key import canonical_json
from effdsl.stages.generation import Inference
from effdsl.subjects.hub import Hub
from effdsl.subjects.trained import TrainedWeights
from effdsl.techniques.precision.floating import Unquantized
from effdsl.techniques.precision.weight_format import WeightFormat
from effdsl.techniques.technique import Unsupported
from effdsl_runtime.data.cached_text import cache_folder
from effdsl_runtime.data.prepare import alone, beating, whole_or_absent
from effdsl_runtime.data.text_files import DataError
from effdsl_runtime.tuning.base_model import load_model, source_of
from effdsl_runtime.tuning.saved import ADAPTER_CONFIG

FORMAT = 1  # of the cached folders; raised when the same declaration would be written differently
Report = Callable[[str], None]


def model_folder(work: Inference, seed: int, checkpoints: Checkpoints, report: Report) -> Path:
    """A folder of the weights of ``work`` as it stores them, for the repeat ``seed``: the one that they are
    in where that will do, else one in the cache.

    Raises:
        DataError: when the weights are not to be had.
        Unsupported: when nothing writes their format.
    """
    if (whole := _whole_already(work.format, work, seed, checkpoints)) is not None:
        return whole
    upstream = seed if isinstance(work.weights, TrainedWeights) else None
    content = f"{FORMAT} {upstream} {work.dtype} {canonical_json(work.format)} {canonical_json(work.weights)}"
    if work.format.fitted_to is not None:
        content += f" {canonical_json(work.data)}"
    folder = cache_folder() / "models" / hashlib.sha256(content.encode()).hexdigest()[:16]
    with alone(folder, report):
        if not folder.is_dir():
            what = f"{work.weights.name} as {work.format.label()}"
            with beating(report, what), whole_or_absent(folder) as making:
                write_stored(work.format, work, seed, checkpoints, making)
    return folder


@singledispatch
def _whole_already(format: WeightFormat, work: Inference, seed: int, checkpoints: Checkpoints) -> Path | None:
    """The folder that the weights are in, where an engine that reads ``format`` can take it as it is."""
    return None


@_whole_already.register
def _(format: Unquantized, work: Inference, seed: int, checkpoints: Checkpoints) -> Path | None:
    """Engines convert the dtype as they load; an adapter they cannot read as a model."""
    source, revision = source_of(work.weights, seed, checkpoints)
    if isinstance(work.weights, Hub):
        return _downloaded(str(source), revision)
    folder = Path(source).absolute()
    return None if (folder / ADAPTER_CONFIG).is_file() else folder


def _downloaded(name: str, revision: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, local_files_only=True))
    except (OSError, ValueError) as error:
        raise DataError(f"{name} (revision {revision}) is gone from the hub's cache: {error}") from error


@singledispatch
def write_stored(
    format: WeightFormat, work: Inference, seed: int, checkpoints: Checkpoints, folder: Path
) -> None:
    """Write the weights of ``work`` into the empty ``folder``, stored as ``format``.

    Raises:
        Unsupported: when nothing writes it.
    """
    raise Unsupported(f"nothing here writes {format.label()} for other engines", "try Transformers()")


@write_stored.register
def _(format: Unquantized, work: Inference, seed: int, checkpoints: Checkpoints, folder: Path) -> None:
    load_model(work.weights, seed, checkpoints, getattr(torch, work.dtype)).save_pretrained(folder)
