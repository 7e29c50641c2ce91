"""Makes the examples of a model once and finds them again: cached by content, as a corpus is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import groupby, islice
from pathlib import Path

from effdsl.data import Data
from effdsl.key import canonical_json
from effdsl_runtime.data.cached_text import cache_folder
from effdsl_runtime.data.conversations import Completion, Conversation
from effdsl_runtime.data.corpus import token_dtype
from effdsl_runtime.data.examples import ExampleSet, PartFiles, read_examples, write_example_facts
from effdsl_runtime.data.model_tokenizer import Example, ModelTokenizer, tokenizer_digest, tokenizer_folder
from effdsl_runtime.data.parts import PARTS, Item, Part, Passage, items
from effdsl_runtime.data.prepare import alone, whole_or_absent
from effdsl_runtime.data.text_files import DataError, said_with_files
from effdsl_runtime.taking_long import Report, beating

FORMAT = 1  # of the cached files; raised when the same declaration would be written differently
CUT_TOGETHER = 64
NAMES = {"train": "training", "tuning": "tuning", "held_out": "held-out"}


def prepare_examples(
    data: Data, source: str | Path, context_length: int, report: Report, revision: str = "main"
) -> ExampleSet:
    """The examples of resolved ``data`` as tokens of a model: made where they are not cached yet.

    Args:
        data: what ``resolve()`` returned.
        source: the folder of the model, or its id on the hub; its tokenizer is used.
        context_length: tokens of an example, at most; what is longer loses its end.
        report: is told what goes on at least once a second, from any thread.
        revision: of a model on the hub.

    Raises:
        DataError: when text or tokenizer cannot be had, a part would be empty, or an example has a mistake in
            it or a prompt that leaves no room for its completion.
    """
    if context_length < 2:
        raise DataError(f"context_length={context_length} leaves nothing to predict; give at least 2")
    with beating(report, f"reading the tokenizer of {source}"):
        tokenizer = tokenizer_folder(source, revision)
        folder = examples_folder(data, tokenizer, context_length)
    found = read_examples(folder)
    if found is None:
        with alone(folder, report):
            if read_examples(folder) is None:
                with beating(report, f"examples of {data}"):
                    _make(folder, data, ModelTokenizer(tokenizer), context_length)
        found = read_examples(folder)
    if found is None:
        raise DataError(f"{folder} went away while it was read; run again")
    return found


def examples_folder(data: Data, tokenizer: Path, context_length: int) -> Path:
    """Where the examples of resolved ``data`` are cached once they have been made.

    Args:
        data: what ``resolve()`` returned.
        tokenizer: the folder with the tokenizer.
        context_length: tokens of an example, at most.
    """
    content = f"{FORMAT} {context_length} {tokenizer_digest(tokenizer)} {canonical_json(data)}"
    name = f"{data.__tag__}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"
    return cache_folder() / "examples" / name


def _make(folder: Path, data: Data, tokenizer: ModelTokenizer, context_length: int) -> None:
    dtype = token_dtype(tokenizer.vocab_size)
    with whole_or_absent(folder) as making:
        with ExitStack() as opened:
            files = {p: opened.enter_context(PartFiles(making, p, dtype, tokenizer.bytes_v)) for p in PARTS}
            _fill(files, data, tokenizer, context_length)
        facts = {part: file.facts for part, file in files.items()}
        for part, fact in facts.items():
            if not fact.examples:
                raise DataError(
                    f"{said_with_files(data)}: the {NAMES[part]} part is empty: what belongs to it is drawn "
                    "by a hash of the text; give more text, or another held_out_fraction"
                )
        write_example_facts(making, facts, tokenizer.pad, dtype)


def _fill(files: dict[Part, PartFiles], data: Data, tokenizer: ModelTokenizer, context_length: int) -> None:
    """Write every example into its part; those whose prompt leaves no room are all counted, then refused."""
    crowded = []
    there = items(data)
    while chunk := list(islice(there, CUT_TOGETHER)):
        for item, (tokens, predicted) in _cut(chunk, tokenizer, context_length):
            fits = Example(tokens[:context_length], predicted[:context_length])
            if any(fits.predicted):
                files[item.part].append(fits, len(tokens) > context_length)
            else:
                prompt = predicted.index(True) if any(predicted) else len(tokens)
                crowded.append((item.place, prompt))
    if crowded:
        raise DataError(_no_room(crowded, context_length))


def _no_room(crowded: list[tuple[str, int]], context_length: int) -> str:
    """What is said of prompts that are as long as the context: where each is, and how many tokens it has."""
    place, tokens = crowded[0]
    more = len(crowded) - 1
    others = f", and {more:,} more have as many as the context or more" if more else ""
    longest = max(tokens for _, tokens in crowded)
    return (
        f"{place}: the prompt has {tokens:,} tokens{others}, which leaves no room for a completion in "
        f"context_length={context_length:,}; give context_length={longest + 1:,} or more, or leave "
        f"{'these examples' if others else 'the example'} out"
    )


def _cut(chunk: list[Item], tokenizer: ModelTokenizer, context_length: int) -> Iterator[tuple[Item, Example]]:
    """Items as examples, in their order; a passage is as many as it fills."""
    for _, alike in groupby(chunk, lambda item: type(item.content)):
        some = list(alike)
        passages = [item.content for item in some if isinstance(item.content, Passage)]
        completions = [item.content for item in some if isinstance(item.content, Completion)]
        conversations = [item.content for item in some if isinstance(item.content, Conversation)]
        if passages:
            texts = tokenizer.passages([p.text for p in passages], [p.ends for p in passages])
            for item, tokens in zip(some, texts, strict=True):
                yield from ((item, example) for example in cut_passage(tokens, context_length))
        elif completions:
            yield from zip(some, tokenizer.completions(completions), strict=True)
        else:
            places = [item.place for item in some]
            yield from zip(some, tokenizer.conversations(conversations, places), strict=True)


def cut_passage(tokens: list[int], context_length: int) -> Iterator[Example]:
    """A passage in pieces, each of which begins with the last token of the one before: so every token but
    the first of all is predicted, once. An empty document, a mark and nothing else, is no example."""
    for start in range(0, len(tokens) - 1, context_length - 1):
        piece = tokens[start : start + context_length]
        yield Example(piece, [i > 0 for i in range(len(piece))])
