"""Cloze: which continuation follows a passage of held-out text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from effdsl.evaluation import Cloze
from effdsl_runtime.data.model_tokenizer import Example
from effdsl_runtime.data.parts import Passage, items
from effdsl_runtime.data.text_files import DataError
from effdsl_runtime.evaluating.evaluate import Evaluated, Report, evaluate
from effdsl_runtime.evaluating.longest_text import positions_of
from effdsl_runtime.evaluating.summed_losses import summed_losses
from effdsl_runtime.observation import EvaluatedItem, Progress
from effdsl_runtime.taking_long import beating

WORDS = re.compile(r"\S+")
PHASE = "cloze"


class ClozeItem(NamedTuple):
    """A passage and its continuations.

    Attributes:
        prompt: ends with a word.
        choices: each begins with the space that follows the prompt.
        answer: which of them is right, from 0.
    """

    prompt: str
    choices: list[str]
    answer: int


class Stretch(NamedTuple):
    """A piece of text.

    Attributes:
        prompt: its first words.
        space: what stands behind them.
        continuation: the words that follow.
    """

    prompt: str
    space: str
    continuation: str


def cloze_items(cloze: Cloze) -> list[ClozeItem]:
    """The items of a resolved ``cloze``: the same ones wherever and whenever they are made.

    Raises:
        DataError: when the data has too little text, or cannot be read.
    """
    windows = _windows(cloze)
    count = min(cloze.items, len(windows))
    random = np.random.default_rng(cloze.seed)
    return [_item(windows, i * len(windows) // count, cloze.choices, random) for i in range(count)]


def _windows(cloze: Cloze) -> list[Stretch]:
    """The held-out text in pieces that do not overlap."""
    if cloze.data is None:
        raise DataError("Cloze has no data; resolve it with those of a study")
    texts = [
        item.content.text
        for item in items(cloze.data)
        if item.part == "held_out" and isinstance(item.content, Passage)
    ]
    found = [window for text in texts for window in _cut(text, cloze.prompt_words, cloze.continuation_words)]
    different = len({window.continuation for window in found})
    if different < cloze.choices:
        length = cloze.prompt_words + cloze.continuation_words
        raise DataError(
            f"{type(cloze.data).__name__}: the held-out text has {different} pieces of {length} words, fewer "
            f"than choices={cloze.choices}; give Cloze(data=...) with more text, or fewer words"
        )
    return found


def _cut(text: str, prompt_words: int, continuation_words: int) -> list[Stretch]:
    words = list(WORDS.finditer(text))
    length = prompt_words + continuation_words
    found = []
    for first in range(0, len(words) - length + 1, length):
        last, following = words[first + prompt_words - 1], words[first + prompt_words]
        prompt = text[words[first].start() : last.end()]
        continuation = text[following.start() : words[first + length - 1].end()]
        found.append(Stretch(prompt, text[last.end() : following.start()], continuation))
    return found


def _item(windows: Sequence[Stretch], right: int, choices: int, random: np.random.Generator) -> ClozeItem:
    """The wrong continuations stand behind the same space as the right one, which thus tells nothing."""
    prompt, space, continuation = windows[right]
    others: list[str] = []
    for other in random.permutation(len(windows)):
        wrong = windows[other].continuation
        if wrong != continuation and wrong not in others:
            others.append(wrong)
        if len(others) == choices - 1:
            break
    answer = int(random.integers(choices))
    others.insert(answer, continuation)
    return ClozeItem(prompt, [space + one for one in others], answer)


@evaluate.register
def _(evaluation: Cloze, model: Any, tokenizer: Path, device: torch.device, report: Report) -> Evaluated:
    with beating(lambda said: report(Progress(said)), "the passages of the cloze"):
        asked = cloze_items(evaluation)
        examples, cut = _examples(asked, tokenizer, positions_of(model))
    losses = summed_losses(model, examples, device, lambda done: report(Progress(PHASE, done, len(examples))))
    nats_nc = np.array(losses).reshape(len(asked), evaluation.choices)
    bytes_nc = np.array([[len(choice.encode()) for choice in item.choices] for item in asked])
    found = {"cloze": nats_nc, "cloze_per_byte": nats_nc / bytes_nc}
    rights = {name: _right(cost_nc, asked) for name, cost_nc in found.items()}
    scores = {name: float(np.mean(right)) for name, right in rights.items()}
    return Evaluated(
        values=scores,
        scores=scores,
        averaged=("cloze",),
        items={name: [EvaluatedItem(i, r) for i, r in enumerate(right)] for name, right in rights.items()},
        flags=tuple(_flags(evaluation, len(asked), cut)),
    )


def _flags(evaluation: Cloze, items: int, cut: int) -> Iterator[str]:
    """Where it is not quite what was asked for."""
    if items < evaluation.items:
        yield f"cloze of {items:,} items, and not {evaluation.items:,}: there is no more text"
    if cut:
        every = items * evaluation.choices
        yield f"{cut:,} of {every:,} texts of the cloze longer than the model reads: cut at their beginning"


def _right(cost_nc: Any, asked: Sequence[ClozeItem]) -> list[float]:
    """Of each item, 1 where the right continuation costs least, else 0. Of equal ones the first is taken."""
    return [float(int(np.argmin(row)) == item.answer) for row, item in zip(cost_nc, asked, strict=True)]


def _examples(
    asked: Sequence[ClozeItem], tokenizer: Path, positions: int | None
) -> tuple[list[Example], int]:
    """Each choice behind its prompt, in order; the choice is predicted. What is longer than the model has
    positions loses its beginning: how many do.

    As in lm-eval, the prompt's tokens are those that it has by itself, and the choice's those that are left
    of both together.
    """
    encode = _encoder(tokenizer)
    made, cut = [], 0
    for item in asked:
        prompt = encode(item.prompt)
        for choice in item.choices:
            following = encode(item.prompt + choice)[len(prompt) :]
            tokens = prompt + following
            kept = 0 if positions is None else max(0, len(tokens) - positions - 1)
            predicted = [place >= len(prompt) for place in range(len(tokens))]
            made.append(Example(tokens[kept:], [False, *predicted[kept + 1 :]]))
            cut += kept > 0
    return made, cut


def _encoder(folder: Path) -> Callable[[str], list[int]]:
    from transformers import AutoTokenizer

    encode: Callable[[str], list[int]] = AutoTokenizer.from_pretrained(folder).encode
    return encode
