"""The embedded engine: pretrains a decoder in plain PyTorch, in a process for each device."""

from __future__ import annotations

import math
import time

import attrs
import torch
from effdsl_registry.checkpoints import Checkpoints

from effdsl.engines.torch import Torch
from effdsl.stages.pretraining import Pretraining
from effdsl.task import Task
from effdsl_runtime.checkpoints.directory import write_checkpoint
from effdsl_runtime.data.batches import Windows, batches, held_out_windows
from effdsl_runtime.data.corpus import Corpus
from effdsl_runtime.data.prepare import prepare
from effdsl_runtime.device import device_of, synchronise, use_threads
from effdsl_runtime.endings import Diverged
from effdsl_runtime.engines.compiling import worth_compiling
from effdsl_runtime.engines.contract import Report
from effdsl_runtime.engines.decoding import Decoding, measure_decoding
from effdsl_runtime.engines.replicas import joined, replica
from effdsl_runtime.engines.schedule import parts, thinned, warmup_iterations
from effdsl_runtime.engines.trainer import Trainer, Trains
from effdsl_runtime.kernel_option import kernel_asked
from effdsl_runtime.model.build import assemble, build
from effdsl_runtime.model.decoder import DecoderLM, parameter_count
from effdsl_runtime.model.feed_forward import Routings
from effdsl_runtime.model.generate import generate
from effdsl_runtime.model.kernel import use_fastest_flash, use_kernel
from effdsl_runtime.model.routing import RoutingStatistics, routed
from effdsl_runtime.observation import Iteration, Observation, Point, Progress, Row, Window
from effdsl_runtime.probes import Sampler
from effdsl_runtime.ranks import Ranks

HELD_OUT_TOKENS = 1 << 15
HELD_OUT_TOKENS_ALONG_THE_WAY = 1 << 12
EXPLODED = 2.0  # times the loss of a uniform guess
SAMPLE_TOKENS = 120
TEMPERATURE = 0.6


def run(task: Task, report: Report, sampler: Sampler, checkpoints: Checkpoints) -> Observation:
    """Train the model of ``task`` from random weights and observe it.

    Threads of torch are set for the whole process. With the same number of threads, in float32, on the
    same machine, two runs have the same losses to the last bit.

    Args:
        task: resolved.
        report: is told what goes on, at every step; it is for the caller to pass on fewer.
        sampler: samples beside the engine; whoever started it computes its metrics over the windows
            of the observation.
        checkpoints: of other tasks; random weights need none.

    Raises:
        Diverged: when the loss, in training or held out, is NaN, infinite, or over twice that of a uniform
            guess.
        DataError: when the text is not to be had.
        Unsupported: when a GPU is asked for and there is none, or a kernel that cannot train here.
    """
    device, threads = device_of(task.hardware), use_threads()
    with use_kernel(kernel_asked()), joined(device) as ranks:
        return _observe(task, report, device, threads, ranks)


def _observe(task: Task, report: Report, device: torch.device, threads: int, ranks: Ranks) -> Observation:
    workload, engine = task.workload, task.engine
    assert isinstance(workload, Pretraining)  # noqa: S101  all that Torch.runs names this for
    assert isinstance(engine, Torch)  # noqa: S101
    corpus = prepare(workload.data, lambda text: report(Progress(text)), workload.budget.tokens)
    report(Progress("building the model"))
    model = build(workload.architecture, workload.budget.context_length, task.seed).to(device)
    use_fastest_flash(device)
    kernel = model.kernel
    # What gathers a layer's shards is hooked onto its block, where a compiler would trip over it.
    compiled = worth_compiling(workload, device, threads) and not engine.sharded
    if compiled:
        model.compile_blocks()
    divided = replica(model, ranks, engine.sharded)
    size = workload.budget.micro_batch_size
    trainer = Trainer(model, workload.recipe, workload.budget.steps, size, device, divided)
    training = Training(workload, task.seed, trainer, corpus, device, report)
    training.run()
    report(Progress("evaluating"))
    routings = Routings()
    held_out_loss = training.evaluate(HELD_OUT_TOKENS, routings)
    training.eval_curve.append(Point(workload.budget.steps, held_out_loss))
    parameters = parameter_count(model)
    model = divided.whole(assemble(workload.architecture, workload.budget.context_length)).to(device)
    if not ranks.is_first:  # what follows takes one device, and only the first is asked
        return training.observation(parameters, threads)
    whole = FinishedModel(model, parameters, held_out_loss, routings, threads)
    seen = training.observation_of(whole, task.seed)
    return attrs.evolve(seen, kernel=kernel, flags=("compiled",) if compiled else ())


@attrs.frozen
class FinishedModel:
    """A model whose training has ended, whole, on one device.

    Attributes:
        model: ready for use.
        parameters: that it has.
        held_out_loss: in nats per token.
        routings: how it sent the held-out tokens to its experts.
        threads: of the process that trained it.
    """

    model: DecoderLM
    parameters: int
    held_out_loss: float
    routings: Routings
    threads: int


def _tables(decoding: tuple[Decoding, ...], sent: RoutingStatistics | None) -> dict[str, tuple[Row, ...]]:
    """Decoding by ascending context, and the share of the held-out tokens' work that each expert did."""
    tables = {"decoding": tuple(attrs.asdict(row) for row in decoding)}
    if sent is not None:
        tables["expert_shares"] = tuple(
            {"layer": layer, "expert": expert, "share": share}
            for layer, shares in enumerate(sent.shares)
            for expert, share in enumerate(shares)
        )
    return tables


class Training:
    """The loop: iterations timed one by one, in parts between which the held-out loss is taken."""

    def __init__(
        self,
        workload: Pretraining,
        seed: int,
        trainer: Trains,
        corpus: Corpus,
        device: torch.device,
        report: Report,
    ) -> None:
        budget, self._workload, self._trainer = workload.budget, workload, trainer
        self._budget, self._corpus, self._device, self._report = budget, corpus, device, report
        self._batches = batches(corpus, budget.batch_size, budget.context_length, seed)
        self._limit = EXPLODED * math.log(workload.data.vocab_size)
        self.warmup = warmup_iterations(budget.steps)
        self.iterations: list[Iteration] = []
        self.windows: list[Window] = []
        self.eval_curve: list[Point] = []

    def run(self) -> None:
        """Train for the whole budget."""
        for start, end in parts(self._budget.steps, self.warmup):
            if end > self.warmup:
                self.eval_curve.append(Point(start, self.evaluate(HELD_OUT_TOKENS_ALONG_THE_WAY)))
            window = self._train(start, end)
            if start >= self.warmup:
                self.windows.append(window)

    def _train(self, start: int, end: int) -> Window:
        """Iterations ``start`` to ``end``; each is timed from the end of the one before."""
        synchronise(self._device)
        began = before = time.perf_counter_ns()
        for step in range(start, end):
            loss = self._trainer.step(step, next(self._batches))
            synchronise(self._device)
            now = time.perf_counter_ns()
            self.iterations.append(Iteration(step, (now - before) * 1e-9, loss))
            before = now
            self._refuse_explosion("loss", loss, f"at step {step}")
            self._report(Progress("training", step + 1, self._budget.steps, loss))
        return Window(began, before)

    def evaluate(self, tokens: int, routings: Routings | None = None) -> float:
        """Held-out loss over about ``tokens`` tokens, always the same ones, in nats per token.

        ``routings`` collects how they were sent to experts.
        """
        loss = self._trainer.evaluate(self.held_out(tokens), routings)
        self._refuse_explosion("held-out loss", loss, f"after step {len(self.iterations)}")
        return loss

    def held_out(self, tokens: int) -> Windows:
        """The held-out windows that predict about ``tokens`` tokens, always the same ones."""
        return held_out_windows(self._corpus, self._budget.context_length, tokens)

    def _refuse_explosion(self, what: str, loss: float, when: str) -> None:
        """The last update shows in the held-out loss alone: no training loss follows it."""
        if not loss <= self._limit:
            over = f", over the limit of {self._limit:.4g}" if math.isfinite(loss) else ""
            raise Diverged(f"the {what} is {loss:.4g} {when} of {self._budget.steps}{over}")

    def observation(self, parameters: int, threads: int) -> Observation:
        """What a process saw that has a part of the model at most, or keeps nothing."""
        return Observation(
            iterations=tuple(self.iterations),
            warmup=self.warmup,
            windows=(),
            parameters=parameters,
            threads=threads,
        )

    def observation_of(self, trained: FinishedModel, seed: int) -> Observation:
        """What was seen of the training, and what there is to see of the model that it ended with."""
        model, architecture = trained.model, self._workload.architecture
        self._report(Progress("measuring decoding"))
        decoding = measure_decoding(model, self.held_out_context(), self._workload.recipe.dtype)
        self._report(Progress("generating"))
        sent = routed(trained.routings, len(model.blocks))
        return attrs.evolve(
            self.observation(trained.parameters, trained.threads),
            windows=tuple(self.windows),
            values={
                "held_out_loss": trained.held_out_loss,
                "bytes_per_token": self.bytes_per_token(HELD_OUT_TOKENS),
                **({} if sent is None else {"router_entropy": sent.entropy, "dropped_tokens": sent.dropped}),
            },
            curves={"train": thinned(self.iterations), "held_out": tuple(self.eval_curve)},
            tables=_tables(decoding, sent),
            artifacts={"sample": sample_text(model, self._corpus, seed)},
            leave=lambda folder: write_checkpoint(folder, architecture, model, self._corpus.tokenizer),
        )

    def held_out_context(self) -> torch.Tensor:
        """``(1, t)``: a context of held-out text, on the device."""
        windows_ns = self.held_out(self._budget.context_length)
        return torch.from_numpy(windows_ns[:1, :-1]).to(self._device)

    def bytes_per_token(self, tokens: int) -> float:
        """Bytes of UTF-8 per token among the tokens that ``evaluate(tokens)`` predicts."""
        targets_nt = self.held_out(tokens)[:, 1:]
        return self._corpus.bytes_of(targets_nt.ravel()) / targets_nt.size


def sample_text(model: DecoderLM, corpus: Corpus, seed: int) -> str:
    """Text that ``model`` continues from a line break, as much as its context holds."""
    device = next(model.parameters()).device
    (prompt,) = corpus.tokenizer.encode(["\n"])
    prompt_bt = torch.tensor([list(prompt)], device=device)
    new_tokens = min(SAMPLE_TOKENS, model.context_length - len(prompt))
    draws = torch.Generator(device).manual_seed(seed)
    tokens_bt = generate(model, prompt_bt, new_tokens, TEMPERATURE, draws)
    return corpus.tokenizer.decode(tokens_bt[0].tolist()).strip()
