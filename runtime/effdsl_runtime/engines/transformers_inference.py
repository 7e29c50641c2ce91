"""Continues prompts with models of transformers and of ours, their weights stored in a format."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from effdsl_registry.checkpoints import Checkpoints
from torch import Tensor

from effdsl.load import Batches
from effdsl.stages.generation import ROUNDS, Inference
from effdsl.task import Task
from effdsl_runtime.data.model_tokenizer import ModelTokenizer, tokenizer_folder
from effdsl_runtime.data.prepare_examples import prepare_examples
from effdsl_runtime.device import DTYPES, device_of, give_back, use_threads
from effdsl_runtime.engines.contract import Report
from effdsl_runtime.evaluating import evaluate_all
from effdsl_runtime.generating.prompts import calibration_of, prompts_of
from effdsl_runtime.generating.request_times import BATCH_SIZE, Request, of_loads, summary
from effdsl_runtime.generating.timed_batches import TimedBatch, continue_batch
from effdsl_runtime.observation import Iteration, Observation, Progress, Row, Window
from effdsl_runtime.probes import Sampler
from effdsl_runtime.quantizing import quantize
from effdsl_runtime.tuning.base_model import check_unchanged, load_model, tokenizer_source


def run(task: Task, report: Report, sampler: Sampler, checkpoints: Checkpoints) -> Observation:
    """Store the weights of ``task`` in its format, continue prompts, and evaluate what is left of them.

    Raises:
        DataError: when text or weights are not to be had.
        Unsupported: when a GPU is asked for and there is none.
    """
    work = task.workload
    assert isinstance(work, Inference)  # noqa: S101  all that Transformers.runs names this for
    return Generation(task, work, report, checkpoints).observe()


class Generation:
    """A model that continues prompts and is evaluated."""

    def __init__(self, task: Task, work: Inference, report: Report, checkpoints: Checkpoints) -> None:
        self._task, self._work, self._report = task, work, report
        self.device, self.threads = device_of(task.hardware), use_threads()
        source, revision = tokenizer_source(work.weights, self._said)
        self.tokenizer = tokenizer_folder(source, revision)
        self._examples = prepare_examples(work.data, source, work.load.prompt_tokens, self._said, revision)
        report(Progress("loading the model"))
        check_unchanged(work.weights)
        dtype = DTYPES[work.dtype]
        loaded = load_model(work.weights, task.seed, checkpoints, dtype).to(self.device)
        self._parameters = loaded.num_parameters()
        report(Progress(f"storing weights as {work.format.label()}"))
        text = [piece_1t.to(self.device) for piece_1t in calibration_of(work.format, self._examples.train)]
        self.stored = quantize(loaded.eval(), work.format, dtype, text)
        give_back(self.device)
        self.model = loaded
        self._sample = ""
        self.iterations: list[Iteration] = []
        self.windows: list[Window] = []

    def observe(self) -> Observation:
        """Measure each batch size, then evaluate."""
        work = self._work
        assert isinstance(work.load, Batches)  # noqa: S101  the engine refuses others
        rows = [self._measured(size, prompts_nt) for size, prompts_nt in self._prompts(work.load)]
        found = evaluate_all(work.evaluation, self.model, self.tokenizer, self.device, self._report)
        return Observation(
            iterations=tuple(self.iterations),
            warmup=0,
            windows=tuple(self.windows),
            parameters=self._parameters,
            threads=self.threads,
            values={**of_loads(rows), **found.values, "weight_bytes": float(self.stored.bytes)},
            tables={"loads": tuple(rows)},
            scores=found.scores,
            items=found.items,
            artifacts={"sample": self._sample},
            kernel=self.stored.kernel,
            flags=(*self.stored.flags, *found.flags),
        )

    def _prompts(self, load: Batches) -> Iterator[tuple[int, Tensor]]:
        """For each batch size the prompts of all its batches, one that warms up included; none appears
        twice."""
        counts = [(ROUNDS + 1) * size for size in load.batch_sizes]
        prompts_nt = prompts_of(self._examples.held_out, load.prompt_tokens, sum(counts), self._task.seed)
        return zip(load.batch_sizes, torch.split(prompts_nt.to(self.device), counts), strict=True)

    def _measured(self, size: int, prompts_nt: Tensor) -> Row:
        """What batches of ``size`` show; of the first size, each is an iteration."""
        load = self._work.load
        batches: list[TimedBatch] = []
        for done, prompts_bt in enumerate(torch.split(prompts_nt, size)):
            self._report(Progress(f"generating, batch {size}", done, ROUNDS + 1))
            batches.append(continue_batch(self.model, prompts_bt, load.new_tokens))
        measured = [Request(one.start_ns, one.tokens_ns) for one in batches[1:]]
        if not self.windows:  # the first size is the one that metrics are of
            self.windows = [Window(one.arrival_ns, one.tokens_ns[-1]) for one in measured]
            self.iterations = [Iteration(number, one.latency_s) for number, one in enumerate(measured)]
            self._sample = ModelTokenizer(self.tokenizer).text(batches[1].new_bt[0].tolist())
        seconds = math.fsum(request.latency_s for request in measured)
        steps = max(1, load.new_tokens - 1)
        grown = (batches[-1].kept_bytes - batches[-1].prompt_bytes) / steps / size
        return {
            BATCH_SIZE: float(size),
            **summary(measured, load.prompt_tokens, seconds, alike=size),
            "kv_bytes_per_token": grown,
            "kv_cache_used_gb": batches[-1].kept_bytes / 1e9,
        }

    def _said(self, text: str) -> None:
        self._report(Progress(text))
