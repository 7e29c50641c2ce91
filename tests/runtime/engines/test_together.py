"""Several processes train what one does: run as the executor runs them, by torchrun, over gloo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from effdsl_registry.store import Store
from effdsl_runtime.executing.supervision import Supervision
from effdsl_runtime.machine import describe
from effdsl_runtime.recording.run_record import Assignment

from effdsl.data import ByteTokenizer, Data, LocalText
from effdsl.engines.torch import Torch
from effdsl.hardware import Hardware
from effdsl.key import CanonicalForms, canonical_json
from effdsl.outcome import Outcome
from effdsl.shapes import Shape
from effdsl.stages.pretraining import Pretraining
from effdsl.task import Cell, Task, address_of
from effdsl.techniques.architecture import Architecture, Decoder
from effdsl.techniques.attention import GQA, NSA
from effdsl.techniques.feed_forward import MoE, SwiGLU
from effdsl.techniques.position import RoPE, T5Bias
from effdsl.techniques.technique import AttentionTechnique, FeedForwardTechnique, PositionTechnique
from effdsl.training import TrainingBudget, TrainingRecipe

pytestmark = pytest.mark.slow

SHAPE = Shape(layers=2, hidden_size=32, heads=4, head_dim=8, intermediate_size=64, vocab_size=256)
RECIPE = TrainingRecipe(learning_rate=1e-2, dtype="float32")
STEPS = 20
FLOAT32 = 1e-4  # the most that losses of 20 steps may differ, relative to themselves


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Data]:
    """English sentences under numbers, as bytes."""
    folder = tmp_path_factory.mktemp("text")
    (folder / "text.txt").write_text("".join(f"{i}. The quick brown fox jumps.\n\n" for i in range(3000)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EFFDSL_CACHE", str(folder / "cache"))
        patch.setenv("EFFDSL_THREADS", "1")
        yield LocalText(folder / "text.txt", held_out_fraction=0.2, tokenizer=ByteTokenizer()).resolve()


def decoder(
    attention: AttentionTechnique = GQA(2),  # noqa: B008
    position: PositionTechnique = RoPE(),  # noqa: B008
    feed_forward: FeedForwardTechnique = SwiGLU(),  # noqa: B008
) -> Decoder:
    return Decoder(SHAPE, *(part.resolve(SHAPE) for part in (attention, position, feed_forward)))


def losses(store: Store, architecture: Architecture, data: Data, devices: int, engine: Torch) -> list[float]:
    """The training losses of 20 steps of 4 sequences, two micro-batches in each of two processes."""
    budget = TrainingBudget(steps=STEPS, batch_size=4, context_length=32, micro_batch_size=1)
    hardware = Hardware("a CPU", count=devices, kind="cpu")
    task = Task(Cell(Pretraining(architecture, data, budget, RECIPE), engine, hardware), seed=3)
    address, attempt = address_of(task, CanonicalForms()), "a" * 32
    log = store.root / f"{devices}.log"
    told = Assignment(task, address, canonical_json(task), attempt, store.root, log, describe())
    ended = Supervision(store, lambda: False).run(told, lambda progress: None)
    assert ended is not None
    assert ended.ending.outcome is Outcome.OK, (ended.ending, log.read_text())
    file = str(store.iterations_file(address.key, attempt))
    return [
        loss
        for (loss,) in duckdb.execute("SELECT loss FROM read_parquet(?) ORDER BY step", [file]).fetchall()
    ]


@pytest.mark.parametrize(
    ("architecture", "sharded"),
    [
        (decoder(), False),
        (decoder(), True),
        (decoder(feed_forward=MoE(experts=4, top_k=2)), False),
        (decoder(feed_forward=MoE(experts=4, top_k=2)), True),
        (decoder(position=T5Bias()), True),
        (decoder(NSA(window=8)), True),
    ],
    ids=["GQA-DDP", "GQA-FSDP2", "MoE-DDP", "MoE-FSDP2", "T5Bias-FSDP2", "NSA-FSDP2"],
)
def test_two_processes_have_the_losses_of_one(
    architecture: Architecture, sharded: bool, data: Data, tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    one = losses(store, architecture, data, 1, Torch())
    two = losses(store, architecture, data, 2, Torch(sharded=sharded))
    assert len(one) == len(two) == STEPS
    assert two == pytest.approx(one, rel=FLOAT32)
    assert one[-1] < one[0] - 1  # which says something only where something is learned
