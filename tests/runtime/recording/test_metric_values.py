"""Metrics of a task against closed forms."""

from __future__ import annotations

import math
from itertools import pairwise

import attrs
import pytest
from effdsl_runtime.engines.decoding import Decoding
from effdsl_runtime.observation import Iteration, Observation, Point, Window
from effdsl_runtime.probes import Measurement, Trace, summarise
from effdsl_runtime.recording.metric_values import measure, over_windows, speed
from effdsl_runtime.stages.pretraining import quality
from hypothesis import given
from hypothesis import strategies as st

from effdsl import counts
from effdsl.data import Shakespeare
from effdsl.engines.torch import Torch
from effdsl.hardware import H100, Hardware
from effdsl.metrics import METRICS
from effdsl.own import technique
from effdsl.shapes import Shape
from effdsl.stages.pretraining import Pretraining
from effdsl.task import Cell, Task
from effdsl.techniques.architecture import Decoder
from effdsl.techniques.attention.gqa import GQA
from effdsl.techniques.position import RoPE
from effdsl.techniques.technique import AttentionTechnique
from effdsl.training import TrainingBudget, TrainingRecipe

SECOND = 10**9
SHAPE = Shape(layers=2, hidden_size=64, heads=4, head_dim=16, intermediate_size=160, vocab_size=2048)


@technique("test-uncounted")
class Uncounted(AttentionTechnique):
    """An attention of one's own without formulas."""


def observation(seconds: list[float], warmup: int = 0, windows: tuple[Window, ...] = ()) -> Observation:
    """An observation with these iteration times."""
    return Observation(
        iterations=tuple(Iteration(i, s, 5.0) for i, s in enumerate(seconds)),
        warmup=warmup,
        windows=windows,
        curves={"held_out": (Point(len(seconds), 2.0),)},
        values={"held_out_loss": 2.0, "bytes_per_token": 4.0},
        parameters=1000,
        kernel="sdpa",
        threads=1,
    )


def task(hardware: Hardware, dtype: str = "bfloat16") -> Task:
    """A task of 100 tokens a step."""
    architecture = Decoder(SHAPE, GQA(2).resolve(SHAPE), RoPE().resolve(SHAPE))
    recipe = TrainingRecipe(learning_rate=1e-3, dtype=dtype)
    workload = Pretraining(architecture, Shakespeare(), TrainingBudget(8, 2, 50, 2), recipe)
    return Task(Cell(workload, Torch(), hardware), 0)


def nothing_read(start_ns: int, end_ns: int) -> Measurement:
    """A probe that cannot read a thing."""
    names = (
        "amu_gb",
        "peak_memory_gb",
        "memory_over_baseline_gb",
        "pcu",
        "energy_j",
        "aec_w",
        "energy_j_per_token",
    )
    return Measurement({}, dict.fromkeys(names, "no probe"))


def test_quality_is_perplexity_and_bits_per_byte() -> None:
    """A loss of 2 nats a token of 4 bytes is e^2 of perplexity and 2 / (4 ln 2) bits a byte."""
    expected = {"held_out_loss": 2.0, "ppl": math.e**2, "bits_per_byte": 0.5 / math.log(2)}
    assert quality(observation([1.0])) == pytest.approx(expected)


def test_uniform_guessing_of_bytes_is_eight_bits_per_byte() -> None:
    """A model of bytes that knows nothing needs eight bits for each."""
    uniform = attrs.evolve(
        observation([1.0]), values={"held_out_loss": math.log(256), "bytes_per_token": 1.0}
    )
    assert quality(uniform)["bits_per_byte"] == pytest.approx(8)


def test_warmup_is_left_out_of_every_rate_but_the_total() -> None:
    """Two slow first iterations change the total time and nothing else."""
    slow = speed(observation([9.0, 9.0, 1.0, 2.0, 3.0], warmup=2))
    fast = speed(observation([1.0, 2.0, 3.0]))
    assert (slow.pop("time_to_finish_s"), fast.pop("time_to_finish_s")) == (24, 6)
    assert slow == fast


def test_speed_follows_the_equations() -> None:
    """Eq. 3: 6 s over 3 iterations; eq. 4: 300 tokens over 1000 parameters over 6 s."""
    metrics = measure(
        task(H100), observation([1.0, 2.0, 3.0], windows=(Window(0, SECOND),)), nothing_read
    ).metrics
    assert metrics["al_s_per_iter"] == 2
    assert metrics["gpu_hours_per_gpu"] == pytest.approx(6 / 3600)
    assert metrics["tokens_per_s"] == 50
    assert metrics["tt_tokens_per_param_s"] == pytest.approx(0.05)


@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=50))
def test_percentiles_are_ordered_and_lie_between_the_extremes(seconds: list[float]) -> None:
    """min <= p50 <= p95 <= p99 <= max, whatever the times."""
    metrics = speed(observation(seconds))
    percentiles = [metrics[f"p{p}_s_per_iter"] for p in (50, 95, 99)]
    steps = pairwise([min(seconds), *percentiles, max(seconds)])
    assert all(low <= high * (1 + 1e-12) for low, high in steps)


def test_percentiles_of_1_to_101() -> None:
    """Of 1, 2, ..., 101 the median is 51, the 95th percentile 96 and the 99th 100."""
    metrics = speed(observation([float(i) for i in range(1, 102)]))
    found = [metrics[f"p{p}_s_per_iter"] for p in (50, 95, 99)]
    assert found == pytest.approx([51, 96, 100])


def ramp(start_s: int, end_s: int) -> Trace:
    """A device read once a second: at t seconds it uses t GB and draws 10 t W; its process keeps one of
    two cores busy."""
    seconds = range(start_s, end_s + 1)
    return Trace(
        t_ns=[t * SECOND for t in seconds],
        cpu_time_s=[float(t) for t in seconds],
        cores=2,
        memory_bytes=[t * 10**9 for t in seconds],
        power_w=[10.0 * t for t in seconds],
    )


def test_device_metrics_are_time_averages_over_all_windows() -> None:
    """Windows 0-4 s and 6-14 s of a ramp: means 2 and 10 weigh 4 and 8 s, energies add up."""
    windows = (Window(0, 4 * SECOND), Window(6 * SECOND, 14 * SECOND))
    found = over_windows([summarise(ramp(0, 20), *window, {}) for window in windows], windows)
    expected = {
        "amu_gb": (2 * 4 + 10 * 8) / 12,
        "pcu": 0.5,
        "peak_memory_gb": 20,
        "memory_over_baseline_gb": 20,
        "energy_j": 10 * (2 * 4 + 10 * 8),
        "aec_w": 10 * (2 * 4 + 10 * 8) / 12,
    }
    assert found.metrics == pytest.approx(expected)
    assert not {"amu_gb", "energy_j", "aec_w"} & set(found.missing)


def test_one_window_without_energy_makes_energy_missing() -> None:
    """A window too short for the meter leaves the energy of the whole unknown, with that reason."""
    windows = (Window(0, 4 * SECOND), Window(5 * SECOND, 6 * SECOND))
    found = over_windows([summarise(ramp(0, 20), *window, {}) for window in windows], windows)
    assert "energy_j" not in found.metrics
    assert "aec_w" not in found.metrics
    assert "energy needs at least 2 s" in found.missing["energy_j"]
    assert found.metrics["amu_gb"] == pytest.approx((2 * 4 + 5.5 * 1) / 5)


def test_energy_per_token_counts_measured_tokens_only() -> None:
    """Energy of the window over the tokens of the iterations in it; warm-up tokens do not count."""
    windows = (Window(0, 4 * SECOND),)
    seen = observation([1.0] * 6, warmup=2, windows=windows)
    found = measure(task(H100), seen, lambda start, end: summarise(ramp(0, 20), start, end, {}))
    assert found.metrics["energy_j_per_token"] == pytest.approx(10 * 2 * 4 / (4 * 100))


def test_mfu_is_flops_over_peak() -> None:
    """MFU times the peak is the rate of causal FLOPs; two devices have twice the peak."""
    seen = observation([0.5] * 4, windows=(Window(0, SECOND),))
    one, two = (measure(task(h), seen, nothing_read).metrics["mfu"] for h in (H100, 2 * H100))
    flops = task(H100).workload.architecture.causal_train_flops_per_token(50) * 100
    assert one == pytest.approx(flops / 0.5 / 989.4e12)
    assert two == pytest.approx(one / 2)


def test_mfu_of_an_unknown_peak_is_missing() -> None:
    """Without a peak rate MFU has no value and says for which hardware and dtype."""
    seen = observation([0.5] * 4, windows=(Window(0, SECOND),))
    found = measure(task(Hardware("some CPU", kind="cpu")), seen, nothing_read)
    assert "mfu" not in found.metrics
    assert found.missing["mfu"] == "the peak FLOP/s of some CPU in bfloat16 is not known"


def test_mfu_is_missing_where_the_causal_flops_are_only_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which keys a query needs is not known of the built model, so the count is an upper bound."""
    monkeypatch.setattr(counts, "counted", lambda *_: counts.Counts(1000, 6000.0, 300.0, 640.0, 10.0))
    usual = task(H100)
    decoder = Decoder(SHAPE, Uncounted(), RoPE())
    workload = attrs.evolve(usual.cell.workload, architecture=decoder)
    own = attrs.evolve(usual, cell=attrs.evolve(usual.cell, workload=workload))
    found = measure(own, observation([0.5] * 4, windows=(Window(0, SECOND),)), nothing_read)
    assert "mfu" not in found.metrics
    assert "causal_train_flops_per_token" in found.missing["mfu"]


@pytest.mark.parametrize(("dtype", "size"), [("float32", 4), ("bfloat16", 2)])
def test_cache_is_priced_in_the_dtype_of_the_task(dtype: str, size: int) -> None:
    """GQA with 2 heads of 16 caches 2 x 2 x 16 elements per layer and token, in the task's dtype."""
    seen = observation([0.5] * 4, windows=(Window(0, SECOND),))
    found = measure(task(H100, dtype), seen, nothing_read)
    assert found.metrics["kv_bytes_per_token"] == SHAPE.layers * 2 * 2 * 16 * size


def test_decoding_is_that_of_the_whole_context() -> None:
    """Of several contexts the longest gives the metrics; its rate is the inverse of its time per token."""
    rows = tuple(map(attrs.asdict, (Decoding(8, 0.5, 0.25, 100), Decoding(32, 2.0, 0.5, 400))))
    seen = attrs.evolve(observation([0.5] * 4, windows=(Window(0, SECOND),)), tables={"decoding": rows})
    found = measure(task(H100), seen, nothing_read).metrics
    expected = {"prefill_s": 2, "decode_s_per_token": 0.5, "decode_tokens_per_s": 2, "cache_bytes": 400}
    assert {name: found[name] for name in expected} == expected


def test_decoding_that_was_not_measured_is_missing() -> None:
    """An engine that measures no decoding gives a reason instead."""
    seen = observation([0.5] * 4, windows=(Window(0, SECOND),))
    missing = measure(task(H100), seen, nothing_read).missing
    assert missing["decode_tokens_per_s"] == "decoding was not measured"


@pytest.mark.parametrize("hardware", [H100, Hardware("some CPU", kind="cpu")], ids=str)
@pytest.mark.parametrize("probe", [nothing_read, lambda start, end: summarise(ramp(0, 20), start, end, {})])
def test_every_metric_has_a_value_or_a_reason(hardware: Hardware, probe: object) -> None:
    """No metric is silently absent, none is both given and missing, none is unknown to the catalogue."""
    seen = observation([1.0] * 4, windows=(Window(0, 4 * SECOND),))
    found = measure(task(hardware), seen, probe)  # type: ignore[arg-type]
    assert set(found.metrics) | set(found.missing) == {
        metric.name for metric in METRICS if metric.is_of("pretraining")
    }
    assert not set(found.metrics) & set(found.missing)
    assert all(found.missing.values())
