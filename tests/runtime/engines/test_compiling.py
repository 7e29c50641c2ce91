"""When models are compiled, and that a compiled one is the same model."""

import pytest
import torch
from effdsl_runtime.engines import compiling
from effdsl_runtime.engines.compiling import worth_compiling
from effdsl_runtime.model.build import build
from torch.testing import assert_close

from effdsl.data import ByteTokenizer, LocalText
from effdsl.shapes import Shape, shape_for
from effdsl.stages.pretraining import Pretraining
from effdsl.techniques.architecture import Decoder
from effdsl.techniques.attention import GQA, MHA, MLA, MoBA
from effdsl.techniques.backbone import BackboneTechnique, Parts, Pythia, Transformer
from effdsl.techniques.feed_forward import MoE
from effdsl.techniques.mamba import Mamba, Mamba2
from effdsl.techniques.position import RoPE, T5Bias
from effdsl.techniques.rwkv import RWKV4
from effdsl.techniques.technique import AttentionTechnique
from effdsl.training import TrainingBudget, TrainingRecipe
from effdsl.units import M

CPU, GPU = torch.device("cpu"), torch.device("cuda")
SHAPE = Shape(layers=2, hidden_size=32, heads=4, head_dim=8, intermediate_size=64, vocab_size=256)


def workload(steps: int, attention: AttentionTechnique) -> Pretraining:
    """3M parameters; 4,096 tokens a step."""
    shape = shape_for(3 * M, 2048)
    architecture = Decoder(shape, attention.resolve(shape), RoPE())
    budget = TrainingBudget(steps=steps, batch_size=16, context_length=256, micro_batch_size=16)
    return Pretraining(
        architecture,
        LocalText(__file__, tokenizer=ByteTokenizer()),
        budget,
        TrainingRecipe(learning_rate=1e-3),
    )


def test_a_gpu_always_compiles() -> None:
    assert worth_compiling(workload(1, GQA()), GPU, threads=1)


@pytest.mark.parametrize("attention", [GQA(), MHA(), MLA()], ids=str)
def test_a_cpu_compiles_what_takes_minutes_alike_for_every_technique(
    attention: AttentionTechnique, monkeypatch: pytest.MonkeyPatch
) -> None:
    """6 * 3.1M * 4,096 FLOPs a step at 65 GFLOP/s a thread are 1.2 s: 300 s are some 260 steps."""
    monkeypatch.setattr(compiling.shutil, "which", lambda name: name)
    assert not worth_compiling(workload(200, attention), CPU, threads=1)
    assert worth_compiling(workload(300, attention), CPU, threads=1)
    assert not worth_compiling(workload(300, attention), CPU, threads=2)


def test_without_a_compiler_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling.shutil, "which", lambda name: None)
    assert not worth_compiling(workload(10**6, GQA()), CPU, threads=1)


def test_a_torch_that_compiles_wrong_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "COMPILES_RIGHT", False)
    assert not worth_compiling(workload(10**6, GQA()), GPU, threads=1)


ELSE: dict[str, tuple[BackboneTechnique, Parts]] = {
    "MLA": (Transformer(), Parts(attention=MLA())),
    "MoE": (Transformer(), Parts(feed_forward=MoE(experts=4))),
    "T5Bias": (Transformer(), Parts(position=T5Bias())),
    "Pythia": (Pythia(), Parts()),
    "Mamba": (Mamba(), Parts()),
    "Mamba2": (Mamba2(), Parts()),
    "RWKV4": (RWKV4(), Parts()),
}


@pytest.mark.slow
@pytest.mark.skipif(not compiling.COMPILES_RIGHT, reason="this torch compiles some of them wrong")
@pytest.mark.filterwarnings("default")  # those of PyTorch's tracer are not ours
@pytest.mark.parametrize("name", ELSE)
def test_what_is_traced_has_the_gradients_of_what_is_not(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In parts where a technique is not traced whole."""
    compile_for_real = torch.compile
    monkeypatch.setattr(torch, "compile", lambda block: compile_for_real(block, backend="eager"))
    backbone, parts = ELSE[name]
    model = build(backbone.resolve(SHAPE).assemble(SHAPE, parts), 32, seed=0)
    tokens_bt = torch.randint(0, 256, (2, 32), generator=torch.Generator().manual_seed(0))
    found = []
    for compiled in (False, True):
        if compiled:
            model.compile_blocks()
        model.zero_grad()
        model.loss(tokens_bt, tokens_bt).backward()
        found.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    assert_close(*found)


@pytest.mark.slow
@pytest.mark.skipif(not compiling.COMPILES_RIGHT, reason="this torch compiles some functions wrong")
@pytest.mark.filterwarnings("default")  # those of PyTorch's tracer are not ours
@pytest.mark.parametrize("attention", [GQA(), MoBA(block=8, top_k=2)], ids=str)
def test_compiled_blocks_give_the_same_loss_and_gradients_and_leave_the_cache_alone(
    attention: AttentionTechnique, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Traced whole by the compiler, run by PyTorch; with caches the blocks run as they are."""
    traced: list[torch.nn.Module] = []
    compile_for_real = torch.compile

    def noting(block: torch.nn.Module) -> object:
        traced.append(block)
        return compile_for_real(block, backend="eager", fullgraph=True)

    monkeypatch.setattr(torch, "compile", noting)
    model = build(Decoder(SHAPE, attention, RoPE()), 32, seed=0)
    tokens_bt = torch.randint(0, 256, (2, 32), generator=torch.Generator().manual_seed(0))
    found = []
    for compiled in (False, True):
        if compiled:
            model.compile_blocks()
        model.zero_grad()
        loss = model.loss(tokens_bt, tokens_bt)
        loss.backward()
        found.append((loss.detach(), [p.grad.clone() for p in model.parameters() if p.grad is not None]))
    assert traced == list(model.blocks)
    assert_close(found[0], found[1])
    with torch.no_grad():
        expected = model(tokens_bt)
        model._compiled = (_broken, _broken)
        assert_close(model(tokens_bt, model.new_caches()), expected)


def _broken(*args: object) -> torch.Tensor:
    raise AssertionError("a compiled block was given a cache")
