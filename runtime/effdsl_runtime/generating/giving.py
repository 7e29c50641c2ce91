"""Make what an inference needs in an interpreter of its own: a folder of weights, and text as tokens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from effdsl_registry.checkpoints import Checkpoints

from effdsl.evaluation import Perplexity
from effdsl.load import Batches, ClosedLoop, OpenLoop
from effdsl.stages.generation import ROUNDS, Inference
from effdsl_runtime.data.example_batches import spread
from effdsl_runtime.data.model_tokenizer import Example, ModelTokenizer, tokenizer_folder
from effdsl_runtime.data.prepare_examples import prepare_examples
from effdsl_runtime.data.text_files import DataError
from effdsl_runtime.generating.given import Given, GivenText, warm_ups
from effdsl_runtime.generating.model_folder import model_folder
from effdsl_runtime.generating.prompts import prompts_of
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
    given = Given(
        model=str(model_folder(work, seed, checkpoints, report)),
        tokenizer=str(tokenizer),
        parameters=work.size().parameters,
        prompts=prompts_nt.tolist(),
        texts=[_text(one, tokenizer, report) for one in work.evaluation if isinstance(one, Perplexity)],
    )
    given.write(folder)


def prompts_needed(work: Inference) -> int:
    """Of all that is generated, what warms up included: a batch of each size, or a few requests."""
    load = work.load
    if isinstance(load, Batches):
        return (ROUNDS + 1) * sum(load.batch_sizes)
    assert isinstance(load, (ClosedLoop, OpenLoop))  # noqa: S101  there is no other
    return load.requests + warm_ups(load)


def _text(one: Perplexity, tokenizer: Path, report: Report) -> GivenText:
    if one.data is None:
        raise DataError("Perplexity has no data; resolve it with those of a study")
    found = prepare_examples(one.data, tokenizer, one.context_length, report)
    examples = spread(found.held_out, one.tokens)
    return GivenText(one.name, examples, _predicted_bytes(examples, tokenizer))


def _predicted_bytes(examples: list[Example], tokenizer: Path) -> int:
    bytes_v = ModelTokenizer(tokenizer).bytes_v
    predicted = (t for e in examples for t, counts in zip(e.tokens, e.predicted, strict=True) if counts)
    return sum(int(bytes_v[token]) for token in predicted)
