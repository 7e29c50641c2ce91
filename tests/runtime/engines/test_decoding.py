"""Decoding is measured over the tokens it says, and the caches weigh what the closed forms say."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, cast

import attrs
import pytest
import torch
from effdsl_runtime.engines import decoding
from effdsl_runtime.engines.decoding import contexts, measure_decoding
from effdsl_runtime.model.build import build
from effdsl_runtime.model.decoder import DecoderLM
from hypothesis import given
from hypothesis import strategies as st

from effdsl.shapes import Shape
from effdsl.techniques.architecture import Architecture, Decoder
from effdsl.techniques.attention import GQA, NSA
from effdsl.techniques.backbone import BackboneTechnique, Parts, Transformer
from effdsl.techniques.position import RoPE
from effdsl.techniques.technique import AttentionTechnique, FeedForwardTechnique, PositionTechnique, Technique

SHAPE = Shape(layers=2, hidden_size=64, heads=4, head_dim=16, intermediate_size=96, vocab_size=50)
MILLISECOND = 10**6


class Clock:
    """A clock that only the model moves: a token costs a millisecond, the first pass ten times as much."""

    def __init__(self, model: DecoderLM, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.plain = 0, model.hidden
        self.tokens: list[tuple[int, int]] = []
        monkeypatch.setattr(model, "hidden", self.hidden)
        monkeypatch.setattr(decoding.time, "perf_counter_ns", lambda: self.now)

    def hidden(self, tokens_bt: torch.Tensor, caches: list[Any]) -> torch.Tensor:
        cost = MILLISECOND if self.tokens else 10 * MILLISECOND
        self.tokens.append((caches[0].length, tokens_bt.shape[1]))
        self.now += cost * tokens_bt.shape[1]
        return self.plain(tokens_bt, caches)


def architecture() -> Architecture:
    return Decoder(SHAPE, GQA().resolve(SHAPE), RoPE())


def text(tokens: int) -> torch.Tensor:
    return torch.randint(0, SHAPE.vocab_size, (1, tokens), generator=torch.Generator().manual_seed(0))


@given(st.integers(1, 10_000))
def test_a_quarter_half_and_all_of_the_context_are_measured(context_length: int) -> None:
    """Ascending, rounded up, the whole context last; one token leaves no room to read and continue."""
    found = contexts(context_length)
    assert all(low < high for low, high in pairwise(found))
    assert found[-1:] == ([context_length] if context_length > 1 else [])
    assert set(found) == {n for part in (4, 2, 1) if (n := -(-context_length // part)) > 1}


@pytest.mark.slow
def test_times_are_those_of_the_tokens_they_are_named_after(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that costs a millisecond gives a prefill of one per token of context and a decoding of one
    per new token; the slow first pass is left out."""
    model = build(architecture(), 48, seed=0)
    clock = Clock(model, monkeypatch)
    seen = measure_decoding(model, text(48), "float32")
    assert [row.context for row in seen] == [12, 24, 48]
    assert [row.prefill_s for row in seen] == pytest.approx([0.012, 0.024, 0.048])
    assert [row.decode_s_per_token for row in seen] == pytest.approx([0.001] * 3)
    assert max(before + tokens for before, tokens in clock.tokens) == 48


@pytest.mark.slow
def test_the_caches_weighed_hold_the_whole_context() -> None:
    """Bytes are those of a model that read the same number of tokens at once."""
    model, tokens_1t = build(architecture(), 40, seed=0), text(40)
    for row in measure_decoding(model, tokens_1t, "float32"):
        caches = model.new_caches()
        with torch.no_grad():
            model(tokens_1t[:, : row.context], caches)
        assert row.cache_bytes == sum(cache.bytes for cache in caches)


@pytest.mark.slow
def test_long_measurements_are_repeated_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """No repeat begins after the time limit: 0.3 s a prefill is measured once after its warm-up."""
    model = build(architecture(), 300, seed=0)
    clock = Clock(model, monkeypatch)
    measure_decoding(model, text(300), "float32")
    assert clock.tokens.count((0, 300)) == 2
    assert clock.tokens.count((0, 75)) == 1 + 3


def test_the_clock_is_read_when_the_device_has_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before either reading of the clock the device is waited for."""
    events: list[str] = []
    monkeypatch.setattr(decoding, "synchronise", lambda device: events.append("wait"))
    ticks = iter(range(10**6))

    def read() -> int:
        events.append("read")
        return next(ticks)

    monkeypatch.setattr(decoding.time, "perf_counter_ns", read)
    measure_decoding(build(architecture(), 8, seed=0), text(8), "float32")
    assert events == ["wait", "read"] * (len(events) // 2)
    assert len(events) > 0


@pytest.mark.slow
def test_no_token_is_fetched_from_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop feeds tokens back where they are: fetching one would wait for the device at every step."""

    def fetched(*_: object) -> None:
        raise AssertionError("a value was fetched")

    for name in ("item", "tolist", "numpy", "__int__", "__bool__"):
        monkeypatch.setattr(torch.Tensor, name, fetched)
    assert measure_decoding(build(architecture(), 16, seed=0), text(16), "float32")


@pytest.mark.slow
def test_decoding_in_bfloat16_halves_the_cache() -> None:
    """The cache is in the dtype of the matrix products."""
    model, tokens_1t = build(architecture(), 16, seed=0), text(16)
    exact, rounded = (measure_decoding(model, tokens_1t, dtype) for dtype in ("float32", "bfloat16"))
    assert [row.cache_bytes for row in exact] == [2 * row.cache_bytes for row in rounded]


def concrete(base: type[Technique]) -> Iterator[type[Technique]]:
    """Every technique of an axis that a study can choose, those added later too."""
    for cls in base.__subclasses__():
        yield from concrete(cls)
        if attrs.has(cls):
            yield cls


def architectures() -> dict[str, Architecture]:
    """Of every attention, position, feed-forward part and backbone, at its defaults, by its name."""
    found: dict[str, Architecture] = {}
    for axis in (AttentionTechnique, PositionTechnique, FeedForwardTechnique):
        for cls in concrete(axis):
            parts = Parts(**{axis.axis: cls()})
            found[cls.__name__] = Transformer().assemble(SHAPE, parts)
    for cls in concrete(BackboneTechnique):
        found[cls.__name__] = cast(BackboneTechnique, cls()).assemble(SHAPE, Parts())
    return found


ARCHITECTURES = architectures()


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_measured_cache_bytes_are_those_of_the_closed_form(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the byte, in either dtype, at contexts that fill no block, for every technique there is."""
    monkeypatch.setattr(decoding, "REPEATS", 1)
    model, tokens_1t = build(ARCHITECTURES[name], 75, seed=0), text(75)
    for dtype in ("float32", "bfloat16"):
        found = {row.context: row.cache_bytes for row in measure_decoding(model, tokens_1t, dtype)}
        assert found == {n: ARCHITECTURES[name].cache_bytes(n, dtype) for n in (19, 38, 75)}


@given(st.integers(0, 500))
def test_a_cache_is_its_growth_times_the_context_and_a_part_that_stays(strides: int) -> None:
    """Beside what grows NSA holds its window, and of unfinished blocks the same at every whole stride;
    GQA holds nothing else."""
    sparse = NSA(compress_block=8, compress_stride=4, select_block=8, window=16)
    context = 16 + 4 * strides
    token = 2 * 2 * SHAPE.head_dim * 4
    constants = [
        technique.cache_bytes(SHAPE, context, 4) - context * technique.kv_bytes_per_token(SHAPE, 4)
        for technique in (sparse.resolve(SHAPE), GQA().resolve(SHAPE))
    ]
    assert constants == [token * (16 + (8 - 4) - 1), 0]
