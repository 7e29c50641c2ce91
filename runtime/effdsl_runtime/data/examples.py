"""Examples on disk: of each part the tokens of all, which of them are predicted, and where each ends."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self, overload

import attrs
import numpy as np
import numpy.typing as npt

from effdsl_runtime.data.cached_text import FACTS_FILE
from effdsl_runtime.data.codec import Lengths, Tokens
from effdsl_runtime.data.model_tokenizer import Example
from effdsl_runtime.data.parts import PARTS, Part

TOKENS, PREDICTED, ENDS = "tokens", "predicted", "ends"


@attrs.frozen
class PartFacts:
    """What is known of a part once it has been written.

    Attributes:
        examples: how many there are.
        tokens: their tokens.
        predicted_tokens: those whose prediction is learned, or measured.
        predicted_bytes: bytes of UTF-8 that the predicted tokens stand for, ends of text standing for none.
        truncated: examples that were longer than the context, and have lost their end.
    """

    examples: int = 0
    tokens: int = 0
    predicted_tokens: int = 0
    predicted_bytes: int = 0
    truncated: int = 0


@attrs.frozen(eq=False)
class ExamplePart(Sequence[Example]):
    """The examples of a part, memory-mapped: flat arrays, and the place in them where each example ends."""

    tokens: Tokens
    predicted: npt.NDArray[np.bool_]
    ends: npt.NDArray[np.int64]
    facts: PartFacts

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> list[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | list[Example]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        i = range(len(self))[index]
        here = slice(int(self.ends[i - 1]) if i else 0, int(self.ends[i]))
        return Example(self.tokens[here].tolist(), self.predicted[here].tolist())


@attrs.frozen(eq=False)
class ExampleSet:
    """What is fine-tuned on, as tokens of one model.

    Attributes:
        train: what is trained on.
        tuning: what choices are made on, such as that of a learning rate.
        held_out: what the result is measured on.
        pad: the token that fills a batch up.
    """

    train: ExamplePart
    tuning: ExamplePart
    held_out: ExamplePart
    pad: int


class PartFiles:
    """Writes a part and counts as it goes."""

    def __init__(self, folder: Path, part: Part, dtype: np.dtype[Any], bytes_v: Lengths) -> None:
        self.facts = PartFacts()
        self._dtype, self._bytes_v = dtype, bytes_v
        with ExitStack() as opened:
            names = (TOKENS, PREDICTED, ENDS)
            self._files = [opened.enter_context(_file(folder, part, name).open("wb")) for name in names]
            self._opened = opened.pop_all()

    def append(self, example: Example, truncated: bool) -> None:
        """Add an example, which may have been truncated."""
        tokens_t, predicted_t = np.array(example.tokens, np.int64), np.array(example.predicted, np.bool_)
        self.facts = PartFacts(
            self.facts.examples + 1,
            self.facts.tokens + len(tokens_t),
            self.facts.predicted_tokens + int(predicted_t.sum()),
            self.facts.predicted_bytes + int(self._bytes_v[tokens_t[predicted_t]].sum()),
            self.facts.truncated + truncated,
        )
        arrays = (tokens_t.astype(self._dtype), predicted_t, np.array([self.facts.tokens], np.int64))
        for file, array in zip(self._files, arrays, strict=True):
            file.write(array.tobytes())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._opened:
            for file in self._files:
                file.flush()
                os.fsync(file.fileno())


def write_example_facts(folder: Path, facts: dict[Part, PartFacts], pad: int, dtype: np.dtype[Any]) -> None:
    """Write the facts; a folder without them holds no examples."""
    written: dict[str, Any] = {part: attrs.asdict(fact) for part, fact in facts.items()}
    content = {"pad": pad, "dtype": dtype.name, **written}
    (folder / FACTS_FILE).write_text(json.dumps(content, indent=1), "utf-8")


def read_examples(folder: Path) -> ExampleSet | None:
    """The examples in ``folder``; None where there are none, or the files are not whole."""
    try:
        written = json.loads((folder / FACTS_FILE).read_text("utf-8"))
        dtype = np.dtype(written["dtype"])
        train, tuning, held_out = (_mapped(folder, part, dtype, PartFacts(**written[part])) for part in PARTS)
        return ExampleSet(train, tuning, held_out, written["pad"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _mapped(folder: Path, part: Part, dtype: np.dtype[Any], facts: PartFacts) -> ExamplePart:
    files = (
        (TOKENS, dtype, facts.tokens),
        (PREDICTED, np.bool_, facts.tokens),
        (ENDS, np.int64, facts.examples),
    )
    arrays = [np.memmap(_file(folder, part, name), kind, "r") for name, kind, _ in files]
    if [len(array) for array in arrays] != [size for *_, size in files]:
        raise ValueError(f"the {part} part in {folder} is not whole")
    tokens, predicted, ends = arrays
    return ExamplePart(tokens, predicted, ends, facts)


def _file(folder: Path, part: Part, name: str) -> Path:
    return folder / f"{part}.{name}.bin"
