"""Continues prompts with vLLM, in the environment that it needs, and evaluates what it has loaded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import singledispatchmethod
from itertools import islice
from pathlib import Path

from effdsl_registry.checkpoints import Checkpoints

from effdsl.engines.vllm import VLLM
from effdsl.load import Batches, ResolvedLoad
from effdsl.stages.generation import ROUNDS, Inference
from effdsl.stages.served_by_vllm import is_emulated, max_model_len, most_sequences, pool_bytes
from effdsl.task import Task
from effdsl.techniques.precision.floating import Unquantized
from effdsl_runtime.device import device_of, use_threads
from effdsl_runtime.engines.contract import Report
from effdsl_runtime.engines.vllm_server import Loaded, NotAsAskedError, ServerOptions, VLLMServer
from effdsl_runtime.evaluating.perplexity import judged
from effdsl_runtime.generating.given import Given, given, warm_ups
from effdsl_runtime.generating.request_times import BATCH_SIZE, NS, Request, of_loads, summary
from effdsl_runtime.generating.serving import Prompt, Serving, serve, together
from effdsl_runtime.observation import EvaluatedItem, Iteration, Observation, Progress, Row, Window
from effdsl_runtime.probes import Sampler
from effdsl_runtime.taking_long import beating

GB = 1e9
BY_SEVERAL = "weights not looked at: several processes loaded them"
EMULATED = "products of the format are emulated"


def run(task: Task, report: Report, sampler: Sampler, checkpoints: Checkpoints) -> Observation:
    """Serve what was handed over for ``task`` as its load says, and evaluate it.

    Raises:
        NotAsAskedError: when vLLM has loaded the weights in another format.
        EngineBroken: when it gives other tokens than it was asked for, or none.
        Unsupported: when a GPU is asked for and there is none.
    """
    work, engine = task.workload, task.engine
    assert isinstance(work, Inference)  # noqa: S101  all that VLLM.runs names this for
    assert isinstance(engine, VLLM)  # noqa: S101
    device_of(task.hardware)
    threads, of = use_threads(), given(task, checkpoints)
    on_gpu = task.hardware.kind == "gpu"
    options = ServerOptions(
        folder=Path(of.model),
        dtype=work.dtype,
        max_model_len=max_model_len(work),
        sequences=most_sequences(work),
        tensor_parallel=engine.tensor_parallel,
        enforce_eager=engine.is_eager(task.hardware),
        gpu_memory_utilization=engine.gpu_memory_utilization,
        pool_bytes=None if on_gpu else pool_bytes(work),
        threads=threads,
    )
    with beating(lambda said: report(Progress(said)), "vLLM loads the model"):
        server = VLLMServer(options)
    if server.loaded is not None:
        check_loaded(server.loaded, work)
    return Service(task, work, of, server, report).observe(threads)


def check_loaded(loaded: Loaded, work: Inference) -> None:
    """Refuse weights that were loaded in another format than was asked for.

    Raises:
        NotAsAskedError: naming the first of them.
    """
    if isinstance(work.format, Unquantized):
        for name, dtype in loaded.dtypes.items():
            if dtype != work.dtype:
                raise NotAsAskedError(f"vLLM has loaded {name} in {dtype}, and not in {work.dtype}")
    elif loaded.unquantized:
        number, first = len(loaded.unquantized), loaded.unquantized[0]
        raise NotAsAskedError(
            f"vLLM multiplies {number} linears as they are, e.g. {first}, and not as {work.format.label()}"
        )


class Service:
    """A model that vLLM serves, and what is seen of it."""

    def __init__(self, task: Task, work: Inference, of: Given, server: VLLMServer, report: Report) -> None:
        self._seed, self._kind, self._work = task.seed, task.hardware.kind, work
        self._given, self._server, self._report = of, server, report
        self.iterations: list[Iteration] = []
        self.windows: list[Window] = []
        self.values: dict[str, float] = {}
        self.tables: dict[str, tuple[Row, ...]] = {}
        self.items: dict[str, Sequence[EvaluatedItem]] = {}
        self._sample: list[int] = []

    def observe(self, threads: int) -> Observation:
        """Serve the load, then evaluate."""
        loaded = self._server.loaded
        self._serve(self._work.load)
        self._evaluate()
        self.values |= {
            "kv_bytes_per_token": self._server.kv_bytes_per_token,
            "kv_cache_reserved_gb": self._server.pool_bytes / GB,
        }
        if loaded is not None:
            self.values["weight_bytes"] = float(loaded.bytes)
        return Observation(
            iterations=tuple(self.iterations),
            warmup=0,
            windows=tuple(self.windows),
            parameters=self._given.parameters,
            threads=threads,
            values=self.values,
            tables=self.tables,
            items=self.items,
            artifacts={"sample": _text(self._sample, Path(self._given.tokenizer))},
            kernel="vllm",
            flags=(
                *[BY_SEVERAL] * (loaded is None),
                *[EMULATED] * is_emulated(self._work.format, self._kind),
                *(flag for text in self._given.texts for flag in text.flags),
            ),
        )

    @singledispatchmethod
    def _serve(self, load: ResolvedLoad) -> None:
        """Requests that come one by one, after some that warm up."""
        warm, prompts = warm_ups(load), self._given.prompts
        self._batch(prompts[:warm], "warming up")
        requests = serve(load, self._serving("serving", len(prompts) - warm), prompts[warm:], self._seed)
        start, end = requests[0].arrival_ns, max(one.tokens_ns[-1] for one in requests)
        self._note(requests, Window(start, end))
        self._sample = self._server.first_tokens
        self.values |= summary(requests, load.prompt_tokens, (end - start) * NS)
        self.values |= {
            "kv_cache_used_gb": self._server.used_bytes / GB,
            "time_to_finish_s": (end - start) * NS,
        }
        self.tables["requests"] = tuple(_row(request, start) for request in requests)

    @_serve.register
    def _(self, load: Batches) -> None:
        """Batches of each size, one that warms up before them; metrics are those of the first size."""
        prompts = iter(self._given.prompts)
        rows = []
        for size in load.batch_sizes:
            self._batch(list(islice(prompts, size)), f"warming up, batch {size}")
            measured: list[Request] = []
            first: list[int] = []
            for _ in range(ROUNDS):
                measured.append(together(self._batch(list(islice(prompts, size)), f"batch {size}")))
                first = first or self._server.first_tokens
            if not self.windows:
                self._sample = first
                self._note(measured, *(Window(one.arrival_ns, one.tokens_ns[-1]) for one in measured))
            seconds = math.fsum(one.latency_s for one in measured)
            rows.append({
                BATCH_SIZE: float(size),
                **summary(measured, load.prompt_tokens, seconds, alike=size),
                "kv_cache_used_gb": self._server.used_bytes / GB,
            })  # fmt: skip
        self.values |= of_loads(rows)
        self.tables["loads"] = tuple(rows)

    def _batch(self, prompts: Sequence[Prompt], what: str) -> tuple[Request, ...]:
        """``prompts``, handed over at once."""
        serving = self._serving(what, len(prompts))
        for prompt in prompts:
            serving.add(prompt)
        return serving.finished()

    def _serving(self, what: str, requests: int) -> Serving:
        new_tokens = self._work.load.new_tokens
        self._server.start(new_tokens)
        total = requests * new_tokens
        return Serving(
            self._server,
            new_tokens,
            progressed=lambda done, tokens: self._report(Progress(what, tokens, total)),
        )

    def _note(self, calls: Sequence[Request], *windows: Window) -> None:
        """What is measured: each call is an iteration."""
        self.iterations += [Iteration(number, one.latency_s) for number, one in enumerate(calls)]
        self.windows += windows

    def _evaluate(self) -> None:
        """Perplexity, example by example."""
        for text in self._given.texts:
            losses: list[float] = []
            for loss in self._server.summed_losses(text.examples):
                losses.append(loss)
                self._report(Progress(text.name, len(losses), len(text.examples)))
            found = judged(text.name, losses, text.examples, text.predicted_bytes)
            self.values |= found.values
            self.items |= found.items


def _row(request: Request, start_ns: int) -> Row:
    return {
        "arrived_s": (request.arrival_ns - start_ns) * NS,
        "ttft_s": request.first_token_s,
        "latency_s": request.latency_s,
        "new_tokens": float(len(request.tokens_ns)),
    }


def _text(tokens: list[int], tokenizer: Path) -> str:
    """What ``tokens`` stand for; empty where the tokenizer is of another kind."""
    file = tokenizer / "tokenizer.json"
    if not file.is_file():
        return ""
    from tokenizers import Tokenizer

    text: str = Tokenizer.from_file(str(file)).decode(tokens, skip_special_tokens=False)
    return text
