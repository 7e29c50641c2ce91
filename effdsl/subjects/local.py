"""Weights in a folder, as transformers writes it."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from pathlib import Path

from effdsl.data import content_hash
from effdsl.declare import Invalid, evolve, identity, keyed, transport
from effdsl.language_model import LanguageModel
from effdsl.subject import Surroundings
from effdsl.subjects.weights import (
    CONFIG,
    TOKENIZER_FILES,
    Weights,
    positions_in,
    shape_in,
    unknown_in,
)
from effdsl.techniques.technique import Unsupported
from effdsl.validate import some_text, text

LONGEST_HEADER = 100_000_000
"""Bytes; the safetensors library refuses a longer one."""


@keyed("local")
class Local(Weights):
    """A folder with ``config.json``, ``*.safetensors`` and a tokenizer: ``Local("models/mine")``.

    Attributes:
        path: the folder.
        revision: SHA-256 of the SHA-256 digests of its files in the order of their names, filled in by
            ``resolve``. When given it pins the content: a folder that differs is refused.
        model: its shape, filled in by ``resolve``.
        longest: tokens of a sequence, filled in likewise where ``config.json`` says so.
        unknown: why it has no ``model``, where it has none.
    """

    path: str = transport(converter=str, validator=some_text)
    revision: str = identity(default="", validator=text)
    model: LanguageModel | None = identity(default=None, init=False)
    longest: int | None = transport(default=None, init=False, eq=False)
    unknown: str = transport(default="", init=False, eq=False)

    def resolve(self, around: Surroundings) -> Sequence[Local]:
        folder = Path(self.path).expanduser().resolve()
        config = _config(folder)
        model = shape_in(config, folder / CONFIG)
        elements = sum(map(_elements, _weight_files(folder)))
        revision = folder_hash(folder)
        if self.revision not in ("", revision):
            raise Invalid(
                f"{folder} is not what revision={self.revision!r} says: its hash is {revision!r}",
                "restore its files, or leave revision out",
            )
        if model is not None and elements < model.parameters:
            raise Invalid(
                f"{folder}: config.json asks for {model.parameters:,} parameters, its files have "
                f"{elements:,}",
                "the folder is not whole; copy it again",
            )
        if not any((folder / name).is_file() for name in TOKENIZER_FILES):
            hint = "write it there with tokenizer.save_pretrained(folder)"
            raise Invalid(f"{folder} has no tokenizer", hint)
        found = evolve(self, path=str(folder), revision=revision)
        object.__setattr__(found, "model", model)
        object.__setattr__(found, "longest", positions_in(config))
        object.__setattr__(found, "unknown", "" if model else unknown_in(config))
        return (found,)

    def language_model(self) -> LanguageModel:
        if self.model is None:
            raise Unsupported(f"no method can be applied to {self.path}: {self.unknown}")
        return self.model

    @property
    def name(self) -> str:
        return Path(self.path).name

    @property
    def positions(self) -> int | None:
        return self.longest

    @property
    def pin(self) -> str:
        return self.revision


def _config(folder: Path) -> object:
    file = folder / CONFIG
    try:
        return json.loads(file.read_text("utf-8"))
    except OSError as error:
        hint = "give a folder that save_pretrained() has written"
        raise Invalid(f"{file}: {error.strerror}", f"{hint}; relative paths start at {Path.cwd()}") from None
    except ValueError as error:
        raise Invalid(f"{file}: not JSON: {error}", "copy it again") from None


def folder_hash(folder: Path) -> str:
    """SHA-256 of the SHA-256 digests of the files of ``folder``, in the order of their names."""
    return content_hash(tuple(sorted(path for path in folder.iterdir() if path.is_file())))


def _weight_files(folder: Path) -> list[Path]:
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        pickles = sorted(path.name for path in folder.glob("*.bin"))
        there = f", only {', '.join(pickles)}, which run code when they are read" if pickles else ""
        raise Invalid(
            f"{folder}: no *.safetensors{there}",
            "write it with model.save_pretrained(folder), which writes safetensors",
        )
    return found


def _elements(file: Path) -> int:
    """Elements of all tensors of a safetensors file, by its header: 8 bytes of length, then JSON.

    Raises:
        Invalid: when the file is cut short, or is none.
    """
    size = file.stat().st_size
    with file.open("rb") as opened:
        start = opened.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
        header = opened.read(length) if length <= min(size, LONGEST_HEADER) else b""
    try:
        tensors = {name: said for name, said in json.loads(header).items() if name != "__metadata__"}
        end = max((int(said["data_offsets"][1]) for said in tensors.values()), default=0)
        elements = sum(math.prod(map(int, said["shape"])) for said in tensors.values())
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError):
        raise Invalid(f"{file} is damaged: it has no header that can be read", "copy it again") from None
    if size != 8 + length + end:
        raise Invalid(
            f"{file} is damaged: it should have {8 + length + end:,} bytes and has {size:,}", "copy it again"
        )
    return elements
