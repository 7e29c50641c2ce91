"""vLLM in this process: its engine step by step, and what it has loaded and keeps.

Only this module imports vLLM, of the one version that its environment has.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import attrs

from effdsl_runtime.data.model_tokenizer import Example

VARIABLES = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # else its engine is a process in a session of its own, which
    # outlives this one, and whose memory no sampler here sees
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1",  # than a model was trained with, as transformers does
    "HF_HUB_OFFLINE": "1",
}
OF_TORCHRUN = (
    "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "ROLE_RANK", "MASTER_ADDR",
    "MASTER_PORT", "TORCHELASTIC_RUN_ID",
)  # fmt: skip
"""Which vLLM would take for its own."""
LOADER = "effdsl"
GREEDY: Mapping[str, Any] = {"temperature": 0.0, "detokenize": False}


class NotAsAskedError(RuntimeError):
    """vLLM has loaded something else than it was asked to."""


@attrs.frozen
class Loaded:
    """The weights as vLLM loaded them, before it repacks them for its kernels.

    Attributes:
        dtypes: of each parameter.
        bytes: of all parameters.
        unquantized: linears of layers that are multiplied as they are, without a format.
    """

    dtypes: Mapping[str, str]
    bytes: int
    unquantized: tuple[str, ...]


@attrs.frozen
class ServerOptions:
    """How vLLM is started.

    Attributes:
        folder: of the model.
        dtype: of what is multiplied.
        max_model_len: tokens of a sequence, at most.
        sequences: that are computed together, at most.
        tensor_parallel: devices that share each matrix.
        enforce_eager: whether nothing is compiled and no graph captured.
        gpu_memory_utilization: share of a device's memory that it takes.
        pool_bytes: of the cache of keys and values; ``None`` for what is left of its share.
        threads: of the CPU.
    """

    folder: Path
    dtype: str
    max_model_len: int
    sequences: int
    tensor_parallel: int
    enforce_eager: bool
    gpu_memory_utilization: float
    pool_bytes: int | None
    threads: int


def set_variables(environment: MutableMapping[str, str], threads: int) -> None:
    """Have vLLM run in this process, alone and offline, with ``threads``; before it is imported."""
    for name in OF_TORCHRUN:
        environment.pop(name, None)
    environment.update(VARIABLES, OMP_NUM_THREADS=str(threads))


class VLLMServer:
    """An engine of vLLM with a model; an ``effdsl_runtime.generating.serving.Stepwise``.

    Attributes:
        peak_usage: the largest share of the cache's blocks that held keys and values, since :meth:`start`.
        first_tokens: what the first request since then was continued by.
    """

    def __init__(self, options: ServerOptions) -> None:
        set_variables(os.environ, options.threads)
        from vllm.engine.arg_utils import EngineArgs
        from vllm.v1.engine.llm_engine import LLMEngine

        alone = options.tensor_parallel == 1
        self._notes: list[Loaded] = []
        if alone:
            _note_what_is_loaded(self._notes)
        pool = {} if options.pool_bytes is None else {"kv_cache_memory_bytes": options.pool_bytes}
        arguments: Any = EngineArgs(
            model=str(options.folder),
            skip_tokenizer_init=True,
            dtype=options.dtype,
            max_model_len=options.max_model_len,
            max_num_seqs=options.sequences,
            tensor_parallel_size=options.tensor_parallel,
            enforce_eager=options.enforce_eager,
            gpu_memory_utilization=options.gpu_memory_utilization,
            enable_prefix_caching=False,
            disable_log_stats=False,
            load_format=LOADER if alone else "auto",
            seed=0,
            **pool,
        )
        self._engine: Any = LLMEngine.from_engine_args(arguments)
        self._core = self._engine.engine_core.engine_core
        self._sequences = options.sequences
        self._numbers = count()
        self._names: dict[str, int] = {}
        self._new_tokens = 0
        self.peak_usage = 0.0
        self.first_tokens: list[int] = []

    @property
    def loaded(self) -> Loaded | None:
        """What was loaded; ``None`` where that was done by several processes."""
        return self._notes[0] if self._notes else None

    @property
    def pool_bytes(self) -> int:
        """Memory that is kept for keys and values, used or not."""
        return int(self._cache.num_blocks * self._block_bytes)

    @property
    def used_bytes(self) -> float:
        """The largest part of it that held any, in whole blocks, since :meth:`start`."""
        return float(self.peak_usage * (self._cache.num_blocks - 1) * self._block_bytes)  # one block is empty

    @property
    def kv_bytes_per_token(self) -> float:
        """By which the cache of all layers grows with a token."""
        return float(self._block_bytes / self._cache.kv_cache_groups[0].kv_cache_spec.block_size)

    @property
    def _cache(self) -> Any:
        return self._core.scheduler.kv_cache_config

    @property
    def _block_bytes(self) -> int:
        groups = self._cache.kv_cache_groups
        return sum(int(g.kv_cache_spec.page_size_bytes) * len(g.layer_names) for g in groups)

    def start(self, new_tokens: int) -> None:
        """Requests that follow are continued by ``new_tokens``; those before are forgotten."""
        self._names.clear()
        self._new_tokens, self.peak_usage = new_tokens, 0.0

    def add(self, name: int, prompt: Sequence[int]) -> None:
        from vllm import SamplingParams

        length = {"max_tokens": self._new_tokens, "min_tokens": self._new_tokens, "ignore_eos": True}
        self._names[self._add(prompt, SamplingParams(**GREEDY, **length))] = name

    def step(self) -> Mapping[int, int]:
        outputs = self._engine.step()
        self.peak_usage = max(self.peak_usage, self._core.scheduler.kv_cache_manager.usage)
        there = {self._names[one.request_id]: one.outputs[0].token_ids for one in outputs}
        if 0 in there:
            self.first_tokens = list(there[0])
        return {name: len(tokens) for name, tokens in there.items()}

    def summed_losses(self, examples: Sequence[Example]) -> Iterator[float]:
        """Nats of the predicted tokens of each example, in their order, as they come."""
        from vllm import SamplingParams

        asked = SamplingParams(**GREEDY, max_tokens=1, prompt_logprobs=0)
        for first in range(0, len(examples), self._sequences):
            some = examples[first : first + self._sequences]
            names = [self._add(example.tokens, asked) for example in some]
            logprobs: dict[str, Any] = {}
            while self._engine.has_unfinished_requests():
                done = (one for one in self._engine.step() if one.finished)
                logprobs |= {one.request_id: one.prompt_logprobs for one in done}
            for name, example in zip(names, some, strict=True):
                yield -sum(
                    step[token].logprob
                    for step, token, counts in zip(logprobs[name], *example, strict=True)
                    if counts
                )

    def _add(self, prompt: Sequence[int], parameters: Any) -> str:
        name = str(next(self._numbers))
        self._engine.add_request(name, {"prompt_token_ids": list(prompt)}, parameters)
        return name


def _note_what_is_loaded(notes: list[Loaded]) -> None:
    """Have vLLM's own loader note what it has put into the model, by the interface for loaders of others: on
    a CPU its kernels take the weights away soon after."""
    from vllm.model_executor.layers.linear import LinearBase, UnquantizedLinearMethod
    from vllm.model_executor.model_loader import register_model_loader
    from vllm.model_executor.model_loader.default_loader import DefaultModelLoader

    class NotingLoader(DefaultModelLoader):  # type: ignore[misc]
        def __init__(self, load_config: Any) -> None:
            known = copy.copy(load_config)
            known.load_format = "safetensors"
            super().__init__(known)

        def load_weights(self, model: Any, model_config: Any) -> None:
            super().load_weights(model, model_config)
            parameters = dict(model.named_parameters())
            linears = [(n, m) for n, m in model.named_modules() if isinstance(m, LinearBase)]
            notes.append(
                Loaded(
                    {name: str(p.dtype).removeprefix("torch.") for name, p in parameters.items()},
                    sum(p.numel() * p.element_size() for p in parameters.values()),
                    tuple(n for n, m in linears if isinstance(m.quant_method, UnquantizedLinearMethod)),
                )
            )

    register_model_loader(LOADER)(NotingLoader)
