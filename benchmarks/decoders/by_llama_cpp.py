"""llama.cpp, through llama-cpp-python."""

import sys

import llama_cpp
import numpy as np
from contender import serve

MOST_TOKENS = 512


class LlamaCpp:
    def __init__(self, file: str) -> None:
        self.model = llama_cpp.Llama(
            file, n_ctx=MOST_TOKENS, n_batch=MOST_TOKENS, n_threads=1, n_threads_batch=1, verbose=False
        )

    def read(self, prompt: list[int], new_tokens: int) -> int:
        self.model.reset()
        return self._after(prompt)

    def next(self) -> int:
        return self._after([self.last])

    def _after(self, tokens: list[int]) -> int:
        self.model.eval(tokens)
        logits = llama_cpp.llama_get_logits_ith(self.model.ctx, -1)
        self.last = int(np.ctypeslib.as_array(logits, (self.model.n_vocab(),)).argmax())
        return self.last


if __name__ == "__main__":
    serve(LlamaCpp, *sys.argv[1:])
