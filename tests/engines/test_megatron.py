"""Megatron-Core itself, in its environment, against the embedded engine in one process: the same training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import duckdb
import effdsl_runtime.checkpoints.auto  # noqa: F401  our own decoders, for the auto class
import pytest
import torch
from effdsl_registry.records import Record, from_json
from effdsl_registry.store import Store
from effdsl_runtime.data.batches import held_out_windows
from effdsl_runtime.data.prepare import prepare
from effdsl_runtime.engines.torch_engine import HELD_OUT_TOKENS
from effdsl_runtime.executing.supervision import Supervision
from effdsl_runtime.machine import describe
from effdsl_runtime.recording.run_record import Assignment
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM

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
from effdsl.techniques.attention import GQA, MLA, NSA
from effdsl.techniques.backbone import Parts, Pythia
from effdsl.techniques.feed_forward import MoE, SwiGLU
from effdsl.techniques.position import Learned, NoPE, RoPE, Sinusoidal, T5Bias
from effdsl.techniques.rwkv import RWKV4
from effdsl.techniques.technique import AttentionTechnique, FeedForwardTechnique, PositionTechnique
from effdsl.training import TrainingBudget, TrainingRecipe

pytestmark = pytest.mark.engines

SHAPE = Shape(layers=2, hidden_size=32, heads=4, head_dim=8, intermediate_size=64, vocab_size=256)
RECIPE = TrainingRecipe(learning_rate=1e-2, dtype="float32")
STEPS, CONTEXT = 20, 32
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
class Left:
    """What a task left: its losses, its record, and its weights in Hugging Face's form."""

    losses: list[float]
    record: Record
    checkpoint: Path


class Trainings:
    """Runs trainings, each of a kind once."""

    def __init__(self, store: Store, data: Data) -> None:
        self._store, self._data = store, data
        self._known: dict[str, Left] = {}

    def of(self, architecture: Architecture, engine: Engine, devices: int) -> Left:
        """20 steps of 4 sequences, one at a time."""
        budget = TrainingBudget(steps=STEPS, batch_size=4, context_length=CONTEXT, micro_batch_size=1)
        hardware = Hardware("a CPU", count=devices, kind="cpu")
        work = Pretraining(architecture, self._data, budget, RECIPE)
        assert not engine.lacks(work, hardware)
        task = Task(Cell(work, engine.laid_out(work, hardware), hardware), seed=3)
        address = address_of(task, CanonicalForms())
        if address.key not in self._known:
            self._known[address.key] = self._run(task, address)
        return self._known[address.key]

    def _run(self, task: Task, address: Any) -> Left:
        attempt = "a" * 32
        log = self._store.root / f"{address.key}.log"
        root, canonical = self._store.root, canonical_json(task)
        told = Assignment(task, address, canonical, attempt, root, log, describe(), keeps_files=True)
        ended = Supervision(self._store, lambda: False, timeout_s=300).run(told, lambda progress: None)
        assert ended is not None
        assert ended.ending.outcome is Outcome.OK, (ended.ending, log.read_text())
        file = str(self._store.iterations_file(address.key, attempt))
        rows = duckdb.execute("SELECT loss FROM read_parquet(?) ORDER BY step", [file]).fetchall()
        record = from_json(ended.record.read_text())
        return Left([loss for (loss,) in rows], record, self._store.checkpoints.of(address.key))


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
    "EP2-DP4": (decoder(feed_forward=EXPERTS), Megatron(expert_parallel=2), 4),
    "MoE-PP2": (decoder(feed_forward=EXPERTS), Megatron(pipeline_parallel=2), 2),
    "MoE-TP2-SP": (decoder(feed_forward=EXPERTS), Megatron(tensor_parallel=2), 2),
    "NSA-DP2": (decoder(NSA(window=8)), Megatron(), 2),
    "NSA-PP2": (decoder(NSA(window=8)), Megatron(pipeline_parallel=2), 2),
    "MLA-one": (decoder(MLA()), Megatron(), 1),
    "MLA-TP2": (decoder(MLA()), Megatron(tensor_parallel=2, sequence_parallel=False), 2),
    "MLA-TP2-SP": (decoder(MLA(q_rank=16)), Megatron(tensor_parallel=2), 2),
    "MLA-NoPE-PP2": (decoder(MLA(), position=NoPE()), Megatron(pipeline_parallel=2), 2),
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


@pytest.mark.parametrize(
    "layout", ["TP2-SP", "TP2-PP2", "MoE-TP2-SP", "EP2", "NSA-MoE-PP2", "Pythia-PP2", "MLA-TP2-SP"]
)
def test_the_checkpoint_has_the_held_out_loss_that_was_measured(
    layout: str, trainings: Trainings, data: Data
) -> None:
    """Read by transformers' auto class, whose loss of each window is its own."""
    left = trainings.of(*LAYOUTS[layout])
    model = AutoModelForCausalLM.from_pretrained(left.checkpoint, dtype=torch.float32).eval()
    corpus = prepare(data, lambda text: None)
    windows_ns = torch.from_numpy(held_out_windows(corpus, CONTEXT, HELD_OUT_TOKENS))
    losses = []
    for part_bs in windows_ns.split(64):
        with torch.no_grad():
            logits_btv = model(part_bs[:, :-1]).logits
        losses.append(cross_entropy(logits_btv.flatten(0, 1), part_bs[:, 1:].flatten(), reduction="sum"))
    loss = float(sum(losses)) / windows_ns[:, 1:].numel()
    assert left.record.metrics["held_out_loss"] == pytest.approx(loss, rel=1e-5)
    assert loss == pytest.approx(left.losses[-1], rel=0.2)  # of a model that has learned as much


def test_a_record_says_what_that_of_the_embedded_engine_says(trainings: Trainings) -> None:
    """Of the same model: the same metrics, the others missing with a reason, the same curves and tables."""
    architecture, engine, devices = LAYOUTS["EP2"]
    one = trainings.of(architecture, Torch(), 1).record
    two = trainings.of(architecture, engine, devices).record
    assert set(two.metrics) | set(two.missing) >= set(one.metrics) | set(one.missing)
    assert set(one.metrics) - set(two.metrics) <= {"pcu_w"}
    assert all(two.missing.values())
    assert two.identity.parameters == one.identity.parameters
    assert [step for step, _ in two.curves["held_out"]] == [step for step, _ in one.curves["held_out"]]
    for name in ("held_out_loss", "bits_per_byte", "router_entropy", "expert_load_max_over_mean"):
        assert two.metrics[name] == pytest.approx(one.metrics[name], rel=1e-3)
    assert two.provenance.libraries["megatron-core"] == "0.16.1"
