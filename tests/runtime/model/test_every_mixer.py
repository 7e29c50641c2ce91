"""What holds for a decoder with any mixer."""

from itertools import pairwise

import pytest
import torch
from effdsl_runtime.model.build import assemble, build
from effdsl_runtime.model.decoder import parameter_count
from effdsl_runtime.model.generate import generate
from effdsl_runtime.model.kernel import use_kernel
from effdsl_runtime.model.loss import CHUNK_ELEMENTS, linear_cross_entropy
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from effdsl.costs import decoder_training_memory
from effdsl.costs.memory import ON_CPU
from effdsl.shapes import Shape
from effdsl.techniques.architecture import Decoder
from effdsl.techniques.attention import GQA, MHA, MLA, MQA, NSA, MoBA
from effdsl.techniques.position import NoPE, RoPE

POSITIONS = pytest.mark.parametrize("position", [RoPE(), NoPE()], ids=str)


@POSITIONS
def test_no_position_sees_a_later_token(lively, attention, position, tokens_bt):
    model = lively(attention, position)
    changed_bt = tokens_bt.clone()
    changed_bt[:, 29:] = (changed_bt[:, 29:] + 1) % model.shape.vocab_size
    with torch.no_grad():
        before, after = model(tokens_bt), model(changed_bt)
    assert_close(before[:, :29], after[:, :29], atol=1e-6, rtol=0)
    assert (before[:, 29] - after[:, 29]).abs().max() > 0.1, "the change must show where it may"


@pytest.mark.slow
@POSITIONS
@pytest.mark.parametrize("cuts", [(1,), (7, 8, 9, 30), (20, 21, 44)], ids=str)
def test_a_context_read_in_parts_with_a_cache_gives_the_logits_of_the_whole(
    lively, attention, position, tokens_bt, cuts
):
    model = lively(attention, position)
    caches = model.new_caches()
    bounds = [0, *cuts, tokens_bt.shape[1]]
    with torch.no_grad():
        parts = [model(tokens_bt[:, a:b], caches) for a, b in pairwise(bounds)]
        assert_close(torch.cat(parts, 1), model(tokens_bt), atol=2e-5, rtol=1e-4)


@pytest.mark.slow
def test_cached_generation_equals_generation_by_the_full_forward(lively, attention, tokens_bt):
    model = lively(attention)
    prompt_bt = tokens_bt[:, :5]
    expected_bt = prompt_bt
    with torch.no_grad():
        for _ in range(40):
            next_b1 = model(expected_bt)[:, -1].argmax(-1, keepdim=True)
            expected_bt = torch.cat((expected_bt, next_b1), 1)
    assert torch.equal(generate(model, prompt_bt, 40), expected_bt)


@pytest.mark.slow
def test_sampling_with_the_same_seed_gives_the_same_text(lively, attention, tokens_bt):
    model = lively(attention)
    twice = [
        generate(model, tokens_bt[:, :3], 20, 0.8, torch.Generator().manual_seed(seed)) for seed in (5, 5, 6)
    ]
    assert torch.equal(twice[0], twice[1])
    assert not torch.equal(twice[0], twice[2])


def test_generation_beyond_the_context_is_refused(lively, tokens_bt):
    with pytest.raises(ValueError, match="65 positions do not fit a context of 64"):
        generate(lively(MQA()), tokens_bt[:, :5], 60)


def test_the_cache_grows_by_the_bytes_the_formula_says(lively, attention, tokens_bt):
    model = lively(attention)
    caches = model.new_caches()
    with torch.no_grad():
        model(tokens_bt[:, :24], caches)
        before = sum(cache.bytes for cache in caches)
        model(tokens_bt[:, 24:48], caches)
    grown = sum(cache.bytes for cache in caches) - before
    per_token = Decoder(model.shape, attention, RoPE()).kv_bytes_per_token("float32")
    assert grown == 2 * 24 * per_token


def test_a_bfloat16_autocast_cache_holds_two_bytes_an_element(lively, attention, tokens_bt):
    model = lively(attention)
    caches = model.new_caches()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        model(tokens_bt[:, :24], caches)
        before = sum(cache.bytes for cache in caches)
        model(tokens_bt[:, 24:48], caches)
    grown = sum(cache.bytes for cache in caches) - before
    assert grown == 2 * 24 * Decoder(model.shape, attention, RoPE()).kv_bytes_per_token("bfloat16")


def test_bfloat16_autocast_stays_near_float32(lively, attention, tokens_bt):
    model = lively(attention)
    exact = model.loss(tokens_bt[:, :-1], tokens_bt[:, 1:])
    with torch.autocast("cpu", torch.bfloat16):
        rounded = model.loss(tokens_bt[:, :-1], tokens_bt[:, 1:])
    assert rounded.dtype == torch.float32
    assert_close(rounded, exact, atol=0.05, rtol=0.02)


def test_the_fast_kernel_and_the_math_kernel_agree_in_value_and_gradient(lively, attention, tokens_bt):
    model = lively(attention)
    found = []
    for kernel in ("sdpa", "math"):
        model.zero_grad()
        with use_kernel(kernel):
            loss = model.loss(tokens_bt[:, :-1], tokens_bt[:, 1:])
            loss.backward()
        found.append((loss.detach(), [p.grad.clone() for p in model.parameters()]))
    assert_close(found[0], found[1], atol=1e-5, rtol=1e-4)


def test_every_parameter_learns(lively, attention, tokens_bt):
    model = lively(attention)
    model.loss(tokens_bt[:, :-1], tokens_bt[:, 1:]).backward()
    still = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []


@pytest.mark.parametrize("chunk", [1, 100, 1 << 20])
def test_the_loss_in_chunks_has_pytorchs_value_and_gradients(chunk, monkeypatch):
    monkeypatch.setitem(CHUNK_ELEMENTS, "cpu", chunk)
    generator = torch.Generator().manual_seed(7)
    x_nd, weight_vd = (torch.randn(n, 16, generator=generator, requires_grad=True) for n in (23, 30))
    targets_n = torch.randint(0, 30, (23,), generator=generator)
    found, expected = [
        (loss.detach(), torch.autograd.grad(3 * loss, (x_nd, weight_vd)))
        for loss in (
            linear_cross_entropy(x_nd, weight_vd, targets_n),
            cross_entropy(x_nd @ weight_vd.T, targets_n),
        )
    ]
    assert_close(found, expected, atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        assert_close(linear_cross_entropy(x_nd, weight_vd, targets_n), expected[0], atol=1e-5, rtol=1e-5)


def test_the_loss_is_the_mean_cross_entropy_of_the_logits(lively, attention, tokens_bt):
    model = lively(attention)
    with torch.no_grad():
        chances = model(tokens_bt[:, :-1]).double().softmax(-1)
        expected = -chances.gather(2, tokens_bt[:, 1:, None]).log().mean()
        assert_close(model.loss(tokens_bt[:, :-1], tokens_bt[:, 1:]).double(), expected, atol=1e-5, rtol=0)


SMALL_SHAPES = st.builds(
    lambda layers, quarter, head_dim, width, vocab: Shape(
        layers=layers,
        hidden_size=8 * width,
        heads=4 * quarter,
        head_dim=head_dim,
        intermediate_size=8 * width + 16,
        vocab_size=vocab,
    ),
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from([8, 16, 32]),
    st.integers(2, 12),
    st.integers(2, 300),
)
TECHNIQUES = st.one_of(
    st.sampled_from([MHA(), MQA(), GQA(), GQA(kv_heads=4)]),
    st.builds(
        MLA,
        kv_rank=st.none() | st.integers(1, 40),
        rope_dim=st.none() | st.integers(1, 9).map(lambda pairs: 2 * pairs),
        nope_dim=st.none() | st.integers(1, 20),
        v_dim=st.none() | st.integers(1, 40),
        q_rank=st.none() | st.integers(1, 30),
    ),
    st.builds(MoBA, kv_heads=st.sampled_from([1, 2, 4]), block=st.integers(1, 20), top_k=st.integers(1, 5)),
    st.builds(
        lambda stride, compress, select, **rest: NSA(
            compress_stride=stride, compress_block=stride * compress, select_block=stride * select, **rest
        ),
        st.integers(1, 5),
        st.integers(1, 3),
        st.integers(1, 4),
        kv_heads=st.sampled_from([1, 2, 4]),
        select_count=st.integers(3, 6),
        window=st.integers(1, 40),
        phi=st.sampled_from(["mean", "linear", "mlp"]),
        shared_kv=st.booleans(),
        gate=st.sampled_from(["linear", "mlp"]),
    ),
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(shape=SMALL_SHAPES, technique=TECHNIQUES, context=st.integers(1, 48))
def test_parameters_and_flops_by_formula_are_those_of_the_built_model(shape, technique, context):
    """Forward and backward, counted by PyTorch's own counter under the math backend."""
    architecture = Decoder(shape, technique.resolve(shape), RoPE())
    with torch.device("meta"):
        model = assemble(architecture, context)
        tokens_bt = torch.zeros(2, context, dtype=torch.long)
    assert parameter_count(model) == architecture.parameters(context)
    with use_kernel("math"), FlopCounterMode(display=False) as counter:
        model.loss(tokens_bt, tokens_bt).backward()
    expected = architecture.train_flops_per_token(context) * tokens_bt.numel()
    assert counter.get_total_flops() == pytest.approx(expected, rel=1e-12)


@pytest.mark.slow
def test_predicted_activations_are_within_a_quarter_of_what_autograd_keeps(attention):
    shape = Shape(2, 128, 4, 32, 352, 300)
    architecture = Decoder(shape, attention, RoPE())
    model = build(architecture, 64, seed=0)
    tokens_bt = torch.zeros(4, 64, dtype=torch.long)
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(x: torch.Tensor) -> torch.Tensor:
        kept[x.untyped_storage().data_ptr()] = x
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        loss = model.loss(tokens_bt, tokens_bt)
    held = sum(x.untyped_storage().nbytes() for place, x in kept.items() if place not in weights)
    loss.backward()
    embedding_gradient = 4 * shape.vocab_size * shape.hidden_size
    predicted = decoder_training_memory(architecture, 4, 64, "float32", scheme=ON_CPU)
    assert predicted.activations + embedding_gradient == pytest.approx(held, rel=0.25)
