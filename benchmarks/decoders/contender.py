"""What the process of every decoder does: for each prompt on its input it says what continuing it took.

Imports nothing that a decoder's own Python might not have.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Protocol


class Decoder(Protocol):
    """A model that continues one sequence by its likeliest tokens."""

    def read(self, prompt: list[int], new_tokens: int) -> int:
        """Forget what was before, read ``prompt``, and give the first of ``new_tokens``."""

    def next(self) -> int:
        """The token after the last one given."""


def serve(make: Callable[..., Decoder], *arguments: str) -> None:
    """Make a decoder, then answer every ``[new tokens, prompt]`` on a line of standard input by one on the
    standard output: seconds of the prompt and of each token after the first, and the tokens."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # for what libraries print, the first of them while the model is loaded
    decoder = make(*arguments)
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        new_tokens, prompt = json.loads(line)
        before = time.process_time(), time.perf_counter()
        tokens = [decoder.read(prompt, new_tokens)]
        between = time.process_time(), time.perf_counter()
        tokens += [decoder.next() for _ in range(new_tokens - 1)]
        after = time.process_time(), time.perf_counter()
        said = {
            "prefill_cpu_s": between[0] - before[0],
            "decode_cpu_s": (after[0] - between[0]) / (new_tokens - 1),
            "decode_s": (after[1] - between[1]) / (new_tokens - 1),
            "tokens": tokens,
        }
        print(json.dumps(said), file=answers, flush=True)
