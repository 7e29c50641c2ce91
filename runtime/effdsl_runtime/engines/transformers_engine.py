"""Fine-tunes models of transformers, with peft where a method has an adapter, on a CPU or one GPU."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from effdsl_registry.checkpoints import Checkpoints

from effdsl.data import Data
from effdsl.engines.transformers import Transformers
from effdsl.stages.tuning import Trial, Tuning
from effdsl.task import Task
from effdsl_runtime.data.batches import held_out_windows
from effdsl_runtime.data.example_batches import example_batches, predicted_tokens, spread
from effdsl_runtime.data.examples import ExampleSet
from effdsl_runtime.data.model_tokenizer import Example, tokenizer_folder
from effdsl_runtime.data.prepare import prepare
from effdsl_runtime.data.prepare_examples import prepare_examples
from effdsl_runtime.device import DTYPES, device_of, synchronise, use_threads
from effdsl_runtime.endings import Diverged
from effdsl_runtime.engines.contract import Report
from effdsl_runtime.engines.schedule import parts, thinned, warmup_iterations
from effdsl_runtime.observation import Iteration, Observation, Point, Progress, Row, Window
from effdsl_runtime.probes import Sampler
from effdsl_runtime.tuning.base_model import check_unchanged, load_model, source_of, tokenizer_source
from effdsl_runtime.tuning.methods import applied, keep_frozen_in, stored_for
from effdsl_runtime.tuning.saved import Origin, copy_tokenizer, save, start_of
from effdsl_runtime.tuning.tuner import Tuner, mean_loss

EVALUATED_TOKENS = 1 << 13
EVALUATED_ALONG_THE_WAY = 1 << 11
EXPLODED = 2.0  # times the loss of a uniform guess
LAST = 0.1
"""Of the steps: the training loss at the end is their mean."""
TRIALS_SEED = 1 << 32
"""Added to the seed of a trial, so that no run of a study has its order of examples, nor its start."""


def run(task: Task, report: Report, sampler: Sampler, checkpoints: Checkpoints) -> Observation:
    """Fine-tune the weights of ``task`` by its method and observe it, evaluated on the held-out part.

    Raises:
        Diverged: when a loss is NaN, infinite, or over twice that of a uniform guess.
        DataError: when the examples or the weights are not to be had.
        Unsupported: when a GPU is asked for and there is none.
    """
    work = task.workload
    assert isinstance(work, Tuning)  # noqa: S101  all that Transformers.runs names this for
    tuning = FineTune(task, work, task.seed, report, checkpoints)
    before, domain_before = tuning.held_out_loss(), tuning.own_domain_loss()
    tuning.train(tuning.examples.held_out)
    after, domain_after = tuning.held_out_loss(), tuning.own_domain_loss()
    values = {"new_domain_loss_before": before, "new_domain_loss": after}
    if domain_before is not None and domain_after is not None:
        values |= {"own_domain_loss_before": domain_before, "own_domain_loss": domain_after}
        values["forgetting"] = domain_after - domain_before
    return tuning.observation(values, keeps=True)


def try_out(task: Task, report: Report, sampler: Sampler, checkpoints: Checkpoints) -> Observation:
    """Fine-tune with a learning rate that is tried, evaluated on the tuning part; what it leaves is not kept.

    Raises:
        Diverged, DataError, Unsupported: as :func:`run`.
    """
    trial = task.workload
    assert isinstance(trial, Trial)  # noqa: S101  all that Transformers.runs names this for
    tuning = FineTune(task, trial.of, task.seed + TRIALS_SEED, report, checkpoints)
    tuning.train(tuning.examples.tuning)
    loss = tuning.loss(tuning.examples.tuning, EVALUATED_TOKENS)
    return tuning.observation({"tuning_loss": loss}, keeps=False)


class FineTune:
    """A model that is fine-tuned: loaded, trained in parts, evaluated between and after them.

    Args:
        seed: of the order of examples, and of what a method starts from; the weights are those of the task's.
    """

    def __init__(self, task: Task, work: Tuning, seed: int, report: Report, checkpoints: Checkpoints) -> None:
        self._task, self._work, self._seed, self._report = task, work, seed, report
        self._checkpoints = checkpoints
        self.device, self.threads = device_of(task.hardware), use_threads()
        self.examples = self._examples()
        report(Progress("loading the model"))
        check_unchanged(work.weights)
        torch.manual_seed(seed)
        loaded = load_model(work.weights, task.seed, checkpoints)
        self._parameters = loaded.num_parameters()
        dtype = DTYPES[work.dtype]
        stored_for(work.method, loaded, dtype)
        loaded = loaded.to(self.device)
        self.model: Any = applied(work.method, loaded, work.model, work.budget.steps)
        keep_frozen_in(dtype, self.model)
        self._start = start_of(work.method, self.model)
        if self._recomputes:
            recompute(loaded)
        self.model.train()
        self.warmup = warmup_iterations(work.budget.steps)
        self.iterations: list[Iteration] = []
        self.windows: list[Window] = []
        self.curve: list[Point] = []
        self._trained_on: list[Example] = []

    def train(self, evaluated: Sequence[Example]) -> None:
        """Train for the whole budget; before and after each of its parts a little of ``evaluated`` is
        evaluated, always the same."""
        work, budget = self._work, self._work.budget
        micro = min(budget.micro_batch_size, budget.batch_size)
        tuner = Tuner(work.method, self.model, work.recipe, budget.steps, micro, self.device)
        batches = example_batches(self.examples.train, budget.batch_size, self._seed)
        for start, end in parts(budget.steps, self.warmup):
            self.curve.append(Point(start, self.loss(evaluated, EVALUATED_ALONG_THE_WAY)))
            window = self._train(tuner, batches, start, end)
            if start >= self.warmup:
                self.windows.append(window)
        self.curve.append(Point(budget.steps, self.loss(evaluated, EVALUATED_ALONG_THE_WAY)))

    def _train(self, tuner: Tuner, batches: Any, start: int, end: int) -> Window:
        """Iterations ``start`` to ``end``; each is timed from the end of the one before."""
        steps = self._work.budget.steps
        synchronise(self.device)
        began = before = time.perf_counter_ns()
        for step in range(start, end):
            batch = next(batches)
            loss = tuner.step(step, batch)
            synchronise(self.device)
            now = time.perf_counter_ns()
            self.iterations.append(Iteration(step, (now - before) * 1e-9, loss))
            before = now
            if step >= self.warmup:
                self._trained_on += batch
            self._refuse_explosion("loss", loss, f"at step {step}")
            self._report(Progress("training", step + 1, steps, loss))
        return Window(began, before)

    def held_out_loss(self) -> float:
        """On the new domain."""
        return self.loss(self.examples.held_out, EVALUATED_TOKENS)

    def own_domain_loss(self) -> float | None:
        """On held-out text of the domain that the weights were trained on; ``None`` where that is unknown."""
        data = self._work.weights.trained_on()
        return None if data is None else self._mean_loss(self._own_domain(data))

    def loss(self, part: Sequence[Example], tokens: int) -> float:
        """On the new domain, of examples spread evenly over ``part`` that have about so many tokens, always
        the same ones."""
        loss = self._mean_loss(spread(part, tokens))
        self._refuse_explosion("new-domain loss", loss, f"after step {len(self.iterations)}")
        return loss

    def _mean_loss(self, examples: Sequence[Example]) -> float:
        """However large: how much is forgotten has no limit."""
        self._report(Progress("evaluating"))
        size = self._work.budget.micro_batch_size
        loss = mean_loss(self.model, examples, size, self.device, self._work.dtype)
        if not math.isfinite(loss):
            raise Diverged(f"a loss is {loss} after step {len(self.iterations)} of {self._work.budget.steps}")
        return loss

    def observation(self, values: dict[str, float], keeps: bool) -> Observation:
        """What was seen; ``values`` are those of the evaluation."""
        last = self.iterations[-max(1, math.ceil(LAST * len(self.iterations))) :]
        losses = [one.loss for one in last if one.loss is not None]
        trained = sum(p.numel() for p in self.model.parameters() if p.requires_grad)
        truncated = self.examples.train.facts.truncated
        flags = [f"{truncated:,} training examples truncated"] * bool(truncated)
        flags += ["gradient checkpointing"] * self._recomputes
        return Observation(
            iterations=tuple(self.iterations),
            warmup=self.warmup,
            windows=tuple(self.windows),
            parameters=self._parameters,
            threads=self.threads,
            values={
                "loss": math.fsum(losses) / len(losses),
                "trainable_parameters": float(trained),
                "measured_tokens": float(sum(len(example.tokens) for example in self._trained_on)),
                "measured_predicted_tokens": float(sum(map(predicted_tokens, self._trained_on))),
                "measured_pairs": float(sum(_pairs(len(example.tokens)) for example in self._trained_on)),
                **values,
            },
            curves={"train": thinned(self.iterations), "held_out": tuple(self.curve)},
            tables={"examples": (_counted(self.examples),)},
            flags=tuple(flags),
            leave=self._leave if keeps else None,
        )

    @property
    def _recomputes(self) -> bool:
        engine = self._task.engine
        return isinstance(engine, Transformers) and engine.gradient_checkpointing

    def _examples(self) -> ExampleSet:
        work = self._work
        source, revision = tokenizer_source(work.weights, self._said)
        return prepare_examples(work.data, source, work.budget.context_length, self._said, revision)

    def _own_domain(self, data: Data) -> list[Example]:
        corpus = prepare(data, self._said)
        context_length = self._work.budget.context_length
        windows_ns = held_out_windows(corpus, context_length, EVALUATED_TOKENS)
        learned = [False, *[True] * context_length]
        return [Example(window.tolist(), learned) for window in windows_ns]

    def _leave(self, folder: Path) -> None:
        work = self._work
        source, revision = source_of(work.weights, self._task.seed, self._checkpoints)
        save(work.method, self.model, self._start, Origin(str(source), revision), folder)
        tokenizer, at = tokenizer_source(work.weights, self._said)
        copy_tokenizer(tokenizer_folder(tokenizer, at), folder)

    def _said(self, text: str) -> None:
        self._report(Progress(text))

    def _refuse_explosion(self, what: str, loss: float, when: str) -> None:
        limit = EXPLODED * math.log(self._work.model.vocab_size)
        if not loss <= limit:
            over = f", over the limit of {limit:.4g}" if math.isfinite(loss) else ""
            raise Diverged(f"the {what} is {loss:.4g} {when} of {self._work.budget.steps}{over}")


def recompute(model: Any) -> None:
    """Let the layers of a model of transformers be computed again in the backward pass.

    No gradient comes to what is below all that is trained: transformers has the embedding's output ask for
    one, which torch's older way needed, and which would send the backward pass through every frozen layer.
    """
    with warnings.catch_warnings():  # the name that it is to have is not in every transformers that will do
        warnings.filterwarnings("ignore", ".*gradient_checkpointing_enable.*", FutureWarning)
        model.gradient_checkpointing_enable({"use_reentrant": False})
    model.disable_input_require_grads()


def _counted(examples: ExampleSet) -> Row:
    """What the context and the tokenizer made of the data; losses per token compare where it is the same."""
    train, held_out = examples.train.facts, examples.held_out.facts
    return {
        "training": train.examples,
        "truncated": train.truncated,
        "held_out_tokens": held_out.predicted_tokens,
        "held_out_bytes": held_out.predicted_bytes,
    }


def _pairs(tokens: int) -> int:
    """Queries and the keys that causality lets them see."""
    return tokens * (tokens + 1) // 2
