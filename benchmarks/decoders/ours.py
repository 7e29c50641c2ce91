"""effdsl's own: a model of transformers, its linears stored in a format."""

import sys

import torch
from contender import serve
from effdsl_runtime.generating.continuation import continuation
from effdsl_runtime.quantizing import quantize
from transformers import AutoModelForCausalLM

from effdsl.techniques import precision


class Ours:
    def __init__(self, folder: str, name: str) -> None:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval()
        quantize(model, getattr(precision, name)(), torch.bfloat16)
        self.model = model

    @torch.inference_mode()
    def read(self, prompt: list[int], new_tokens: int) -> int:
        self.batch = continuation(self.model)
        self.last_11 = self.batch.following(torch.tensor([prompt]))
        return int(self.last_11)

    @torch.inference_mode()
    def next(self) -> int:
        self.last_11 = self.batch.following(self.last_11)
        return int(self.last_11)


if __name__ == "__main__":
    torch.set_num_threads(1)
    serve(Ours, *sys.argv[1:])
