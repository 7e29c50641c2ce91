"""Mamba and Mamba-2 against transformers, against the recurrence step by step, and against their formulas."""

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from effdsl_runtime.model.build import assemble, build
from effdsl_runtime.model.decoder import DecoderLM, parameter_count
from effdsl_runtime.model.dual import dual_scan
from effdsl_runtime.model.generate import generate
from effdsl_runtime.model.scan import selective_scan
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode
from transformers import Mamba2Config, Mamba2ForCausalLM, MambaConfig, MambaForCausalLM

from effdsl.shapes import Shape
from effdsl.techniques.architecture import RecurrentDecoder
from effdsl.techniques.mamba import DUAL_CHUNK, Mamba, Mamba2, MambaLayer

CONTEXT = 200
SHAPE = Shape(layers=2, hidden_size=48, heads=3, head_dim=16, intermediate_size=96, vocab_size=50)
LAYERS = [
    Mamba().layer(SHAPE),
    Mamba(state_size=5, conv_width=3, step_rank=7).layer(SHAPE),
    Mamba2(head_dim=16, state_size=12).layer(SHAPE),
    Mamba2(head_dim=32, state_size=20, conv_width=2).layer(SHAPE),
]


@pytest.fixture(params=LAYERS, ids=str)
def architecture(request) -> RecurrentDecoder:
    return RecurrentDecoder(SHAPE, request.param)


@pytest.fixture
def model(architecture) -> DecoderLM:
    """With weights large enough that every part shows, decays from slow to fast."""
    model = build(architecture, CONTEXT, seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith("A_log"):
                continue
            scale = parameter.shape[-1] ** -0.5 if parameter.dim() > 1 else 0.2
            shift = 1 if "norm" in name or name.endswith(".D") else 0
            parameter.copy_(noise * scale + shift)
    return model


@pytest.fixture
def tokens_bt() -> Tensor:
    return torch.randint(0, SHAPE.vocab_size, (2, 150), generator=torch.Generator().manual_seed(2))


def twin(architecture: RecurrentDecoder) -> nn.Module:
    """transformers' model of the same sizes; its plain PyTorch path, as its kernels are not installed."""
    shape, layer = architecture.shape, architecture.layer
    common = {
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.hidden_size,
        "state_size": layer.state_size,
        "num_hidden_layers": shape.layers,
        "layer_norm_epsilon": shape.norm_eps,
        "conv_kernel": layer.conv_width,
        "expand": 2,
        "use_cache": False,
        "tie_word_embeddings": True,
    }
    if isinstance(layer, MambaLayer):
        return MambaForCausalLM(MambaConfig(**common, time_step_rank=layer.step_rank))
    heads = {
        "num_heads": layer.heads,
        "head_dim": layer.inner // layer.heads,
        "n_groups": 1,
        "chunk_size": 32,
    }
    return Mamba2ForCausalLM(Mamba2Config(**common, **heads))


def renamed(ours: dict[str, Tensor]) -> dict[str, Tensor]:
    """Our tensors by the names and in the layout that transformers gives them."""
    names = {
        "embedding.weight": "backbone.embeddings.weight",
        "norm.weight": "backbone.norm_f.weight",
        "blocks": "backbone.layers",
        "mixer_norm": "norm",
        "mixer.project": "mixer.in_proj",
        "mixer.conv": "mixer.conv1d",
        "mixer.select": "mixer.x_proj",
        "mixer.step.": "mixer.dt_proj.",
        "mixer.step_bias": "mixer.dt_bias",
        "mixer.out": "mixer.out_proj",
    }
    theirs = {}
    for name, value in ours.items():
        there = names.get(name, name)
        for here, other in names.items():
            if not here.endswith("weight") and name.startswith("blocks"):
                there = there.replace(here, other)
        theirs[there] = value.T.unsqueeze(1) if there.endswith("conv1d.weight") else value
    return theirs


@pytest.mark.slow
def test_logits_and_gradients_are_those_of_transformers(architecture, model, tokens_bt):
    theirs = twin(architecture)
    weights = renamed({name: p.detach() for name, p in model.named_parameters()})
    missing, unexpected = theirs.load_state_dict(weights, strict=False)
    assert set(missing) <= {"lm_head.weight"}, "tied to the embedding"
    assert unexpected == []
    tokens_bt = tokens_bt[:, :90]
    assert_close(model(tokens_bt), theirs(tokens_bt).logits, atol=1e-5, rtol=1e-5)
    model.loss(tokens_bt[:, :-1], tokens_bt[:, 1:]).backward()
    theirs(tokens_bt, labels=tokens_bt).loss.backward()
    found = renamed({name: p.grad for name, p in model.named_parameters()})
    expected = {name: p.grad for name, p in theirs.named_parameters()}
    assert_close(found, expected, atol=1e-5, rtol=1e-4)


def recurrence(u_btd, step_btd, A_nd, B_btn, C_btn, D_d, state_bnd):
    """h = exp(delta A) h + delta u B, y = C h + D u: one token after the other."""
    outs = []
    for t in range(u_btd.shape[1]):
        delta_b1d = F.softplus(step_btd[:, t]).unsqueeze(1)
        written = delta_b1d * u_btd[:, t].unsqueeze(1) * B_btn[:, t].unsqueeze(2)
        state_bnd = (delta_b1d * A_nd).exp() * state_bnd + written
        outs.append((C_btn[:, t].unsqueeze(2) * state_bnd).sum(1) + D_d * u_btd[:, t])
    return torch.stack(outs, 1), state_bnd


def recurrence_by_head(x_bti, step_bth, A_h, B_btn, C_btn, D_h, state_bhnp):
    """The same with one step size, decay and D for all channels of a head."""
    size = x_bti.shape[2] // len(A_h)
    A_ni = A_h.repeat_interleave(size).expand(B_btn.shape[2], -1)
    step_bti, D_i = step_bth.repeat_interleave(size, 2), D_h.repeat_interleave(size)
    y_bti, state_bni = recurrence(
        x_bti, step_bti, A_ni, B_btn, C_btn, D_i, state_bhnp.transpose(1, 2).flatten(2)
    )
    return y_bti, state_bni.unflatten(2, (len(A_h), size)).transpose(1, 2)


def scan_inputs(tokens: int, channels: int, steps: int, states: int, decay: float, seed: int, per_head: bool):
    generator = torch.Generator().manual_seed(seed)

    def drawn(*sizes: int) -> Tensor:
        return torch.randn(sizes, generator=generator)

    A = -decay * drawn(*([steps] if per_head else [states, channels])).exp()
    inputs = [
        drawn(2, tokens, channels),
        drawn(2, tokens, steps) - 1,
        A,
        drawn(2, tokens, states),
        drawn(2, tokens, states),
        drawn(steps),
        drawn(2, steps, states, channels // steps) if per_head else drawn(2, states, channels),
    ]
    return [x.requires_grad_() for x in inputs]


def check_scan(scan, stepwise, inputs, gradient_tolerance: float = 1e-5) -> None:
    """Outputs, last state and every gradient, from a state that is not zero, against float64."""
    exact = [x.detach().double().requires_grad_() for x in inputs]
    found, expected = scan(*inputs), stepwise(*exact)
    generator = torch.Generator().manual_seed(9)
    slopes = [torch.randn(x.shape, generator=generator) for x in found]
    gradients = torch.autograd.grad(found, inputs, slopes)
    expected_gradients = torch.autograd.grad(expected, exact, [slope.double() for slope in slopes])
    for tolerance, ours, true in (
        (1e-5, found, expected),
        (gradient_tolerance, gradients, expected_gradients),
    ):
        for x, y in zip(ours, true, strict=True):
            scale = max(1.0, y.detach().abs().max().item())
            assert_close(x.double(), y, atol=tolerance * scale, rtol=tolerance)


@settings(max_examples=15, deadline=None)
@given(tokens=st.integers(1, 70), decay=st.sampled_from([1e-3, 0.1, 3.0, 100.0]), seed=st.integers(0, 99))
def test_the_selective_scan_is_its_recurrence(tokens, decay, seed):
    check_scan(selective_scan, recurrence, scan_inputs(tokens, 6, 6, 3, decay, seed, per_head=False))


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(tokens=st.integers(1, 140), decay=st.sampled_from([1e-3, 0.1, 3.0]), seed=st.integers(0, 99))
def test_the_scan_as_matrix_products_is_its_recurrence(tokens, decay, seed):
    inputs = scan_inputs(tokens, 6, 3, 4, decay, seed, per_head=True)
    check_scan(dual_scan, recurrence_by_head, inputs, gradient_tolerance=1e-4)


def test_no_position_sees_a_later_token(model, tokens_bt):
    changed_bt = tokens_bt.clone()
    changed_bt[:, 77:] = (changed_bt[:, 77:] + 1) % SHAPE.vocab_size
    with torch.no_grad():
        before, after = model(tokens_bt), model(changed_bt)
    assert_close(before[:, :77], after[:, :77], atol=1e-6, rtol=0)
    assert (before[:, 77] - after[:, 77]).abs().max() > 0.1, "the change must show where it may"


@pytest.mark.slow
@pytest.mark.parametrize("cuts", [(1,), (1, 2, 3, 70), (16, 64, 128), (149,)], ids=str)
def test_a_context_read_in_parts_with_a_cache_gives_the_logits_of_the_whole(model, tokens_bt, cuts):
    caches = model.new_caches()
    with torch.no_grad():
        parts = [model(tokens_bt[:, a:b], caches) for a, b in pairwise([0, *cuts, tokens_bt.shape[1]])]
        assert_close(torch.cat(parts, 1), model(tokens_bt), atol=2e-5, rtol=1e-4)


@pytest.mark.slow
def test_cached_generation_equals_generation_by_the_full_forward(model, tokens_bt):
    expected_bt = tokens_bt[:, :5]
    with torch.no_grad():
        for _ in range(30):
            next_b1 = model(expected_bt)[:, -1].argmax(-1, keepdim=True)
            expected_bt = torch.cat((expected_bt, next_b1), 1)
    assert torch.equal(generate(model, tokens_bt[:, :5], 30), expected_bt)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_cache_holds_the_bytes_the_formula_says_however_long_the_context(
    architecture, model, tokens_bt, dtype
):
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
        for tokens in (1, 2, 100):
            caches = model.new_caches()
            model(tokens_bt[:, :tokens], caches)
            assert sum(cache.bytes for cache in caches) == 2 * architecture.state_bytes(dtype)
    assert architecture.kv_bytes_per_token(dtype) == 0


SIZES = st.builds(
    lambda layers, width, vocab: Shape(layers, 16 * width, 1, 16, 32, vocab),
    st.integers(1, 3),
    st.integers(1, 6),
    st.integers(2, 200),
)
BACKBONES = st.one_of(
    st.builds(
        Mamba,
        state_size=st.integers(1, 20),
        conv_width=st.integers(1, 5),
        expand=st.integers(1, 3),
        step_rank=st.none() | st.integers(1, 9),
    ),
    st.builds(
        Mamba2,
        state_size=st.none() | st.integers(1, 40),
        conv_width=st.integers(1, 5),
        expand=st.integers(1, 3),
        head_dim=st.sampled_from([4, 8, 16]),
    ),
)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(shape=SIZES, backbone=BACKBONES, context=st.integers(1, 2 * DUAL_CHUNK + 9))
def test_parameters_and_flops_by_formula_are_those_of_the_built_model(shape, backbone, context):
    """Of Mamba's scan PyTorch counts the 8 per channel and state that are batched matrix products."""
    architecture = RecurrentDecoder(shape, backbone.layer(shape))
    with torch.device("meta"):
        model = assemble(architecture, context)
        tokens_bt = torch.zeros(2, context, dtype=torch.long)
    assert parameter_count(model) == architecture.parameters(context)
    with FlopCounterMode(display=False) as counter:
        model.loss(tokens_bt, tokens_bt).backward()
    expected = architecture.train_flops_per_token(context)
    layer = architecture.layer
    if isinstance(layer, MambaLayer):
        expected -= shape.layers * (27 - 8) * layer.inner * layer.state_size
    assert counter.get_total_flops() == pytest.approx(expected * tokens_bt.numel(), rel=1e-12)


@pytest.mark.parametrize("backbone", [Mamba(), Mamba2(head_dim=32)], ids=str)
def test_predicted_activations_are_within_a_tenth_of_what_autograd_keeps(backbone):
    shape = Shape(2, 128, 4, 32, 352, 100)
    architecture = RecurrentDecoder(shape, backbone.layer(shape))
    model = build(architecture, 128, seed=0)
    tokens_bt = torch.zeros(4, 128, dtype=torch.long)
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, Tensor] = {}

    def keep(x: Tensor) -> Tensor:
        kept[x.untyped_storage().data_ptr()] = x
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        x_btd = model.hidden(tokens_bt)
    held = sum(x.untyped_storage().nbytes() for place, x in kept.items() if place not in weights)
    x_btd.sum().backward()
    predicted = architecture.activation_bytes_per_token(128, 4) - 4 * shape.hidden_size  # the output layer's
    assert predicted * tokens_bt.numel() == pytest.approx(held, rel=0.1)


def test_bfloat16_autocast_stays_near_float32_in_value_and_gradient(model, tokens_bt):
    found = []
    for enabled in (False, True):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            loss = model.loss(tokens_bt[:, :-1], tokens_bt[:, 1:])
        loss.backward()
        found.append((loss.detach(), {name: p.grad for name, p in model.named_parameters()}))
    (exact, gradients), (rounded, others) = found
    assert rounded.dtype == torch.float32
    assert_close(rounded, exact, atol=0.05, rtol=0.02)
    error, whole = (
        torch.cat([gradient.flatten() for gradient in of])
        for of in ([others[name] - gradients[name] for name in gradients], list(gradients.values()))
    )
    assert error.norm() < 0.05 * whole.norm()


@pytest.mark.slow
def test_every_parameter_learns_and_a_few_steps_lower_the_loss(architecture, tokens_bt):
    model = build(architecture, CONTEXT, seed=0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(6):
        loss = model.loss(tokens_bt[:, :-1], tokens_bt[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        still = [name for name, p in model.named_parameters() if not p.grad.any()]
        assert still == []
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.1


def test_state_spaces_start_as_the_papers_say():
    """S4D-real or uniform decays, D of one, steps between 0.001 and 0.1; the rest as everywhere."""
    for layer in (LAYERS[0], LAYERS[2]):
        model = build(RecurrentDecoder(SHAPE, layer), CONTEXT, seed=0)
        mixer = model.blocks[0].mixer
        assert torch.equal(mixer.D, torch.ones_like(mixer.D))
        bias = mixer.step.bias if isinstance(layer, MambaLayer) else mixer.step_bias
        steps = F.softplus(bias)
        assert steps.min() >= 0.99e-3
        assert steps.max() <= 0.101
        decays = mixer.A_log.exp()
        if isinstance(layer, MambaLayer):
            assert_close(decays, torch.arange(1.0, 17).expand(96, 16))
        else:
            assert decays.min() >= 1
            assert decays.max() <= 16
        assert not mixer.conv.bias.any()
        other = build(RecurrentDecoder(SHAPE, layer), CONTEXT, seed=1).blocks[0].mixer
        assert not torch.equal(mixer.conv.weight, other.conv.weight)
