"""Layers that are computed again in the backward pass train as layers whose features are kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from effdsl_registry.checkpoints import Checkpoints
from effdsl_runtime.data.codec import make
from effdsl_runtime.engines.transformers_engine import FineTune, recompute
from effdsl_runtime.tuning.methods import layers_of
from effdsl_runtime.tuning.tuner import inner_model
from torch.testing import assert_close

from effdsl.data import ByteTokenizer
from effdsl.engines.transformers import Transformers
from effdsl.hardware import Hardware
from effdsl.instructions import Instructions
from effdsl.stages.tuning import Tuning
from effdsl.subject import Surroundings
from effdsl.subjects.local import Local
from effdsl.task import Cell, Task
from effdsl.techniques.fine_tuning import Freeze, Full, LoRA
from effdsl.techniques.fine_tuning.method import Method
from effdsl.training import TrainingBudget

from .conftest import KINDS, RECIPE, batches, built, copied, put, stirred, trained, tuner

pytestmark = pytest.mark.slow
STEPS = 4


def count_calls(layers: Any) -> list[int]:
    """How often each layer's feed-forward is begun, from now on; computed again it may stop early."""
    calls = [0] * len(layers)

    def counting(at: int) -> Any:
        def count(*_: Any) -> None:
            calls[at] += 1

        return count

    for at, layer in enumerate(layers):
        layer.mlp.register_forward_pre_hook(counting(at))
    return calls


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", [LoRA(dropout=0.3), Freeze(), Full()], ids=str)
def test_no_loss_changes(method: Method, kind: str) -> None:
    """Nor any parameter, even where something is dropped out at random; below what is trained nothing is
    computed again."""
    found = []
    for recomputes in (False, True):
        loaded = built(kind)
        resolved, model = put(method, loaded, seed=2)
        stirred(model)
        if recomputes:
            recompute(loaded)
        calls = count_calls(layers_of(loaded))
        training = tuner(resolved, model, 2, micro=8)
        losses = [training.step(step, batch) for step, batch in enumerate(batches(2))]
        found.append((losses, copied(trained(model)), calls))
    (losses, parameters, once), (same_losses, same_parameters, twice) = found
    assert once == [2, 2, 2]
    assert twice == [2 if isinstance(method, Freeze) else 4, 4, 4]
    assert same_losses == pytest.approx(losses, rel=1e-6)
    assert_close(same_parameters, parameters, atol=1e-6, rtol=0)


@pytest.mark.parametrize("method", [LoRA(), Freeze(), Full()], ids=str)
def test_the_engine_recomputes_where_it_is_told_to(
    method: Method, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By ``Transformers(gradient_checkpointing=True)``, in training alone; losses and curve stay the same."""
    monkeypatch.setenv("EFFDSL_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "base"
    codec = make(ByteTokenizer(), [])
    built(vocab_size=257).save_pretrained(folder)
    codec.save(folder)
    (folder / "tokenizer_config.json").write_text(json.dumps(codec.described(64)), encoding="utf-8")
    rows = [{"prompt": f"{i}: ", "completion": "tree " * (1 + i % 5)} for i in range(40)]
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    (weights,) = Local(str(folder)).resolve(Surroundings())
    work = Tuning(
        weights,
        method.resolve(weights.language_model()),
        Instructions((str(tmp_path / "rows.jsonl"),), held_out_fraction=0.3).resolve(),
        TrainingBudget(STEPS, 4, 48, 2),
        RECIPE,
    )
    found = []
    for engine in (Transformers(), Transformers(gradient_checkpointing=True)):
        task = Task(Cell(work, engine, Hardware("a laptop", kind="cpu")), 3)
        tuning = FineTune(task, work, 3, lambda _: None, Checkpoints(tmp_path / "checkpoints"))
        calls = count_calls(layers_of(inner_model(tuning.model)))
        before = tuning.held_out_loss()
        evaluating = list(calls)
        tuning.train(tuning.examples.held_out)
        losses = [before, *(point.loss for point in tuning.curve)]
        losses += [each.loss for each in tuning.iterations if each.loss is not None]
        found.append((losses, evaluating, calls, tuning.observation({}, keeps=False).flags))
    (losses, once, whole, flags), (same, again, more, flagged) = found
    assert len(losses) > STEPS
    assert same == pytest.approx(losses, rel=1e-6)
    assert once == again
    passes = STEPS * work.passes
    frozen = isinstance(method, Freeze)
    assert [b - a for a, b in zip(whole, more, strict=True)] == [0 if frozen else passes, passes, passes]
    assert (flags, flagged) == ((), ("gradient checkpointing",))
