"""vLLM, as `engine=VLLM()` starts it, one sequence at a time."""

import sys
from pathlib import Path

from contender import serve
from effdsl_runtime.engines.vllm_server import ServerOptions, VLLMServer

MOST_TOKENS = 512
POOL_BYTES = 1 << 28


class VLLM:
    def __init__(self, folder: str) -> None:
        self.server = VLLMServer(
            ServerOptions(
                folder=Path(folder), dtype="bfloat16", max_model_len=MOST_TOKENS, sequences=1,
                tensor_parallel=1, enforce_eager=True, gpu_memory_utilization=0.9, pool_bytes=POOL_BYTES,
                threads=1,
            )
        )  # fmt: skip

    def read(self, prompt: list[int], new_tokens: int) -> int:
        self.server.start(new_tokens)
        self.server.add(0, prompt)
        return self.next()

    def next(self) -> int:
        while not self.server.step():
            pass
        return self.server.first_tokens[-1]


if __name__ == "__main__":
    serve(VLLM, *sys.argv[1:])
