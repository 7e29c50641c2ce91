"""RWKV-4 against transformers, and what holds for its weighted mean."""

from itertools import pairwise

import pytest
import torch
from effdsl_runtime.model.build import assemble, build
from effdsl_runtime.model.decoder import parameter_count
from effdsl_runtime.model.generate import generate
from effdsl_runtime.model.mixers.rwkv import squared_relu
from effdsl_runtime.model.wkv import continued_wkv, recurrence, wkv
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode
from transformers import RwkvConfig, RwkvForCausalLM
from transformers.models.rwkv.modeling_rwkv import rwkv_linear_attention_cpu

from effdsl.shapes import Shape, reference_parameters
from effdsl.techniques.architecture import RecurrentDecoder
from effdsl.techniques.rwkv import RWKV4, RWKV4Layer

SHAPE = Shape(3, 64, 4, 16, 96, vocab_size=50, norm_eps=1e-5)
ARCHITECTURE = RecurrentDecoder(SHAPE, RWKV4Layer())
TIME = {
    "mix_key": "time_mix_key",
    "mix_value": "time_mix_value",
    "mix_receptance": "time_mix_receptance",
    "log_decay": "time_decay",
    "first": "time_first",
    "key.weight": "key.weight",
    "value.weight": "value.weight",
    "receptance.weight": "receptance.weight",
    "out.weight": "output.weight",
}
CHANNEL = {name: TIME[name] for name in ("mix_key", "mix_receptance")} | {
    name: name for name in ("key.weight", "receptance.weight", "value.weight")
}
PARTS = {"time.": ("attention.", TIME), "channel.": ("feed_forward.", CHANNEL)}
NORMS = {"time_norm.": "ln1.", "channel_norm.": "ln2."}


def as_transformers(ours: dict[str, Tensor]) -> dict[str, Tensor]:
    """Our tensors by the names, and in the shapes, of transformers."""
    theirs = {"rwkv.embeddings.weight": ours["embedding.weight"], "head.weight": ours["output.weight"]}
    for kind in ("weight", "bias"):
        theirs["rwkv.blocks.0.pre_ln." + kind] = ours["stem.norm." + kind]
        theirs["rwkv.ln_out." + kind] = ours["norm." + kind]
    for i in range(SHAPE.layers):
        here, there = f"blocks.{i}.", f"rwkv.blocks.{i}."
        for norm, other in NORMS.items():
            theirs |= {there + other + kind: ours[here + norm + kind] for kind in ("weight", "bias")}
        for part, (other, names) in PARTS.items():
            for mine, name in names.items():
                tensor = ours[here + part + mine]
                theirs[there + other + name] = tensor.view(1, 1, -1) if "mix" in mine else tensor
    return theirs


def oracle() -> RwkvForCausalLM:
    return RwkvForCausalLM(
        RwkvConfig(
            vocab_size=SHAPE.vocab_size,
            hidden_size=SHAPE.hidden_size,
            num_hidden_layers=SHAPE.layers,
            rescale_every=0,
        )
    )


def inputs(tokens: int, seed: int = 0, spread: float = 3.0) -> list[Tensor]:
    """Keys, values, the logarithm of the decay, and what a token's own weight has more."""
    generator = torch.Generator().manual_seed(seed)
    k_btd, v_btd = (torch.randn(2, tokens, 12, generator=generator) for _ in range(2))
    return [k_btd * spread, v_btd, torch.linspace(-5, 3, 12), torch.randn(12, generator=generator)]


def test_logits_and_gradients_are_those_of_transformers(alive, tokens_bt):
    ours, theirs = alive(ARCHITECTURE), oracle()
    weights = as_transformers({name: p.detach() for name, p in ours.named_parameters()})
    theirs.load_state_dict(weights)
    assert_close(ours(tokens_bt), theirs(tokens_bt, use_cache=False).logits, atol=1e-5, rtol=1e-5)
    ours.loss(tokens_bt[:, :-1], tokens_bt[:, 1:]).backward()
    theirs(tokens_bt, labels=tokens_bt, use_cache=False).loss.backward()
    found = as_transformers({name: p.grad for name, p in ours.named_parameters()})
    assert_close(found, {n: p.grad for n, p in theirs.named_parameters()}, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("tokens", [2, 3, 16, 17, 50])
def test_the_weighted_mean_and_its_gradients_are_those_of_transformers_loop(tokens):
    leaves = [x.requires_grad_() for x in inputs(tokens)]
    slope_btd = torch.randn(2, tokens, 12, generator=torch.Generator().manual_seed(1))
    k, v, log_decay, first = leaves
    ours = wkv(k, v, log_decay.exp(), first)
    theirs = rwkv_linear_attention_cpu(log_decay, first, k, v)[0]
    assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    found, expected = (torch.autograd.grad(out, leaves, slope_btd) for out in (ours, theirs))
    assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_a_sequence_alone_has_the_mean_and_the_gradients_that_it_has_in_a_batch():
    k, v, log_decay, first = inputs(20)
    slope_btd = torch.randn(2, 20, 12, generator=torch.Generator().manual_seed(1))
    found = []
    for rows in (slice(0, 1), slice(0, 2)):
        leaves = [k[rows].clone().requires_grad_(), v[rows].clone().requires_grad_()]
        out = wkv(*leaves, log_decay.exp(), first)
        found.append([each[:1] for each in (out, *torch.autograd.grad(out, leaves, slope_btd[rows]))])
    assert_close(found[0], found[1], atol=1e-6, rtol=1e-5)


def brute_force(k_btd: Tensor, v_btd: Tensor, decay_d: Tensor, first_d: Tensor) -> Tensor:
    """Eq. 16 as printed, in float64: every token's weights, normalised by a softmax."""
    k_btd, v_btd, decay_d, first_d = (x.double() for x in (k_btd, v_btd, decay_d, first_d))
    out = []
    for t in range(k_btd.shape[1]):
        age_t1 = torch.arange(t - 1, -1, -1).unsqueeze(1)
        exponents = torch.cat((k_btd[:, :t] - age_t1 * decay_d, k_btd[:, t : t + 1] + first_d), 1)
        out.append((exponents.softmax(1) * v_btd[:, : t + 1]).sum(1))
    return torch.stack(out, 1)


@pytest.mark.parametrize("spread", [0.1, 3.0, 100.0])
def test_the_weighted_mean_is_that_of_the_papers_equation_whatever_the_size_of_the_keys(spread):
    """Within what rounding an exponent of that size to float32 does to its weight."""
    k, v, log_decay, first = inputs(60, spread=spread)
    found = wkv(k, v, log_decay.exp(), first)
    tolerance = max(1e-5, 5e-6 * spread)
    assert_close(found.double(), brute_force(k, v, log_decay.exp(), first), atol=tolerance, rtol=1e-4)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.lists(st.integers(1, 39), max_size=3), st.integers(0, 100))
def test_the_weighted_mean_read_in_parts_is_that_of_the_whole(tokens, cuts, seed):
    k, v, log_decay, first = inputs(tokens, seed)
    bounds = sorted({0, tokens, *(cut for cut in cuts if cut < tokens)})
    state, parts = None, []
    for a, b in pairwise(bounds):
        out, state = continued_wkv(k[:, a:b], v[:, a:b], log_decay.exp(), first, state)
        parts.append(out)
    assert_close(torch.cat(parts, 1), wkv(k, v, log_decay.exp(), first), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("tokens", [1, 2, 9, 10, 37])
def test_the_recurrence_in_chunks_is_the_one_step_by_step(tokens):
    keep, add = torch.rand(tokens, 2, 5), torch.randn(tokens, 3, 2, 5)
    x = torch.randn(3, 2, 5)
    expected = [x]
    for t in range(tokens):
        x = keep[t] * x + add[t]
        expected.append(x)
    assert_close(recurrence(keep, add, expected[0]), torch.stack(expected), atol=1e-6, rtol=1e-5)


def test_the_gradient_of_the_squared_relu_is_that_of_finite_differences():
    x = torch.randn(5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    assert torch.autograd.gradcheck(squared_relu, x.requires_grad_())


def test_no_position_sees_a_later_token(alive, tokens_bt):
    model = alive(ARCHITECTURE)
    changed_bt = tokens_bt.clone()
    changed_bt[:, 29:] = (changed_bt[:, 29:] + 1) % SHAPE.vocab_size
    with torch.no_grad():
        before, after = model(tokens_bt), model(changed_bt)
    assert_close(before[:, :29], after[:, :29], atol=1e-6, rtol=0)
    assert (before[:, 29] - after[:, 29]).abs().max() > 0.1


@pytest.mark.parametrize("cuts", [tuple(range(1, 50)), (7, 8, 9, 30), (20, 21, 44)], ids=len)
def test_a_context_read_in_parts_with_a_state_gives_the_logits_of_the_whole(alive, tokens_bt, cuts):
    model = alive(ARCHITECTURE)
    caches = model.new_caches()
    with torch.no_grad():
        parts = [model(tokens_bt[:, a:b], caches) for a, b in pairwise([0, *cuts, 50])]
        assert_close(torch.cat(parts, 1), model(tokens_bt), atol=2e-5, rtol=1e-4)


def test_cached_generation_equals_generation_by_the_full_forward(alive, tokens_bt):
    model = alive(ARCHITECTURE)
    expected_bt = tokens_bt[:, :5]
    with torch.no_grad():
        for _ in range(20):
            expected_bt = torch.cat((expected_bt, model(expected_bt)[:, -1:].argmax(-1)), 1)
    assert torch.equal(generate(model, tokens_bt[:, :5], 20), expected_bt)


@pytest.mark.parametrize(("tokens", "dtype"), [(1, "float32"), (40, "float32"), (40, "bfloat16")])
def test_the_state_has_the_bytes_that_the_formula_says_however_long_the_text(alive, tokens_bt, tokens, dtype):
    model = alive(ARCHITECTURE)
    caches = model.new_caches()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
        model(tokens_bt[:, :tokens], caches)
    assert sum(cache.bytes for cache in caches) == len(tokens_bt) * ARCHITECTURE.state_bytes(dtype)
    assert ARCHITECTURE.kv_bytes_per_token(dtype) == 0


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(st.integers(1, 3), st.integers(1, 9), st.integers(2, 60), st.integers(1, 30))
def test_parameters_and_flops_by_formula_are_those_of_the_built_model(layers, eights, vocabulary, context):
    """The weighted mean has no matrix product, so PyTorch's counter leaves out its 30 per channel."""
    shape = Shape(layers, 8 * eights, 1, 8, 8, vocabulary)
    architecture = RecurrentDecoder(shape, RWKV4Layer())
    with torch.device("meta"):
        model = assemble(architecture, context)
        tokens_bt = torch.zeros(2, context, dtype=torch.long)
    assert parameter_count(model) == architecture.parameters(context)
    with FlopCounterMode(display=False) as counter:
        model.loss(tokens_bt, tokens_bt).backward()
    products = architecture.train_flops_per_token(context) - 30 * shape.hidden_size * layers
    assert counter.get_total_flops() == pytest.approx(products * tokens_bt.numel(), rel=1e-12)


def test_parameters_are_those_of_transformers():
    expected = sum(p.numel() for p in oracle().parameters())
    assert ARCHITECTURE.parameters(64) == expected


def test_bfloat16_autocast_stays_near_float32(alive, tokens_bt):
    model = alive(ARCHITECTURE)
    exact = model.loss(tokens_bt[:, :-1], tokens_bt[:, 1:])
    with torch.autocast("cpu", torch.bfloat16):
        rounded = model.loss(tokens_bt[:, :-1], tokens_bt[:, 1:])
    rounded.backward()
    assert_close(rounded, exact, atol=0.05, rtol=0.02)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_a_few_steps_on_one_batch_reduce_the_loss(tokens_bt):
    model = build(ARCHITECTURE, 64, seed=0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        loss = model.loss(tokens_bt[:, :-1], tokens_bt[:, 1:])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_every_parameter_learns(alive, tokens_bt):
    model = alive(ARCHITECTURE)
    model.loss(tokens_bt[:, :-1], tokens_bt[:, 1:]).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_decays_mixings_and_norms_start_as_transformers_start_them():
    """All but ``first``, which transformers sets to one, against the ramp of its own source."""
    ours = as_transformers(dict(build(ARCHITECTURE, 64, seed=0).named_parameters()))
    theirs = dict(oracle().named_parameters())
    names = [n for n in theirs if "mix" in n or "decay" in n or "ln" in n]
    assert len(names) == SHAPE.layers * (6 + 4) + 4
    for name in names:
        assert_close(ours[name], theirs[name], msg=name)


def test_a_tokens_own_weight_starts_at_three_tenths_in_a_zigzag():
    first_d = build(ARCHITECTURE, 64, seed=0).blocks[1].time.first.exp()
    expected = torch.tensor([0.3, 0.3 * 2.718281828**0.5, 0.3 * 2.718281828**-0.5])
    assert_close(first_d[:3], expected)
    assert_close(first_d[3:6], expected)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_predicted_activations_are_within_a_tenth_of_what_autograd_keeps(kept_bytes, dtype):
    shape = Shape(3, 128, 4, 32, 352, 300)
    architecture = RecurrentDecoder(shape, RWKV4Layer())
    element = 4 if dtype == "float32" else 2
    predicted = 4 * 64 * architecture.activation_bytes_per_token(64, element)
    assert predicted == pytest.approx(kept_bytes(architecture, dtype), rel=0.1)


def test_the_decoder_is_as_deep_as_brings_it_nearest_to_the_transformer():
    shape = Shape(8, 256, 8, 32, 672, 2048)
    chosen = RWKV4().assemble(shape, RWKV4().usual())
    assert chosen.shape.hidden_size == shape.hidden_size
    assert chosen.shape.norm_eps == 1e-5
    half_a_layer = RWKV4Layer().parameters(chosen.shape) / 2
    assert chosen.parameters(64) == pytest.approx(reference_parameters(shape), abs=half_a_layer)
