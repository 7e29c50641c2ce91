"""Perplexity of held-out text, example by example."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import torch

from effdsl.evaluation import Perplexity
from effdsl_runtime.data.example_batches import predicted_tokens, spread
from effdsl_runtime.data.model_tokenizer import Example, ModelTokenizer
from effdsl_runtime.data.prepare_examples import prepare_examples
from effdsl_runtime.data.text_files import DataError
from effdsl_runtime.evaluating.evaluate import Evaluated, Report, evaluate
from effdsl_runtime.evaluating.longest_text import cut_to, positions_of
from effdsl_runtime.evaluating.summed_losses import summed_losses
from effdsl_runtime.observation import EvaluatedItem, Progress
from effdsl_runtime.taking_long import beating

PHASE = "perplexity"


@evaluate.register
def _(evaluation: Perplexity, model: Any, tokenizer: Path, device: torch.device, report: Report) -> Evaluated:
    positions = positions_of(model)
    examples = examples_of(evaluation, positions, tokenizer, report)
    losses = summed_losses(model, examples, device, lambda done: report(Progress(PHASE, done, len(examples))))
    found = judged(evaluation.name, losses, examples, predicted_bytes(examples, tokenizer, report))
    return attrs.evolve(found, flags=cut_to(evaluation.context_length, positions))


def judged(name: str, losses: Sequence[float], examples: Sequence[Example], size: int) -> Evaluated:
    """What the summed losses of examples say, whatever engine computed them.

    Args:
        name: of the evaluation.
        losses: nats of each example.
        examples: they are of.
        size: what :func:`predicted_bytes` says of them.
    """
    tokens = [predicted_tokens(example) for example in examples]
    loss = math.fsum(losses) / sum(tokens)
    values = {"held_out_loss": loss, "ppl": math.exp(loss)}
    if size:
        values["bits_per_byte"] = math.fsum(losses) / math.log(2) / size
    rows = enumerate(zip(losses, tokens, strict=True))
    items = [EvaluatedItem(item, nats, count) for item, (nats, count) in rows]
    return Evaluated(values=values, items={name: items})


def examples_of(
    evaluation: Perplexity, positions: int | None, tokenizer: Path, report: Report
) -> list[Example]:
    """The examples that are evaluated: no longer than the model has positions."""
    if evaluation.data is None:
        raise DataError("Perplexity has no data; resolve it with those of a study")
    longest = evaluation.context_length if positions is None else min(evaluation.context_length, positions)
    found = prepare_examples(evaluation.data, tokenizer, longest, lambda said: report(Progress(said)))
    return spread(found.held_out, evaluation.tokens)


def predicted_bytes(examples: Sequence[Example], tokenizer: Path, report: Report) -> int:
    """Bytes of text that are predicted; none where only marks are."""
    with beating(lambda said: report(Progress(said)), "the tokenizer"):
        bytes_v = ModelTokenizer(tokenizer).bytes_v
    kept = (t for e in examples for t, is_predicted in zip(*e, strict=True) if is_predicted)
    return sum(int(bytes_v[token]) for token in kept)
