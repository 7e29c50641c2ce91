"""Mixtures of experts: against transformers' Mixtral, in their limits, and by their closed forms."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from effdsl_runtime.model.build import build
from effdsl_runtime.model.decoder import DecoderLM, parameter_count
from effdsl_runtime.model.experts import Experts
from effdsl_runtime.model.feed_forward import Routing, SwiGLUModule, feed_forward
from effdsl_runtime.model.generate import generate
from effdsl_runtime.model.grouped_matmul import grouped_product
from effdsl_runtime.model.kernel import use_kernel
from effdsl_runtime.model.routing import balance_loss, balance_penalty
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode
from transformers import MixtralConfig
from transformers.models.mixtral.modeling_mixtral import MixtralSparseMoeBlock, load_balancing_loss_func

from effdsl.costs import decoder_training_memory
from effdsl.shapes import Shape
from effdsl.techniques.architecture import Decoder, ParallelDecoder
from effdsl.techniques.attention import GQA, MHA, MLA
from effdsl.techniques.feed_forward import ISO_FLOP, MoE
from effdsl.techniques.feed_forward import SwiGLU as Dense
from effdsl.techniques.position import RoPE

SHAPE = Shape(layers=2, hidden_size=64, heads=4, head_dim=16, intermediate_size=96, vocab_size=50)
TECHNIQUES = pytest.mark.parametrize(
    "technique", [MoE(), MoE(expert_width=ISO_FLOP), MoE(experts=5, top_k=3, expert_width=20)], ids=str
)


def livened(module: torch.nn.Module, seed: int = 1) -> None:
    """Weights large enough that every part shows in the output."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        with torch.no_grad():
            scale = parameter.shape[-1] ** -0.5 if parameter.dim() > 1 else 1.0
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale)


def layer(technique: MoE, seed: int = 1) -> Experts:
    module = feed_forward(technique.resolve(SHAPE), SHAPE)
    assert isinstance(module, Experts)
    livened(module, seed)
    return module


@pytest.fixture
def model() -> Callable[..., DecoderLM]:
    def built(technique: MoE, attention: MHA | GQA | MLA = GQA()) -> DecoderLM:  # noqa: B008
        decoder = Decoder(SHAPE, attention.resolve(SHAPE), RoPE(), technique.resolve(SHAPE))
        lively = build(decoder, 64, seed=0)
        livened(lively)
        return lively

    return built


@pytest.fixture
def x_btd() -> Tensor:
    return torch.randn(3, 40, SHAPE.hidden_size, generator=torch.Generator().manual_seed(3))


def mixtral(ours: Experts) -> MixtralSparseMoeBlock:
    """The block of transformers with the weights of ``ours``."""
    experts, width, hidden_size = ours.gate.weight.shape
    config = MixtralConfig(
        hidden_size=hidden_size,
        intermediate_size=width,
        num_local_experts=experts,
        num_experts_per_tok=ours.top_k,
    )
    config._experts_implementation = "eager"
    theirs = MixtralSparseMoeBlock(config)
    theirs.load_state_dict(as_mixtral({name: p.detach() for name, p in ours.named_parameters()}))
    return theirs


def as_mixtral(ours: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        "gate.weight": ours["router.weight"],
        "experts.gate_up_proj": torch.cat((ours["gate.weight"], ours["up.weight"]), 1),
        "experts.down_proj": ours["down.weight"],
    }


@TECHNIQUES
def test_output_balance_and_every_gradient_equal_mixtrals(technique: MoE, x_btd: Tensor) -> None:
    """The sum of a random projection of the output and the balance loss, differentiated in both."""
    ours, slope_btd = layer(technique), torch.randn(x_btd.shape, generator=torch.Generator().manual_seed(4))
    theirs = mixtral(ours)
    here_btd, there_btd = (x_btd.clone().requires_grad_() for _ in range(2))
    routings: list[Routing] = []
    found, expected = ours(here_btd, routings), theirs(there_btd)
    assert_close(found, expected, atol=3e-6, rtol=1e-5)
    balance = balance_loss(routings[0])
    logits_ne = theirs.gate(there_btd)[0]
    their_balance = load_balancing_loss_func((logits_ne,), technique.experts, technique.top_k)
    assert_close(balance, their_balance, atol=1e-6, rtol=1e-6)
    ((found * slope_btd).sum() + balance).backward()
    ((expected * slope_btd).sum() + their_balance).backward()
    assert_close(here_btd.grad, there_btd.grad, atol=1e-5, rtol=1e-4)
    gradients = as_mixtral({name: p.grad for name, p in ours.named_parameters()})
    assert_close(gradients, {name: p.grad for name, p in theirs.named_parameters()}, atol=3e-5, rtol=1e-4)


@TECHNIQUES
def test_identical_experts_are_one_dense_layer(technique: MoE, x_btd: Tensor) -> None:
    """Whatever the router says, because the weights of a token's experts add up to one."""
    ours = layer(technique)
    dense = SwiGLUModule(SHAPE.hidden_size, technique.resolve(SHAPE).width())
    livened(dense)
    with torch.no_grad():
        for name in ("gate", "up", "down"):
            getattr(ours, name).weight.copy_(
                getattr(dense, name).weight.expand_as(getattr(ours, name).weight)
            )
        assert_close(ours(x_btd), dense(x_btd), atol=3e-6, rtol=1e-5)


def test_all_experts_with_an_undecided_router_are_their_mean(x_btd: Tensor) -> None:
    ours = layer(MoE(experts=4, top_k=4))
    with torch.no_grad():
        ours.router.weight.zero_()
        outputs = []
        for e in range(4):
            dense = SwiGLUModule(SHAPE.hidden_size, SHAPE.intermediate_size)
            for name in ("gate", "up", "down"):
                getattr(dense, name).weight.copy_(getattr(ours, name).weight[e])
            outputs.append(dense(x_btd))
        assert_close(ours(x_btd), torch.stack(outputs).mean(0), atol=3e-6, rtol=1e-5)


def test_every_token_is_computed_by_its_experts_even_when_all_choose_the_same(x_btd: Tensor) -> None:
    """120 tokens that agree on two of eight experts: both compute 120, the others none; none is dropped."""
    ours, routings = layer(MoE()), []
    with torch.no_grad():
        ours.router.weight.zero_()
        ours.router.weight[[2, 5]] = 1.0
        same_btd = x_btd.abs()
        out_btd = ours(same_btd, routings)
        assert routings[0].computed_e.tolist() == [0, 0, 120, 0, 0, 120, 0, 0]
        assert_close(out_btd, mixtral(ours)(same_btd), atol=3e-6, rtol=1e-5)


@pytest.mark.parametrize(("top_k", "even"), [(2, 2.0), (3, 3.0)])
def test_the_balance_of_even_routing_is_top_k_and_of_the_most_uneven_the_number_of_experts(
    top_k: int, even: float
) -> None:
    sure_ne = torch.zeros(6, 6)
    sure_ne[:, 0] = 1.0
    evenly = Routing(torch.full((6, 6), 1 / 6), torch.zeros(6, top_k), torch.full((6,), top_k), 0.1)
    unevenly = Routing(sure_ne, torch.zeros(6, top_k), torch.tensor([6, 6, 0, 0, 0, 0]), 0.1)
    assert balance_loss(evenly).item() == pytest.approx(even)
    assert balance_loss(unevenly).item() == pytest.approx(6.0)
    assert balance_penalty([evenly, unevenly]).item() == pytest.approx(0.1 * (even + 6) / 2)
    assert balance_penalty([]) == 0.0


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 5), min_size=1, max_size=6).filter(any),
    width=st.integers(1, 9),
    out=st.integers(1, 9),
)
def test_a_grouped_product_has_the_value_and_gradients_of_products_one_by_one(
    sizes: list[int], width: int, out: int
) -> None:
    """Groups of any size, empty ones among them, in float64."""
    generator = torch.Generator().manual_seed(0)
    x_ni = torch.randn(sum(sizes), width, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(len(sizes), out, width, generator=generator, dtype=torch.float64, requires_grad=True)
    expert_n = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    expected = (x_ni[:, None, :] @ weight[expert_n].mT).squeeze(1)
    found = grouped_product(x_ni, weight, torch.tensor(sizes).cumsum(0).int())
    slope = torch.randn(found.shape, generator=generator, dtype=torch.float64)
    assert_close(found, expected)
    assert_close(
        torch.autograd.grad(found, (x_ni, weight), slope),
        torch.autograd.grad(expected, (x_ni, weight), slope),
    )


SMALL = st.builds(
    lambda layers, width, extra: Shape(layers, 8 * width, 2, 8, 8 * width + 8 * extra, 60),
    st.integers(1, 2),
    st.integers(2, 6),
    st.integers(1, 8),
)
MIXTURES = st.integers(2, 6).flatmap(
    lambda experts: st.builds(
        MoE,
        experts=st.just(experts),
        top_k=st.integers(2, experts),
        expert_width=st.none() | st.just(ISO_FLOP) | st.integers(1, 40),
    )
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(shape=SMALL, technique=MIXTURES, context=st.integers(1, 30))
def test_parameters_and_flops_by_formula_are_those_of_the_built_model(
    shape: Shape, technique: MoE, context: int
) -> None:
    """Forward and backward, counted by PyTorch's own counter, however the tokens are split."""
    for kind in (Decoder, ParallelDecoder):
        architecture = kind(shape, MHA().resolve(shape), RoPE(), technique.resolve(shape))
        model = build(architecture, context, seed=0)
        tokens_bt = torch.arange(2 * context).view(2, context) % 60
        assert parameter_count(model) == architecture.parameters(context)
        with use_kernel("math"), FlopCounterMode(display=False) as counter:
            model.loss(tokens_bt, tokens_bt).backward()
        expected = architecture.train_flops_per_token(context) * tokens_bt.numel()
        assert counter.get_total_flops() == pytest.approx(expected, rel=1e-12)


@TECHNIQUES
def test_active_parameters_are_those_a_token_has_a_gradient_in(technique: MoE, x_btd: Tensor) -> None:
    """One token differentiates its experts and the router, no other parameter."""
    ours = layer(technique)
    ours(x_btd[:1, :1]).sum().backward()
    touched = sum(int((p.grad.flatten(1).abs().sum(1) > 0).sum()) * p[0].numel() for p in
                  (ours.gate.weight, ours.up.weight, ours.down.weight))  # fmt: skip
    resolved = technique.resolve(SHAPE)
    assert touched + ours.router.weight.numel() == resolved.active_parameters(SHAPE)


@TECHNIQUES
def test_predicted_activations_are_within_a_tenth_of_what_autograd_keeps(technique: MoE) -> None:
    """Of the layer by itself, its input left out, in float32."""
    shape = Shape(2, 128, 4, 32, 352, 300)
    resolved = technique.resolve(shape)
    module = feed_forward(resolved, shape)
    livened(module)
    x_btd = torch.randn(4, 64, 128, requires_grad=True)
    own = {p.untyped_storage().data_ptr() for p in (*module.parameters(), x_btd)}
    kept: dict[int, Tensor] = {}

    def keep(x: Tensor) -> Tensor:
        kept[x.untyped_storage().data_ptr()] = x
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        out = module(x_btd, [])
    held = sum(x.untyped_storage().nbytes() for place, x in kept.items() if place not in own)
    out.sum().backward()
    assert 4 * 256 * resolved.activations_per_token(shape) == pytest.approx(held, rel=0.1)


def test_the_predicted_memory_of_a_mixture_counts_the_weights_of_all_experts() -> None:
    dense, sparse = (
        Decoder(SHAPE, GQA(), RoPE(), technique.resolve(SHAPE)) for technique in (Dense(), MoE())
    )
    more = 4 * (sparse.parameters(64) - dense.parameters(64))
    predicted = [decoder_training_memory(decoder, 2, 64, "float32") for decoder in (dense, sparse)]
    assert predicted[1].weights - predicted[0].weights == more
    assert predicted[1].optimizer - predicted[0].optimizer == 2 * more


@pytest.mark.parametrize("attention", [GQA(), MLA()], ids=str)
def test_no_position_sees_a_later_token(model: Callable[..., DecoderLM], attention: GQA | MLA) -> None:
    """Tokens are routed one by one: a changed suffix changes nothing before it."""
    lively, tokens_bt = model(MoE(), attention), torch.arange(100).view(2, 50) % 50
    changed_bt = tokens_bt.clone()
    changed_bt[:, 29:] = (changed_bt[:, 29:] + 1) % 50
    with torch.no_grad():
        before, after = lively(tokens_bt), lively(changed_bt)
    assert_close(before[:, :29], after[:, :29], atol=1e-6, rtol=0)
    assert (before[:, 29] - after[:, 29]).abs().max() > 0.1


@pytest.mark.parametrize("cuts", [(1,), (7, 8, 9, 30)], ids=str)
def test_a_context_read_in_parts_with_a_cache_gives_the_logits_of_the_whole(
    model: Callable[..., DecoderLM], cuts: tuple[int, ...]
) -> None:
    lively, tokens_bt = model(MoE()), torch.arange(100).view(2, 50) % 50
    caches = lively.new_caches()
    with torch.no_grad():
        parts = [lively(tokens_bt[:, a:b], caches) for a, b in pairwise([0, *cuts, 50])]
        assert_close(torch.cat(parts, 1), lively(tokens_bt), atol=2e-5, rtol=1e-4)


def test_generation_token_by_token_equals_the_full_forward(model: Callable[..., DecoderLM]) -> None:
    lively, prompt_bt = model(MoE(expert_width=ISO_FLOP)), torch.arange(10).view(2, 5)
    expected_bt = prompt_bt
    with torch.no_grad():
        for _ in range(20):
            next_b1 = lively(expected_bt)[:, -1].argmax(-1, keepdim=True)
            expected_bt = torch.cat((expected_bt, next_b1), 1)
    assert torch.equal(generate(lively, prompt_bt, 20), expected_bt)


@TECHNIQUES
def test_bfloat16_autocast_stays_near_float32_in_loss_and_gradient(
    model: Callable[..., DecoderLM], technique: MoE
) -> None:
    lively, tokens_bt = model(technique), torch.arange(100).view(2, 50) % 50
    exact = lively.loss(tokens_bt, tokens_bt)
    exact.backward()
    expected = torch.cat([p.grad.flatten() for p in lively.parameters()])
    lively.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        rounded = lively.loss(tokens_bt, tokens_bt)
    rounded.backward()
    found = torch.cat([p.grad.flatten() for p in lively.parameters()])
    assert rounded.dtype == torch.float32
    assert_close(rounded, exact, atol=0.05, rtol=0.02)
    assert torch.cosine_similarity(found, expected, dim=0) > 0.95


def test_every_parameter_of_used_experts_learns_and_so_does_the_router(
    model: Callable[..., DecoderLM],
) -> None:
    lively, tokens_bt = model(MoE()), torch.arange(100).view(2, 50) % 50
    routings: list[Routing] = []
    lively.loss(tokens_bt, tokens_bt, routings).backward()
    for block, routing in zip(lively.blocks, routings, strict=True):
        used_e = routing.computed_e > 0
        assert block.feed_forward.router.weight.grad.any()
        for linear in (block.feed_forward.gate, block.feed_forward.up, block.feed_forward.down):
            assert torch.equal(linear.weight.grad.flatten(1).any(1), used_e)


def test_an_expert_starts_the_same_among_more_experts_and_no_two_start_equal() -> None:
    """Router rows and experts of a seed; everything else starts as in the dense model."""
    few, many, dense = (
        build(Decoder(SHAPE, GQA(), RoPE(), technique.resolve(SHAPE)), 64, seed=0)
        for technique in (MoE(experts=4), MoE(experts=8), Dense())
    )
    for name in ("gate", "up", "down"):
        weights = [getattr(m.blocks[1].feed_forward, name).weight for m in (few, many)]
        assert torch.equal(weights[0], weights[1][:4])
        assert len({tuple(expert[0, :4].tolist()) for expert in weights[1]}) == 8
        residual = name == "down"
        assert weights[1].std().item() == pytest.approx(0.01 if residual else 0.02, rel=0.02)
    theirs = dict(many.named_parameters())
    outside = [(n, p) for n, p in dense.named_parameters() if ".feed_forward." not in n]
    assert all(torch.equal(parameter, theirs[name]) for name, parameter in outside)


@pytest.mark.parametrize(("dtype", "atol"), [(torch.float32, 1e-5), (torch.bfloat16, 0.05)], ids=str)
def test_pytorchs_grouped_product_that_gpus_use_agrees_with_ours(dtype: torch.dtype, atol: float) -> None:
    """In value and gradients, with an expert that has no row; called as on a GPU, but on the CPU."""
    generator = torch.Generator().manual_seed(0)
    x_ni = torch.randn(40, 16, generator=generator).to(dtype).requires_grad_()
    weight = torch.randn(4, 24, 16, generator=generator).to(dtype).requires_grad_()
    slope = torch.randn(40, 24, generator=generator).to(dtype)
    ends_e = torch.tensor([7, 7, 30, 40], dtype=torch.int32)
    theirs = torch.nn.functional.grouped_mm(x_ni, weight.transpose(1, 2), offs=ends_e)
    ours = grouped_product(x_ni, weight, ends_e)
    assert_close(ours, theirs, atol=atol, rtol=1e-2)
    gradients = [torch.autograd.grad(out, (x_ni, weight), slope) for out in (ours, theirs)]
    assert_close(gradients[0], gradients[1], atol=atol, rtol=1e-2)


@pytest.mark.parametrize("sizes", [[1, 40, 0, 23], [0, 0, 64, 0], [33, 31, 32, 32]])
def test_rows_of_experts_in_bfloat16_are_multiplied_by_their_own_expert_alone(sizes: list[int]) -> None:
    """Against float32, expert by expert; on a CPU products take more rows than an expert has."""
    draws = torch.Generator().manual_seed(0)
    x_ni = torch.randn(sum(sizes), 16, generator=draws).bfloat16().requires_grad_()
    weight_eoi = torch.randn(4, 24, 16, generator=draws).bfloat16().requires_grad_()
    slope_no = torch.randn(sum(sizes), 24, generator=draws).bfloat16()
    ends_e = torch.tensor(sizes).cumsum(0).int()
    grouped = grouped_product(x_ni, weight_eoi, ends_e)
    rows = zip(torch.split(x_ni.float(), sizes), weight_eoi.float(), strict=True)
    alone = torch.cat([x_ri @ weight_oi.T for x_ri, weight_oi in rows])
    assert_close(grouped.float(), alone, rtol=0.02, atol=0.05)
    ours = torch.autograd.grad(grouped, (x_ni, weight_eoi), slope_no)
    theirs = torch.autograd.grad(alone, (x_ni, weight_eoi), slope_no.float())
    for mine, other in zip(ours, theirs, strict=True):
        assert_close(mine, other, rtol=0.02, atol=0.1)
