"""Megatron-Core itself, in its environment, against the embedded engine in one process: the same training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import duckdb
import pytest
from effdsl_registry.records import Record
from effdsl_registry.store import Store
from effdsl_runtime.executing.supervision import Supervision
from effdsl_runtime.machine import describe
from effdsl_runtime.recording.run_record import Assignment

from effdsl.data import ByteTokenizer, Data, LocalText
from effdsl.declare import evolve
from effdsl.engine import Engine
from effdsl.engines.megatron import Megatron
from effdsl.engines.torch import Torch
from effdsl.hardware import Hardware
from effdsl.key import CanonicalForms, canonical_json
from effdsl.outcome import Outcome
from effdsl.shapes import Shape
from effdsl.stages.pretraining import Pretraining
from effdsl.task import Cell, Task, address_of
from effdsl.techniques.architecture import Architecture, Decoder
from effdsl.techniques.attention import GQA, NSA
from effdsl.techniques.backbone import Parts, Pythia
from effdsl.techniques.feed_forward import MoE, SwiGLU
from effdsl.techniques.position import Learned, RoPE, Sinusoidal, T5Bias
from effdsl.techniques.rwkv import RWKV4
from effdsl.techniques.technique import AttentionTechnique, FeedForwardTechnique, PositionTechnique
from effdsl.training import TrainingBudget, TrainingRecipe

pytestmark = pytest.mark.engines

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


@attrs.frozen
class Trained:
    """What a task left."""

    losses: list[float]
    record: Record


class Trainings:
    """Runs trainings, each of a kind once."""

    def __init__(self, store: Store, data: Data) -> None:
        self._store, self._data = store, data
        self._known: dict[str, Trained] = {}

    def of(self, architecture: Architecture, engine: Engine, devices: int) -> Trained:
        """20 steps of 4 sequences, one at a time."""
        budget = TrainingBudget(steps=STEPS, batch_size=4, context_length=32, micro_batch_size=1)
        hardware = Hardware("a CPU", count=devices, kind="cpu")
        work = Pretraining(architecture, self._data, budget, RECIPE)
        assert not engine.lacks(work, hardware)
        task = Task(Cell(work, engine.laid_out(work, hardware), hardware), seed=3)
        address = address_of(task, CanonicalForms())
        if address.key not in self._known:
            self._known[address.key] = self._run(task, address)
        return self._known[address.key]

    def _run(self, task: Task, address: Any) -> Trained:
        attempt = "a" * 32
        log = self._store.root / f"{address.key}.log"
        told = Assignment(task, address, canonical_json(task), attempt, self._store.root, log, describe())
        ended = Supervision(self._store, lambda: False, timeout_s=300).run(told, lambda progress: None)
        assert ended is not None
        assert ended.ending.outcome is Outcome.OK, (ended.ending, log.read_text())
        file = str(self._store.iterations_file(address.key, attempt))
        rows = duckdb.execute("SELECT loss FROM read_parquet(?) ORDER BY step", [file]).fetchall()
        return Trained([loss for (loss,) in rows], ended)


@pytest.fixture(scope="module")
def trainings(data: Data, tmp_path_factory: pytest.TempPathFactory) -> Trainings:
    return Trainings(Store(tmp_path_factory.mktemp("project") / "store"), data)


EXPERTS = MoE(experts=4, top_k=2, balance=0.05)
PYTHIA = evolve(Pythia().assemble(SHAPE, Parts()), shape=evolve(SHAPE, norm_eps=1e-5))
RWKV = evolve(RWKV4().assemble(SHAPE, Parts()), shape=SHAPE)
LAYOUTS = {
    "one": (decoder(), Megatron(), 1),
    "DP2": (decoder(), Megatron(), 2),
    "TP2": (decoder(), Megatron(tensor_parallel=2, sequence_parallel=False), 2),
    "TP2-SP": (decoder(), Megatron(tensor_parallel=2), 2),
    "PP2": (decoder(), Megatron(pipeline_parallel=2), 2),
    "EP2": (decoder(feed_forward=EXPERTS), Megatron(expert_parallel=2), 2),
    "MoE-PP2": (decoder(feed_forward=EXPERTS), Megatron(pipeline_parallel=2), 2),
    "MoE-TP2-SP": (decoder(feed_forward=EXPERTS), Megatron(tensor_parallel=2), 2),
    "NSA-DP2": (decoder(NSA(window=8)), Megatron(), 2),
    "NSA-PP2": (decoder(NSA(window=8)), Megatron(pipeline_parallel=2), 2),
    "full": (decoder(), Megatron(recompute="full"), 1),
    "selective": (decoder(), Megatron(recompute="selective"), 1),
    "TP2-PP2": (decoder(), Megatron(tensor_parallel=2, pipeline_parallel=2), 4),
    "Learned-TP2-SP": (decoder(position=Learned()), Megatron(tensor_parallel=2), 2),
    "Sinusoidal-PP2": (decoder(position=Sinusoidal()), Megatron(pipeline_parallel=2), 2),
    "NSA-MoE-PP2": (decoder(NSA(window=8), feed_forward=EXPERTS), Megatron(pipeline_parallel=2), 2),
    "T5Bias-DP2": (decoder(position=T5Bias()), Megatron(), 2),
    "Pythia-PP2": (PYTHIA, Megatron(pipeline_parallel=2), 2),
    "RWKV4-PP2": (RWKV, Megatron(pipeline_parallel=2), 2),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_losses_are_those_of_the_embedded_engine_in_one_process(layout: str, trainings: Trainings) -> None:
    architecture, engine, devices = LAYOUTS[layout]
    one = trainings.of(architecture, Torch(), 1)
    several = trainings.of(architecture, engine, devices)
    assert len(one.losses) == len(several.losses) == STEPS
    assert several.losses == pytest.approx(one.losses, rel=FLOAT32)
    assert one.losses[-1] < one.losses[0] - 1  # which says something only where something is learned
