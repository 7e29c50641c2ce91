"""Where prepared text is cached, and how much there is of it. A plan asks this; nothing heavy is loaded."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from functools import singledispatch
from pathlib import Path

from effdsl.data import JSONL, Data, FineWebEdu, LocalText
from effdsl.key import canonical_json

FORMAT = 3  # of the cached files; raised when the same declaration would be written differently
FACTS_FILE = "facts.json"
PIECE = 8192  # characters
"""Characters of a document of plain text, at least."""


def cache_folder() -> Path:
    """``$EFFDSL_CACHE``, else ``$XDG_CACHE_HOME/effdsl``, else ``~/.cache/effdsl``."""
    if named := os.environ.get("EFFDSL_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "effdsl"


def corpus_folder(data: Data, tokens: int) -> Path:
    """Where the corpus of resolved ``data`` is cached, once it has been made.

    Args:
        data: what ``resolve()`` returned.
        tokens: training tokens wanted; only a stream from a hub is cut off there.
    """
    wanted = tokens if isinstance(data, FineWebEdu) else 0
    content = f"{FORMAT} {wanted} {canonical_json(data)}"
    name = f"{data.__tag__}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"
    return cache_folder() / "corpora" / name


def too_short(data: Data, tokens: int, context_length: int) -> str:
    """Why a text is too short for a context; empty when it is not, or not known to be.

    How many tokens there are is known once the text has been prepared. Before that, plain files have at
    most a token per byte.

    Args:
        data: what ``resolve()`` returned.
        tokens: training tokens wanted.
        context_length: tokens of a sequence.
    """
    remedy = "give more text or a shorter context_length"
    wanted = f"context_length={context_length:,} + 1"
    parts = _parts(data, tokens)
    for part, found in parts.items():
        if found <= context_length:
            return f"the {part} part has {found:,} tokens, fewer than {wanted}; {remedy}"
    most = None if parts else most_tokens(data)
    if most is not None and most < 2 * (context_length + 1):
        return (
            f"the text has at most {most:,} tokens, too few to train on {wanted} and to hold out"
            f" as many; {remedy}"
        )
    return ""


def times_read(data: Data, tokens: int) -> float | None:
    """How often training on ``tokens`` reads the training part, at least; ``None`` where unknown."""
    there = _parts(data, tokens).get("training") or most_tokens(data)
    return tokens / there if there else None


def _parts(data: Data, tokens: int) -> Mapping[str, int]:
    """Tokens of each part of a corpus that has been made; empty where there is none."""
    try:
        facts = json.loads((corpus_folder(data, tokens) / FACTS_FILE).read_text("utf-8"))
        return {"training": int(facts["train_tokens"]), "held-out": int(facts["held_out_tokens"])}
    except (OSError, ValueError, KeyError, TypeError):  # none, or a damaged one
        return {}


@singledispatch
def most_tokens(data: Data) -> int | None:
    """More tokens than this are not in ``data``, the marks between documents among them; ``None`` where
    only reading it would tell."""
    return None


@most_tokens.register
def _(data: LocalText) -> int:
    size = _bytes(data.paths)
    return size + size // PIECE + len(data.paths)


@most_tokens.register
def _(data: JSONL) -> int:
    return _bytes(data.paths)  # what is around a text in its line is longer than a mark


def _bytes(paths: tuple[str, ...]) -> int:
    return sum(Path(path).stat().st_size for path in paths)
