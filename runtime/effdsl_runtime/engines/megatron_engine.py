"""Pretrains a decoder with Megatron-Core, in the environment that it needs, in a process for each device."""

from __future__ import annotations

import torch
from effdsl_registry.checkpoints import Checkpoints

from effdsl.engines.megatron import Megatron
from effdsl.stages.pretraining import Pretraining
from effdsl.task import Task
from effdsl_runtime.data.prepare import prepare
from effdsl_runtime.device import device_of, use_threads
from effdsl_runtime.engines.contract import Report
from effdsl_runtime.engines.megatron.laid_out_training import LaidOutTrainer, grouped
from effdsl_runtime.engines.torch_engine import HELD_OUT_TOKENS, FinishedModel, Training
from effdsl_runtime.engines.trainer import evaluate
from effdsl_runtime.model.build import assemble, build
from effdsl_runtime.model.decoder import DecoderLM, parameter_count
from effdsl_runtime.model.feed_forward import Routings
from effdsl_runtime.observation import Observation, Point, Progress
from effdsl_runtime.probes import Sampler
from effdsl_runtime.ranks import Ranks


def run(task: Task, report: Report, sampler: Sampler, checkpoints: Checkpoints) -> Observation:
    """Train the model of ``task`` from the initial weights that every engine gives it, and observe it.

    Args:
        task: resolved.
        report: is told what goes on, at every step.
        sampler: samples beside the engine.
        checkpoints: of other tasks; random weights need none.

    Raises:
        Diverged: when the loss, in training or held out, is NaN, infinite, or over twice that of a uniform
            guess.
        DataError: when the text is not to be had.
        Unsupported: when a GPU is asked for and there is none.
    """
    device, threads = device_of(task.hardware), use_threads()
    engine = task.engine
    assert isinstance(engine, Megatron)  # noqa: S101  all that Megatron.runs names this for
    with grouped(engine, task.seed, device) as ranks:
        return _observe(task, engine, report, device, threads, ranks)


def _observe(
    task: Task, engine: Megatron, report: Report, device: torch.device, threads: int, ranks: Ranks
) -> Observation:
    workload = task.workload
    assert isinstance(workload, Pretraining)  # noqa: S101
    context_length = workload.budget.context_length
    corpus = prepare(workload.data, lambda text: report(Progress(text)), workload.budget.tokens)
    report(Progress("building the model"))
    whole = build(workload.architecture, context_length, task.seed)
    parameters = parameter_count(whole)
    trainer = LaidOutTrainer(workload, whole, engine, device)
    del whole
    training = Training(workload, task.seed, trainer, corpus, device, report)
    training.run()
    report(Progress("evaluating"))
    held_out_loss = training.evaluate(HELD_OUT_TOKENS)
    training.eval_curve.append(Point(workload.budget.steps, held_out_loss))
    report(Progress("collecting the model"))
    model = trainer.collected(assemble(workload.architecture, context_length))
    if not ranks.is_first:
        return training.observation(parameters, threads)
    del trainer
    model.to(device)
    routings = _routings(training, workload, model, device)
    finished = FinishedModel(model, parameters, held_out_loss, routings, threads)
    return training.observation_of(finished, task.seed)


def _routings(training: Training, workload: Pretraining, model: DecoderLM, device: torch.device) -> Routings:
    """How the whole model sends the held-out tokens to its experts; Megatron-Core does not say."""
    routings = Routings()
    if workload.architecture.experts is not None:
        size, dtype = workload.budget.micro_batch_size, workload.recipe.dtype
        evaluate(model, training.held_out(HELD_OUT_TOKENS), size, device, dtype, routings)
    return routings
