"""Perplexity against losses computed one token at a time, and against lm-eval's."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from effdsl_runtime.data.parts import items
from effdsl_runtime.endings import Diverged
from effdsl_runtime.evaluating import evaluate
from effdsl_runtime.evaluating.longest_text import positions_of
from effdsl_runtime.evaluating.perplexity import examples_of
from transformers import AutoTokenizer

from effdsl import Perplexity

from .conftest import CPU, unheard

ALL = 1 << 30
"""More tokens than there are."""


@torch.no_grad()
def nats(model: Any, tokens: list[int]) -> float:
    """Of each token after those before it, one sequence, in double precision."""
    logits = model(input_ids=torch.tensor([tokens])).logits[0].double()
    return -sum(float(logits[i].log_softmax(0)[t]) for i, t in enumerate(tokens[1:]))


def test_each_item_is_the_loss_of_its_example_read_alone(model: Any, folder: Path, text: Any) -> None:
    """Whatever stands beside it in a batch; and all of them make the loss."""
    asked = Perplexity(tokens=700, context_length=40).resolve(text)
    found = evaluate(asked, model, folder, CPU, unheard)
    examples = examples_of(asked, positions_of(model), folder, unheard)
    rows = found.items["perplexity"]
    assert 600 < sum(row.weight for row in rows) < 800
    assert [row.value for row in rows] == pytest.approx([nats(model, e.tokens) for e in examples], rel=1e-5)
    assert [row.weight for row in rows] == [len(e.tokens) - 1 for e in examples]
    loss = sum(row.value for row in rows) / sum(row.weight for row in rows)
    assert found.values["held_out_loss"] == pytest.approx(loss, rel=1e-12)
    assert found.values["ppl"] == pytest.approx(math.exp(loss), rel=1e-12)


def test_bits_are_those_of_all_bytes_that_are_predicted(model: Any, folder: Path, text: Any) -> None:
    """Of the whole held-out part all bytes are, but those of each document's first token."""
    found = evaluate(Perplexity(tokens=ALL).resolve(text), model, folder, CPU, unheard)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    passages = [item.content.text for item in items(text) if item.part == "held_out"]
    size = sum(len(p.encode()) - len(tokenizer.decode(tokenizer.encode(p)[:1]).encode()) for p in passages)
    total = sum(row.value for row in found.items["perplexity"])
    assert found.values["bits_per_byte"] == pytest.approx(total / math.log(2) / size, rel=1e-9)


def test_no_example_is_longer_than_the_model_has_positions(model: Any, folder: Path, text: Any) -> None:
    """The model has 64, and the result says that more were asked for."""
    asked = Perplexity(tokens=200, context_length=256).resolve(text)
    examples = examples_of(asked, positions_of(model), folder, unheard)
    assert max(len(example.tokens) for example in examples) == 64
    (flag,) = evaluate(asked, model, folder, CPU, unheard).flags
    assert "of 64 tokens, and not 256" in flag
    fits = Perplexity(tokens=200, context_length=64).resolve(text)
    assert evaluate(fits, model, folder, CPU, unheard).flags == ()


def test_probabilities_are_float32_of_logits_in_the_models_dtype(model: Any, folder: Path, text: Any) -> None:
    """In bfloat16 logits have 8 bits, and a loss taken in those would be off by far more."""
    half = model.to(torch.bfloat16)
    asked = Perplexity(tokens=200, context_length=40).resolve(text)
    found = evaluate(asked, half, folder, CPU, unheard).items["perplexity"]
    examples = examples_of(asked, positions_of(half), folder, unheard)
    assert [row.value for row in found] == pytest.approx([nats(half, e.tokens) for e in examples], rel=5e-3)
    value = found[0].value
    assert float(torch.tensor(value).to(torch.bfloat16)) != value


def test_a_broken_model_has_diverged(model: Any, folder: Path, text: Any) -> None:
    """Its loss is no number, and no item is kept."""
    with torch.no_grad():
        model.lm_head.weight.fill_(math.nan)
    with pytest.raises(Diverged, match="held-out text is nan"):
        evaluate(Perplexity(tokens=200).resolve(text), model, folder, CPU, unheard)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_all_of_a_text_costs_what_lm_evals_rolling_windows_cost(model: Any, folder: Path, text: Any) -> None:
    """The same windows of 64 positions, each of which begins with the last token of the one before; lm-eval
    gives the last of a document what it needs of the one before, which ours is not given."""
    from lm_eval.models.huggingface import HFLM
    from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

    asked = Perplexity(tokens=ALL).resolve(text)
    ours = [example.tokens for example in examples_of(asked, positions_of(model), folder, unheard)]
    lm = HFLM(pretrained=model, tokenizer=str(folder), batch_size=4)
    windows = []
    for item in items(text):
        if item.part == "held_out":
            first, *rest = [*lm.tok_encode(item.content.text), lm.eot_token_id]
            rolling = [make_disjoint_window(w) for w in get_rolling_token_windows(rest, first, 63, 1)]
            windows += [*rolling[:-1], ([windows_end(rolling)], rolling[-1][1])]
    assert [[*context, *following] for context, following in windows] == ours
    losses = [-ll for ll, _ in lm._loglikelihood_tokens([(None, *w) for w in windows], disable_tqdm=True)]
    found = evaluate(asked, model, folder, CPU, unheard)
    assert [row.value for row in found.items["perplexity"]] == pytest.approx(losses, rel=1e-5)


def windows_end(rolling: list[tuple[list[int], list[int]]]) -> int:
    """The last token before the last window."""
    return rolling[-2][1][-1]
