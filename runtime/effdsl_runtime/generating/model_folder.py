"""Weights in a format as a folder that other engines read: made once, and found again by its content."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import singledispatch
from pathlib import Path

import torch
from effdsl_registry.checkpoints import ADAPTER_CONFIG, Checkpoints

from effdsl.key import canonical_json
from effdsl.stages.generation import Inference
from effdsl.subjects.hub import Hub
from effdsl.subjects.trained import TrainedWeights
from effdsl.techniques.precision.floating import Unquantized
from effdsl.techniques.precision.weight_format import WeightFormat
from effdsl_runtime.data.cached_text import cache_folder
from effdsl_runtime.data.prepare import alone, whole_or_absent
from effdsl_runtime.data.prepare_examples import prepare_examples
from effdsl_runtime.data.text_files import DataError
from effdsl_runtime.device import DTYPES
from effdsl_runtime.generating.prompts import calibration_of
from effdsl_runtime.quantizing import quantize
from effdsl_runtime.quantizing.compressed import write_compressed
from effdsl_runtime.taking_long import beating
from effdsl_runtime.tuning.base_model import load_model, source_of, tokenizer_source

FORMAT = 1  # of the cached folders; raised when the same declaration would be written differently
Report = Callable[[str], None]


def model_folder(work: Inference, seed: int, checkpoints: Checkpoints, report: Report) -> Path:
    """A folder of the weights of ``work`` as it stores them, for the repeat ``seed``: the one that they are
    in where that will do, else one in the cache.

    Raises:
        DataError: when the weights are not to be had.
        Unsupported: when engines read no weights in their format.
    """
    if (whole := _whole_already(work.format, work, seed, checkpoints)) is not None:
        return whole
    upstream = seed if isinstance(work.weights, TrainedWeights) else None
    content = f"{FORMAT} {upstream} {work.dtype} {canonical_json(work.format)} {canonical_json(work.weights)}"
    if work.format.fitted_to is not None:
        content += f" {canonical_json(work.data)}"
    folder = cache_folder() / "models" / hashlib.sha256(content.encode()).hexdigest()[:16]
    model = folder / "model"
    with alone(folder, report):
        if not model.is_dir():
            what = f"{work.weights.name} as {work.format.label()}"
            with beating(report, what), whole_or_absent(folder) as making:
                _write(work, seed, checkpoints, making / model.name, report)
    return model


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


def _write(work: Inference, seed: int, checkpoints: Checkpoints, folder: Path, report: Report) -> None:
    """Write the weights of ``work`` into the new ``folder``, stored in its format."""
    dtype = DTYPES[work.dtype]
    model = load_model(work.weights, seed, checkpoints, dtype).eval()
    quantize(model, work.format, dtype, _calibration(work, report))
    write_compressed(model, work.format, folder)


def _calibration(work: Inference, report: Report) -> Sequence[torch.Tensor]:
    """What the format is fitted to, a piece at a time; empty where it is fitted to nothing."""
    if work.format.fitted_to is None:
        return ()
    source, revision = tokenizer_source(work.weights, report)
    examples = prepare_examples(work.data, source, work.load.prompt_tokens, report, revision)
    return calibration_of(work.format, examples.train)
