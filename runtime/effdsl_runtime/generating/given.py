"""What an inference gets where neither transformers nor the store is at hand: its model, prompts, texts."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
from effdsl_registry.checkpoints import Checkpoints
from effdsl_registry.files import write_whole
from effdsl_registry.layout import Layout

from effdsl.key import canonical_json, key_of
from effdsl.load import ResolvedLoad
from effdsl.task import Task
from effdsl_runtime.data.model_tokenizer import Example

GIVEN = "given.json"
WARM_UPS = 8
"""Requests that warm an engine up, at least, where they are to come one by one."""


@attrs.frozen
class GivenText:
    """Text that a model is evaluated on.

    Attributes:
        name: of the evaluation.
        examples: its items, in their order.
        predicted_bytes: of UTF-8 that the predicted tokens stand for; 0 where only marks are predicted.
        flags: where it is not quite what was asked for.
    """

    name: str
    examples: list[Example]
    predicted_bytes: int
    flags: tuple[str, ...] = ()


@attrs.frozen
class Given:
    """What an inference starts from.

    Attributes:
        model: the folder of its weights, as Hugging Face lays one out, stored in its format.
        tokenizer: the folder of the tokenizer.
        parameters: of the model, exactly.
        prompts: their tokens, in the order in which they are used.
        texts: what it is evaluated on.
    """

    model: str
    tokenizer: str
    parameters: int
    prompts: list[list[int]]
    texts: list[GivenText]

    def write(self, folder: Path) -> None:
        said = attrs.asdict(self, recurse=False)
        said["texts"] = [attrs.asdict(text, recurse=False) for text in self.texts]
        write_whole(folder / GIVEN, json.dumps(said).encode())


def warm_ups(load: ResolvedLoad) -> int:
    """Requests that are served together before those that come one by one are."""
    return max(WARM_UPS, load.sequences)


def given(task: Task, checkpoints: Checkpoints) -> Given:
    """What was handed over for ``task``."""
    folder = Layout(checkpoints.folder.parent).handover(key_of(canonical_json(task)))
    said = json.loads((folder / GIVEN).read_bytes())
    texts = [
        GivenText(**{
            **one,
            "examples": [Example(*example) for example in one["examples"]],
            "flags": tuple(one["flags"]),
        })
        for one in said.pop("texts")
    ]  # fmt: skip
    return Given(**said, texts=texts)
