"""Make what an inference needs in an interpreter of its own: a folder of weights, and text as tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from effdsl_registry.checkpoints import Checkpoints
from transformers import AutoConfig

from effdsl.evaluation import Perplexity
from effdsl.load import Batches, ClosedLoop, OpenLoop
from effdsl.stages.generation import ROUNDS, Inference
from effdsl_runtime.data.model_tokenizer import tokenizer_folder
from effdsl_runtime.data.prepare_examples import prepare_examples
from effdsl_runtime.evaluating.longest_text import cut_to, positions_in
from effdsl_runtime.evaluating.perplexity import examples_of, predicted_bytes
from effdsl_runtime.generating.given import Given, GivenText, warm_ups
from effdsl_runtime.generating.model_folder import model_folder
from effdsl_runtime.generating.prompts import prompts_of
from effdsl_runtime.observation import Progress
from effdsl_runtime.tuning.base_model import check_unchanged, tokenizer_source

Report = Callable[[str], None]


def give(work: Inference, seed: int, checkpoints: Checkpoints, folder: Path, report: Report) -> None:
    """Write what ``work`` starts from into ``folder``.

    Raises:
        DataError: when text or weights are not to be had.
        Unsupported: when the weights cannot be written in their format.
    """
    check_unchanged(work.weights)
    source, revision = tokenizer_source(work.weights, report)
    tokenizer = tokenizer_folder(source, revision)
    examples = prepare_examples(work.data, source, work.load.prompt_tokens, report, revision)
    prompts_nt = prompts_of(examples.held_out, work.load.prompt_tokens, prompts_needed(work), seed)
    model = model_folder(work, seed, checkpoints, report)
    given = Given(
        model=str(model),
        tokenizer=str(tokenizer),
        parameters=work.size().parameters,
        prompts=prompts_nt.tolist(),
        texts=list(_texts(work, model, tokenizer, report)),
    )
    given.write(folder)


def prompts_needed(work: Inference) -> int:
    """Of all that is generated, what warms up included: a batch of each size, or a few requests."""
    load = work.load
    if isinstance(load, Batches):
        return (ROUNDS + 1) * sum(load.batch_sizes)
    assert isinstance(load, (ClosedLoop, OpenLoop))  # noqa: S101  there is no other
    return load.requests + warm_ups(load)


def _texts(work: Inference, model: Path, tokenizer: Path, report: Report) -> Iterator[GivenText]:
    """What perplexity is evaluated on, as where transformers evaluates it."""
    said = partial(_told, report)
    positions = positions_in(AutoConfig.from_pretrained(model))
    for one in work.evaluation:
        if isinstance(one, Perplexity):
            examples = examples_of(one, positions, tokenizer, said)
            size, flags = predicted_bytes(examples, tokenizer, said), cut_to(one.context_length, positions)
            yield GivenText(one.name, examples, size, flags)


def _told(report: Report, progress: Progress) -> None:
    report(progress.phase)
