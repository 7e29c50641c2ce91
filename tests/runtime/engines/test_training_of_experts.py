"""Training and watching a mixture of experts: what is minimised, what is reported, how it was routed."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from effdsl_registry.checkpoints import Checkpoints
from effdsl_runtime.data.batches import Windows
from effdsl_runtime.engines import torch_engine
from effdsl_runtime.engines.trainer import Trainer, evaluate
from effdsl_runtime.model.build import build
from effdsl_runtime.model.decoder import DecoderLM
from effdsl_runtime.model.feed_forward import Routing
from effdsl_runtime.model.routing import balance_loss, routed
from effdsl_runtime.observation import Observation
from effdsl_runtime.probes import Sampler
from effdsl_runtime.recording.metric_values import measure
from effdsl_runtime.stages import pretraining  # noqa: F401  registers its metrics
from torch import Tensor
from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

from effdsl.data import ByteTokenizer, LocalText
from effdsl.engines.torch import Torch
from effdsl.hardware import Hardware
from effdsl.shapes import Shape
from effdsl.stages.pretraining import Pretraining
from effdsl.task import Cell, Task
from effdsl.techniques.architecture import Decoder
from effdsl.techniques.attention import GQA
from effdsl.techniques.feed_forward import MoE, SwiGLU
from effdsl.techniques.position import RoPE
from effdsl.techniques.technique import FeedForwardTechnique
from effdsl.training import TrainingBudget, TrainingRecipe

SHAPE = Shape(layers=2, hidden_size=32, heads=4, head_dim=8, intermediate_size=48, vocab_size=256)
CPU = torch.device("cpu")
RECIPE = TrainingRecipe(learning_rate=1e-2, dtype="float32", gradient_clip=1e9)


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EFFDSL_THREADS", "1")
    torch.set_num_threads(1)


def architecture(technique: FeedForwardTechnique) -> Decoder:
    return Decoder(SHAPE, GQA(), RoPE(), technique.resolve(SHAPE))


def trainer(technique: FeedForwardTechnique, micro_batch_size: int = 8) -> Trainer:
    return Trainer(build(architecture(technique), 32, seed=0), RECIPE, 40, micro_batch_size, CPU)


def windows(count: int, seed: int = 0) -> Windows:
    """Texts in which each byte tells the next."""
    starts = np.random.default_rng(seed).integers(0, 256, (count, 1))
    return (starts + 7 * np.arange(33)) % 256


def gradients_of_a_step(trained: Trainer, monkeypatch: pytest.MonkeyPatch) -> tuple[float, list[Tensor]]:
    """The loss that a step reports, and the gradients it steps by."""
    found: list[Tensor] = []

    def noting(parameters: list[Tensor], *_: object, **__: object) -> None:
        found.extend(p.grad.clone() for p in parameters if p.grad is not None)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", noting)
    return trained.step(0, windows(8)), found


def router_logits(model: DecoderLM, inputs_bt: Tensor) -> tuple[Tensor, ...]:
    """What the router of each layer says, caught on its way."""
    caught: list[Tensor] = []
    hooks = [
        block.feed_forward.router.register_forward_hook(lambda _, __, out: caught.append(out))
        for block in model.blocks
    ]
    model.hidden(inputs_bt)
    for hook in hooks:
        hook.remove()
    return tuple(caught)


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_a_step_follows_cross_entropy_plus_the_weighted_balance_and_reports_cross_entropy(
    weight: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against autograd over the logits and transformers' balance loss of each layer."""
    trained = trainer(MoE(balance=weight))
    model = trained.model
    tokens_bs = torch.from_numpy(windows(8))
    logits = model(tokens_bs[:, :-1])
    entropy = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens_bs[:, 1:].flatten())
    layers = [load_balancing_loss_func((logits,), 8, 2) for logits in router_logits(model, tokens_bs[:, :-1])]
    expected = torch.autograd.grad(entropy + weight * sum(layers) / len(layers), list(model.parameters()))
    reported, found = gradients_of_a_step(trained, monkeypatch)
    assert reported == pytest.approx(entropy.item(), rel=1e-6)
    torch.testing.assert_close(found, list(expected), atol=1e-6, rtol=1e-4)


def test_each_micro_batch_counts_its_balance_by_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """Micro-batches of 3, 3 and 2 windows: the gradient is the weighted mean of theirs."""
    split = gradients_of_a_step(trainer(MoE(balance=0.5), 3), monkeypatch)[1]
    model = trainer(MoE()).model
    tokens_bs, minimised = torch.from_numpy(windows(8)), torch.zeros(())
    for part_bs in tokens_bs.split(3):
        routings: list[Routing] = []
        loss = model.loss(part_bs[:, :-1], part_bs[:, 1:].contiguous(), routings)
        balance = torch.stack([balance_loss(routing) for routing in routings]).mean()
        minimised = minimised + (loss + 0.5 * balance) * len(part_bs) / 8
    expected = torch.autograd.grad(minimised, list(model.parameters()))
    torch.testing.assert_close(split, list(expected), atol=1e-6, rtol=1e-4)


@pytest.mark.slow
def test_a_few_steps_learn_and_a_strong_balance_evens_the_load() -> None:
    """40 steps more than halve the loss; with the balance the busiest expert has less to do. The routers
    start uneven: they tell the first expert from the others, and those not from one another."""
    uneven = {}
    for weight in (0.0, 1.0):
        trained = trainer(MoE(balance=weight))
        with torch.no_grad():
            for block in trained.model.blocks:
                block.feed_forward.router.weight[2:] = block.feed_forward.router.weight[1]
        losses = [trained.step(step, windows(8, step)) for step in range(40)]
        assert losses[-1] < losses[0] / 2
        routings: list[Routing] = []
        evaluate(trained.model, windows(8, 99), 8, CPU, "float32", routings)
        seen = routed(routings, SHAPE.layers)
        assert seen is not None
        uneven[weight] = max(max(shares) for shares in seen.shares)
    assert uneven[1.0] < uneven[0.0]


@pytest.mark.parametrize("size", [1, 3, 7])
def test_what_is_seen_of_the_routing_does_not_depend_on_the_batch(size: int) -> None:
    """Shares and entropy over all held-out tokens, against counting one token at a time; no penalty."""
    model, held_out = trainer(MoE()).model, windows(7)
    routings: list[Routing] = []
    loss = evaluate(model, held_out, size, CPU, "float32", routings)
    assert loss == pytest.approx(evaluate(model, held_out, 7, CPU, "float32"), rel=1e-6)
    seen = routed(routings, SHAPE.layers)
    assert seen is not None
    entropies = []
    for shares, logits in zip(
        seen.shares, router_logits(model, torch.from_numpy(held_out[:, :-1])), strict=True
    ):
        chance_ne = logits.detach().double().softmax(1).numpy()
        counts = np.zeros(8)
        for chance_e in chance_ne:
            counts[np.argsort(chance_e)[-2:]] += 1
        assert shares == pytest.approx(counts / counts.sum())
        mean_e = chance_ne.mean(0)
        entropies.append(-np.sum(mean_e * np.log(mean_e)))
    assert seen.entropy == pytest.approx(np.mean(entropies))
    assert seen.dropped == 0


def test_choices_that_nobody_computed_are_counted_as_dropped() -> None:
    """Two layers of 10 tokens with 2 choices each; the second computed only 15 of 20."""
    chosen, chance = torch.zeros(10, 2), torch.full((10, 4), 0.25)
    whole, less = torch.tensor([5, 5, 5, 5]), torch.tensor([5, 5, 5, 0])
    seen = routed([Routing(chance, chosen, kept, 0.0) for kept in (whole, less)], 2)
    assert seen is not None
    assert seen.dropped == pytest.approx(5 / 40)
    assert seen.entropy == pytest.approx(math.log(4))


def task(technique: FeedForwardTechnique, folder: Path) -> Task:
    folder.joinpath("text.txt").write_text("".join(f"{i}. The quick brown fox.\n" for i in range(20_000)))
    data = LocalText(folder / "text.txt", held_out_fraction=0.2, tokenizer=ByteTokenizer()).resolve()
    budget = TrainingBudget(steps=6, batch_size=4, context_length=32, micro_batch_size=4)
    workload = Pretraining(architecture(technique), data, budget, RECIPE)
    return Task(Cell(workload, Torch(), Hardware("a CPU", kind="cpu")), seed=3)


def observe(task: Task) -> tuple[Observation, dict[str, float], dict[str, str]]:
    with Sampler("cpu") as sampler:
        seen = torch_engine.run(task, lambda _: None, sampler, Checkpoints(Path("nowhere")))
    found = measure(task, seen, sampler.summary)
    return seen, found.metrics, found.missing


@pytest.mark.slow
def test_a_trained_mixture_reports_its_routing_and_a_dense_model_why_it_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EFFDSL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(torch_engine, "HELD_OUT_TOKENS", 1024)
    seen, metrics, missing = observe(task(MoE(), tmp_path))
    by_layer = [
        [row["share"] for row in seen.tables["expert_shares"] if row["layer"] == layer]
        for layer in range(SHAPE.layers)
    ]
    assert [sum(shares) for shares in by_layer] == [pytest.approx(1)] * SHAPE.layers
    busiest = [8 * max(shares) for shares in by_layer]
    assert metrics["expert_load_max_over_mean"] == pytest.approx(np.mean(busiest))
    assert 1 <= metrics["expert_load_max_over_mean"] <= 4
    assert 0 < metrics["router_entropy"] <= math.log(8)
    assert metrics["dropped_tokens"] == 0
    names = ("expert_load_max_over_mean", "router_entropy", "dropped_tokens")
    assert not set(names) & set(missing)
    dense, metrics, missing = observe(task(SwiGLU(), tmp_path))
    assert "expert_shares" not in dense.tables
    assert not set(names) & set(metrics)
    assert {missing[name] for name in names} == {"the model has no experts"}
