"""The embedded engine: reproducible, honest about time, and it learns."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import torch
from effdsl_registry.checkpoints import Checkpoints
from effdsl_runtime.data.batches import held_out_windows
from effdsl_runtime.data.corpus import Corpus
from effdsl_runtime.data.prepare import prepare
from effdsl_runtime.device import device_of, use_threads
from effdsl_runtime.endings import Diverged
from effdsl_runtime.engines import torch_engine
from effdsl_runtime.engines.schedule import parts, thinned, warmup_iterations
from effdsl_runtime.engines.torch_engine import run
from effdsl_runtime.engines.trainer import Trainer, adamw, evaluate
from effdsl_runtime.model.build import build
from effdsl_runtime.model.decoder import DecoderLM
from effdsl_runtime.observation import Iteration, Observation, Progress
from effdsl_runtime.probes import Sampler
from hypothesis import given
from hypothesis import strategies as st

from effdsl.data import ByteTokenizer, Data, LocalText
from effdsl.engines.torch import Torch
from effdsl.hardware import H100, Hardware
from effdsl.shapes import Shape
from effdsl.stages.pretraining import Pretraining
from effdsl.task import Cell, Task
from effdsl.techniques.architecture import Decoder, RecurrentDecoder
from effdsl.techniques.attention import GQA, MQA
from effdsl.techniques.mamba import Mamba
from effdsl.techniques.position import RoPE
from effdsl.techniques.technique import AttentionTechnique, Unsupported
from effdsl.training import TrainingBudget, TrainingRecipe, learning_rate_at

SHAPE = Shape(layers=2, hidden_size=32, heads=4, head_dim=8, intermediate_size=64, vocab_size=256)
CPU = Hardware("a CPU", kind="cpu")
VERSE = "The quick brown fox jumps over the lazy dog.\n\n"
NOWHERE = Checkpoints(Path("nowhere"))
RECIPE = TrainingRecipe(learning_rate=1e-2, dtype="float32")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread, and few tokens to evaluate: the model is smaller than what they are meant for."""
    monkeypatch.setenv("EFFDSL_THREADS", "1")
    monkeypatch.setattr(torch_engine, "HELD_OUT_TOKENS", 2048)
    monkeypatch.setattr(torch_engine, "HELD_OUT_TOKENS_ALONG_THE_WAY", 512)
    monkeypatch.setattr(torch_engine, "SAMPLE_TOKENS", 20)
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Data]:
    """English sentences under numbers, as bytes."""
    folder = tmp_path_factory.mktemp("text")
    (folder / "text.txt").write_text("".join(f"{i}. {VERSE}" for i in range(4000)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EFFDSL_CACHE", str(folder / "cache"))
        yield LocalText(folder / "text.txt", held_out_fraction=0.2, tokenizer=ByteTokenizer()).resolve()


@pytest.fixture
def corpus(data: Data) -> Corpus:
    return prepare(data, lambda _: None)


def task(data: Data, attention: AttentionTechnique = GQA(2), **changed: object) -> Task:  # noqa: B008
    """A task of 24 steps, with fields of recipe and budget as given."""
    budget = TrainingBudget(steps=24, batch_size=4, context_length=32, micro_batch_size=4)
    ours = {f.name for f in attrs.fields(TrainingBudget)}
    budget = attrs.evolve(budget, **{k: v for k, v in changed.items() if k in ours})  # type: ignore[arg-type]
    recipe = attrs.evolve(RECIPE, **{k: v for k, v in changed.items() if k not in ours})  # type: ignore[arg-type]
    architecture = Decoder(SHAPE, attention.resolve(SHAPE), RoPE().resolve(SHAPE))
    return Task(Cell(Pretraining(architecture, data, budget, recipe), Torch(), CPU), seed=3)


def observe(task: Task) -> Observation:
    with Sampler("cpu") as sampler:
        return run(task, lambda _: None, sampler, NOWHERE)


def losses(observation: Observation) -> list[float]:
    return [iteration.loss for iteration in observation.iterations]


def tiny_model(attention: AttentionTechnique | None = None) -> DecoderLM:
    chosen = (attention or GQA(2)).resolve(SHAPE)
    return build(Decoder(SHAPE, chosen, RoPE().resolve(SHAPE)), 32, seed=0)


def windows(count: int, seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.random.default_rng(seed).integers(0, 256, (count, 33))


@pytest.mark.slow
def test_two_runs_are_the_same_to_the_last_bit(data: Data) -> None:
    """In float32 every training loss, held-out loss and generated character is the same twice."""
    one, other = observe(task(data)), observe(task(data))
    assert losses(one) == losses(other)
    assert one.curves == other.curves
    assert one.artifacts == other.artifacts


@pytest.mark.slow
def test_another_seed_is_another_training(data: Data) -> None:
    """Repeats differ in weights and batches."""
    assert losses(observe(task(data))) != losses(observe(attrs.evolve(task(data), seed=4)))


@pytest.mark.slow
def test_every_variant_of_a_repeat_sees_the_same_batches(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    """MQA and GQA of one seed are trained on the same tokens in the same order."""
    seen: dict[str, list[bytes]] = {}
    plain_step = Trainer.step
    for attention in (GQA(2), MQA()):
        mine = seen.setdefault(repr(attention), [])

        def noting(self: Trainer, step: int, x_bs: np.ndarray, mine: list[bytes] = mine) -> float:  # type: ignore[type-arg]
            mine.append(x_bs.tobytes())
            return plain_step(self, step, x_bs)

        monkeypatch.setattr(Trainer, "step", noting)
        observe(task(data, attention, steps=6))
    first, second = seen.values()
    assert first == second
    assert len(set(first)) == 6


@pytest.mark.slow
def test_the_loss_falls_below_the_unigram_entropy(data: Data, corpus: Corpus) -> None:
    """60 steps on sentences that repeat learn more than which letters are frequent."""
    seen = observe(task(data, steps=60, batch_size=8, micro_batch_size=8))
    assert seen.values["held_out_loss"] < 0.7 * corpus.unigram_entropy
    first, *_, last = seen.curves["held_out"]
    assert last.loss == seen.values["held_out_loss"] < first.loss


@pytest.mark.slow
def test_an_untrained_model_guesses_uniformly(data: Data) -> None:
    """The first training loss is that of 256 equally likely bytes, within 3%."""
    assert losses(observe(task(data, steps=1))) == [pytest.approx(math.log(256), rel=0.03)]


@pytest.mark.slow
def test_measured_iterations_fill_the_windows(data: Data) -> None:
    """Times of measured iterations add up to the windows, which do not overlap: nothing is timed twice
    and no evaluation is timed at all."""
    seen = observe(task(data))
    assert seen.warmup == 5
    timed = math.fsum(iteration.seconds for iteration in seen.measured)
    assert timed == pytest.approx(sum(end - start for start, end in seen.windows) * 1e-9)
    edges = [edge for window in seen.windows for edge in window]
    assert edges == sorted(edges)
    assert len(set(edges)) == 8


@pytest.mark.slow
def test_progress_never_goes_back(data: Data) -> None:
    """Training reports every step once, in order, with its loss."""
    heard: list[Progress] = []
    with Sampler("cpu") as sampler:
        seen = run(task(data), heard.append, sampler, NOWHERE)
    steps = [(p.done, p.total, p.loss) for p in heard if p.phase == "training"]
    assert steps == [(i.step + 1, 24, i.loss) for i in seen.iterations]


def test_a_hopeless_learning_rate_diverges(data: Data) -> None:
    """An exploding loss ends the task with the step and the loss, instead of a number."""
    with pytest.raises(Diverged, match=r"the loss is .* at step \d+ of 24"):
        observe(task(data, learning_rate=1e4, gradient_clip=1e9))


def test_a_loss_that_is_not_a_number_diverges(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    """NaN is divergence: no comparison lets it pass."""
    monkeypatch.setattr(Trainer, "step", lambda *_: math.nan)
    with pytest.raises(Diverged, match="the loss is nan at step 0"):
        observe(task(data))


@pytest.mark.parametrize(("steps", "rate"), [(1, 300.0), (1, 1e30), (2, 1e30)])
def test_a_loss_that_explodes_in_the_last_update_diverges_as_one_that_does_so_before(
    data: Data, steps: int, rate: float
) -> None:
    changed = {"steps": steps, "learning_rate": rate, "gradient_clip": 1e9, "warmup": 0.0}
    with pytest.raises(Diverged, match=rf"loss is .* of {steps}(, over the limit of 11.09)?$"):
        observe(task(data, **changed))


@pytest.mark.parametrize("loss", [math.nan, math.inf, 12.0, 710.0])
def test_a_held_out_loss_past_the_limit_of_training_diverges(
    data: Data, monkeypatch: pytest.MonkeyPatch, loss: float
) -> None:
    monkeypatch.setattr(Trainer, "evaluate", lambda *_: loss)
    with pytest.raises(Diverged, match=r"the held-out loss is .* after step \d+ of 24"):
        observe(task(data))


@pytest.mark.parametrize("micro_batch_size", [1, 2, 3])
def test_accumulated_gradients_are_those_of_the_batch(micro_batch_size: int) -> None:
    """Micro-batches of any size, the last one smaller, give the weights and loss of one whole batch."""
    results = []
    for size in (micro_batch_size, 8):
        trainer = Trainer(tiny_model(), RECIPE, 10, size, torch.device("cpu"))
        loss = trainer.step(0, windows(8))
        results.append((loss, torch.cat([p.detach().ravel() for p in trainer.model.parameters()])))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-6)
    # Adam's first step is the sign of the gradient, so single elements near zero may flip.
    assert (results[0][1] - results[1][1]).square().mean().sqrt() < 1e-4


def test_the_step_is_adamw_with_clipping_written_out() -> None:
    """Three steps equal AdamW (Loshchilov and Hutter 2019, algorithm 2) and clipping done by hand in
    float64. The tolerance is what float32 leaves: 6e-6 to 2e-5 by the instructions that a CPU has."""
    model, twin = tiny_model(), tiny_model().double()
    recipe = attrs.evolve(RECIPE, gradient_clip=0.1, weight_decay=0.3)
    trainer = Trainer(model, recipe, 10, 8, torch.device("cpu"))
    moments = {name: (torch.zeros_like(p), torch.zeros_like(p)) for name, p in twin.named_parameters()}
    for step in range(3):
        trainer.step(step, windows(8, step))
        x_bs = torch.from_numpy(windows(8, step))
        logits = twin(x_bs[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), x_bs[:, 1:].flatten())
        names, params = zip(*twin.named_parameters(), strict=True)
        grads = torch.autograd.grad(loss, params)
        norm = torch.sqrt(sum((g.square().sum() for g in grads), torch.zeros(())))
        scale = min(1.0, recipe.gradient_clip / (float(norm) + 1e-6))
        rate = learning_rate_at(step, 10, recipe)
        for name, p, g in zip(names, params, grads, strict=True):
            m, v = moments[name]
            m.mul_(recipe.beta1).add_(g * scale * (1 - recipe.beta1))
            v.mul_(recipe.beta2).add_((g * scale) ** 2 * (1 - recipe.beta2))
            m_hat, v_hat = m / (1 - recipe.beta1 ** (step + 1)), v / (1 - recipe.beta2 ** (step + 1))
            decay = recipe.weight_decay if p.ndim >= 2 else 0.0
            with torch.no_grad():
                p.mul_(1 - rate * decay).sub_(rate * m_hat / (v_hat.sqrt() + 1e-8))
    for ours, by_hand in zip(model.parameters(), twin.parameters(), strict=True):
        assert (ours.double() - by_hand).square().mean().sqrt() < 3e-5


def test_only_matrices_decay() -> None:
    """Norms and biases are not pulled to zero; every parameter is in one group."""
    model = tiny_model()
    decayed, kept = adamw(model, RECIPE).param_groups
    assert decayed["weight_decay"] == RECIPE.weight_decay
    assert kept["weight_decay"] == 0
    assert {p.ndim for p in decayed["params"]} == {2}
    assert {p.ndim for p in kept["params"]} == {1}
    assert len(decayed["params"]) + len(kept["params"]) == len(list(model.parameters()))


def test_mambas_decay_rates_are_not_pulled_to_zero() -> None:
    """As in its authors' training: A is a table of rates, although it has two dimensions."""
    shape = Shape(layers=2, hidden_size=32, heads=1, head_dim=32, intermediate_size=64, vocab_size=40)
    model = build(RecurrentDecoder(shape, Mamba().layer(shape)), context_length=8, seed=0)
    _, kept = adamw(model, RECIPE).param_groups
    rates = [p for name, p in model.named_parameters() if name.endswith("A_log")]
    assert len(rates) == 2
    assert {id(p) for p in rates} <= {id(p) for p in kept["params"]}


@pytest.mark.slow
def test_bfloat16_is_used_and_near_float32(data: Data) -> None:
    """Under autocast losses differ from float32, by less than 2%, and weights stay float32."""
    exact, rounded = losses(observe(task(data))), losses(observe(task(data, dtype="bfloat16")))
    assert exact != rounded
    assert rounded == pytest.approx(exact, rel=0.02)


@pytest.mark.parametrize("size", [1, 3, 7])
def test_held_out_loss_is_the_mean_over_all_tokens(size: int) -> None:
    """Evaluation in batches of any size equals the mean of all tokens' negative log probabilities."""
    model, x_ns = tiny_model(), windows(7)
    log_p = model(torch.from_numpy(x_ns[:, :-1])).detach().log_softmax(-1).numpy()
    by_hand = -np.mean([log_p[n, t, x_ns[n, t + 1]] for n in range(7) for t in range(32)])
    assert evaluate(model, x_ns, size, torch.device("cpu"), "float32") == pytest.approx(by_hand, rel=1e-5)


def test_bytes_per_token_are_those_of_the_tokens_evaluated(data: Data, corpus: Corpus) -> None:
    """Bits per byte divide by the bytes of exactly the predicted tokens; separators have none."""
    targets = held_out_windows(corpus, 32, torch_engine.HELD_OUT_TOKENS)[:, 1:]
    expected = np.count_nonzero(targets) / targets.size
    assert observe(task(data, steps=1)).values["bytes_per_token"] == pytest.approx(expected)


@given(st.integers(1, 10_000))
def test_something_is_always_measured(steps: int) -> None:
    """Warm-up is 5 to 20 iterations and never all of them; the parts cover every step once, in order."""
    warmup = warmup_iterations(steps)
    assert 0 <= warmup < steps
    assert warmup == steps - 1 or 5 <= warmup <= 20
    runs = parts(steps, warmup)
    assert [step for start, end in runs for step in range(start, end)] == list(range(steps))
    assert all(start < end for start, end in runs)
    assert sum(end - start for start, end in runs if start >= warmup) == steps - warmup


@given(st.integers(1, 5000))
def test_a_thinned_curve_keeps_the_end(steps: int) -> None:
    """At most 64 points, evenly spaced, the last step among them."""
    curve = thinned([Iteration(i, 1.0, float(i)) for i in range(steps)])
    assert len(curve) <= 64
    assert curve[-1] == (steps, steps - 1.0)
    assert len({b.step - a.step for a, b in pairwise(curve)}) <= 1


def test_threads_are_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """EFFDSL_THREADS decides how many threads torch computes with."""
    monkeypatch.setenv("EFFDSL_THREADS", "2")
    assert use_threads() == torch.get_num_threads() == 2


def test_a_gpu_that_is_not_there_is_unsupported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task for a GPU never runs on the CPU instead."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(Unsupported, match="sees no GPU"):
        device_of(H100)


@pytest.mark.slow
def test_the_model_is_described(data: Data) -> None:
    """Parameter count, kernel and thread count are those of the model that was trained."""
    seen = observe(task(data, steps=1))
    assert seen.parameters == task(data).workload.size().parameters
    assert (seen.kernel, seen.threads) == ("sdpa", 1)


@pytest.mark.slow
def test_the_kernel_that_the_environment_asks_for_is_taken_and_recorded(
    data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that cannot train here is refused before training."""
    monkeypatch.setenv("EFFDSL_KERNEL", "math")
    assert observe(task(data, steps=1)).kernel == "math"
    monkeypatch.setenv("EFFDSL_KERNEL", "flex")
    with pytest.raises(Unsupported, match="cannot train on a CPU"):
        observe(task(data, steps=1))


@pytest.mark.slow
def test_that_a_model_was_compiled_is_recorded(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of seconds is not."""
    plain = observe(task(data, steps=6))
    monkeypatch.setattr(torch_engine, "worth_compiling", lambda *_: True)
    monkeypatch.setattr(torch, "compile", lambda block: block)
    compiled = observe(task(data, steps=6))
    assert (plain.flags, compiled.flags) == ((), ("compiled",))
    assert losses(plain) == losses(compiled)


@pytest.mark.slow
def test_measuring_decoding_changes_nothing_else(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes after the last window; losses and text are those of a run without it."""
    began: list[int] = []
    plain = torch_engine.measure_decoding

    def noting(*args: Any) -> Any:
        began.append(time.perf_counter_ns())
        return plain(*args)

    monkeypatch.setattr(torch_engine, "measure_decoding", noting)
    measured = observe(task(data))
    assert began[0] >= max(window.end_ns for window in measured.windows)
    assert [row["context"] for row in measured.tables["decoding"]] == [8, 16, 32]
    monkeypatch.setattr(torch_engine, "measure_decoding", lambda *_: ())
    without = observe(task(data))
    assert losses(measured) == losses(without)
    assert (measured.curves, measured.artifacts) == (without.curves, without.artifacts)


def test_the_user_is_told_that_decoding_is_measured(data: Data) -> None:
    """Phases after training are named in their order."""
    heard: list[str] = []
    with Sampler("cpu") as sampler:
        run(task(data, steps=1), lambda progress: heard.append(progress.phase), sampler, NOWHERE)
    assert heard[-3:] == ["evaluating", "measuring decoding", "generating"]
