"""What a fine-tuning says of its examples, against the examples themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from effdsl_registry.checkpoints import Checkpoints
from effdsl_runtime.data.codec import make
from effdsl_runtime.engines.transformers_engine import FineTune

from effdsl.data import ByteTokenizer
from effdsl.engines.transformers import Transformers
from effdsl.hardware import Hardware
from effdsl.instructions import Instructions
from effdsl.stages.tuning import Tuning
from effdsl.subjects.local import Local
from effdsl.task import Cell, Task
from effdsl.techniques.fine_tuning import Full
from effdsl.training import TrainingBudget

from .conftest import RECIPE, built

pytestmark = pytest.mark.slow
CONTEXT, LONG = 48, 200


def test_examples_are_counted_as_they_were_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One in four is longer than the context; a byte is a token, and the end of a text one without bytes."""
    monkeypatch.setenv("EFFDSL_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "base"
    codec = make(ByteTokenizer(), [])
    built(vocab_size=257).save_pretrained(folder)
    codec.save(folder)
    (folder / "tokenizer_config.json").write_text(json.dumps(codec.described(64)), encoding="utf-8")
    rows = [{"prompt": f"{i:3}: ", "completion": "x" * (3 if i % 4 else LONG)} for i in range(80)]
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    (weights,) = Local(str(folder)).resolve(lambda study: [])
    data = Instructions((str(tmp_path / "rows.jsonl"),), held_out_fraction=0.3).resolve()
    work = Tuning(
        weights, Full().resolve(weights.language_model()), data, TrainingBudget(1, 2, CONTEXT, 2), RECIPE
    )
    task = Task(Cell(work, Transformers(), Hardware("a laptop", kind="cpu")), 0)
    tuning = FineTune(task, work, 0, lambda _: None, Checkpoints(tmp_path / "checkpoints"))
    tuning.train(tuning.examples.held_out)
    (row,) = tuning.observation({}, keeps=False).tables["examples"]

    train, held_out = tuning.examples.train, tuning.examples.held_out
    assert (row["training"], row["truncated"]) == (
        len(train),
        sum(len(example.tokens) == CONTEXT for example in train),
    )
    assert 0 < row["truncated"] < row["training"]
    assert row["held_out_tokens"] == sum(sum(example.predicted) for example in held_out)
    ends = sum(len(example.tokens) < CONTEXT for example in held_out)
    assert row["held_out_bytes"] == row["held_out_tokens"] - ends
