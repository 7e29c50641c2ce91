"""onnxruntime-genai."""

import sys

import onnxruntime_genai as og
from contender import serve

MOST_TOKENS = 512


class OnnxRuntime:
    def __init__(self, folder: str) -> None:
        self.model = og.Model(folder)

    def read(self, prompt: list[int], new_tokens: int) -> int:
        asked = og.GeneratorParams(self.model)
        asked.set_search_options(max_length=MOST_TOKENS, min_length=MOST_TOKENS, do_sample=False)
        self.generator = og.Generator(self.model, asked)
        self.generator.append_tokens([prompt])
        return self.next()

    def next(self) -> int:
        self.generator.generate_next_token()
        return int(self.generator.get_next_tokens()[0])


if __name__ == "__main__":
    serve(OnnxRuntime, *sys.argv[1:])
