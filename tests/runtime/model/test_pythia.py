"""Pythia's parallel decoder against transformers' GPT-NeoX, and with other attentions and positions."""

from itertools import pairwise

import pytest
import torch
from effdsl_runtime.model.build import assemble, build
from effdsl_runtime.model.decoder import parameter_count
from effdsl_runtime.model.generate import generate
from effdsl_runtime.model.kernel import use_kernel
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from effdsl.shapes import Shape, reference_parameters, shape_for
from effdsl.techniques.architecture import ParallelDecoder
from effdsl.techniques.attention import GQA, MHA, MLA, MQA, NSA
from effdsl.techniques.backbone import Parts, Pythia
from effdsl.techniques.feed_forward import GELU, MoE, SwiGLU
from effdsl.techniques.position import ALiBi, Learned, NoPE, RoPE, Sinusoidal, T5Bias
from effdsl.techniques.technique import AttentionTechnique, FeedForwardTechnique, PositionTechnique
from effdsl.units import B

SHAPE = Shape(2, 64, 4, 16, 96, vocab_size=50)
SPARSE = NSA(window=16, select_block=8, compress_block=8, compress_stride=4, select_count=3)
LINEAR = {"mixer.out": "attention.dense", "feed_forward.up": "mlp.dense_h_to_4h"}
LINEAR |= {"feed_forward.down": "mlp.dense_4h_to_h"}
NORMS = {"mixer_norm": "input_layernorm", "feed_forward_norm": "post_attention_layernorm"}


def pythia(
    attention: AttentionTechnique | None = None,
    position: PositionTechnique | None = None,
    feed_forward: FeedForwardTechnique | None = None,
) -> ParallelDecoder:
    """Two layers of it, with these parts; Pythia's own where none is given."""
    chosen = Pythia().assemble(SHAPE, Parts(attention, position, feed_forward))
    return ParallelDecoder(
        Shape(2, 64, 4, 16, 96, 50, chosen.shape.norm_eps),
        chosen.attention,
        chosen.position,
        chosen.feed_forward,
    )


VARIANTS = [
    pythia(),
    pythia(attention=MQA()),
    pythia(attention=MLA()),
    pythia(attention=SPARSE),
    pythia(attention=MQA(), position=RoPE()),
    *(pythia(position=position) for position in (NoPE(), Sinusoidal(), Learned(), T5Bias(), ALiBi())),
    pythia(attention=MLA(), position=ALiBi()),
    pythia(feed_forward=MoE(experts=4)),
]


def name_of(variant: ParallelDecoder) -> str:
    return f"{variant.attention.label(SHAPE)}-{variant.position}-{variant.feed_forward.label(SHAPE)}"


EVERY_VARIANT = pytest.mark.parametrize("variant", VARIANTS, ids=name_of)


def by_head(parts: Tensor) -> Tensor:
    """Rows of all queries, then all keys, then all values in GPT-NeoX's order: q, k, v of each head."""
    return torch.unflatten(parts, 0, (3, SHAPE.heads, SHAPE.head_dim)).transpose(0, 1).flatten(0, 2)


def as_transformers(ours: dict[str, Tensor]) -> dict[str, Tensor]:
    """Our tensors by the names, and in the order, of GPT-NeoX."""
    theirs = {"gpt_neox.embed_in.weight": ours["embedding.weight"], "lm_head.weight": ours["output.weight"]}
    for kind in ("weight", "bias"):
        theirs["gpt_neox.final_layer_norm." + kind] = ours["norm." + kind]
    for i in range(SHAPE.layers):
        here, there = f"blocks.{i}.", f"gpt_neox.layers.{i}."
        for kind in ("weight", "bias"):
            theirs[f"{there}attention.query_key_value.{kind}"] = by_head(ours[f"{here}mixer.qkv.{kind}"])
            for mine, name in (LINEAR | NORMS).items():
                if (mine, kind) == ("mixer.out", "bias"):
                    theirs[f"{there}{name}.{kind}"] = ours[here + "mixer_bias"]
                else:
                    theirs[f"{there}{name}.{kind}"] = ours[f"{here}{mine}.{kind}"]
    return theirs


def oracle(shape: Shape) -> GPTNeoXForCausalLM:
    return GPTNeoXForCausalLM(
        GPTNeoXConfig(
            vocab_size=shape.vocab_size,
            hidden_size=shape.hidden_size,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            intermediate_size=4 * shape.hidden_size,
            max_position_embeddings=64,
            rope_parameters={"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 0.25},
            use_parallel_residual=True,
        )
    )


def test_logits_and_gradients_are_those_of_transformers(alive, tokens_bt):
    ours, theirs = alive(pythia()), oracle(SHAPE)
    theirs.load_state_dict(as_transformers({name: p.detach() for name, p in ours.named_parameters()}))
    assert_close(ours(tokens_bt), theirs(tokens_bt).logits, atol=1e-5, rtol=1e-5)
    ours.loss(tokens_bt[:, :-1], tokens_bt[:, 1:]).backward()
    theirs(tokens_bt, labels=tokens_bt).loss.backward()
    found = as_transformers({name: p.grad for name, p in ours.named_parameters()})
    assert_close(found, {n: p.grad for n, p in theirs.named_parameters()}, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("scale", [0.5 * B, 3 * B], ids=str)
def test_at_the_papers_sizes_it_has_the_parameters_of_gpt_neox_and_about_those_of_the_transformer(scale):
    shape = shape_for(scale, 151_936)
    chosen = Pythia().assemble(shape, Parts())
    with torch.device("meta"):
        theirs = oracle(chosen.shape)
    parameters = chosen.parameters(8192)
    assert parameters == sum(p.numel() for p in theirs.parameters())
    half_a_layer = (parameters - 2 * shape.vocab_size * shape.hidden_size) / chosen.shape.layers / 2
    assert parameters == pytest.approx(reference_parameters(shape), abs=half_a_layer * 1.001)


@EVERY_VARIANT
def test_no_position_sees_a_later_token(alive, tokens_bt, variant):
    model = alive(variant)
    changed_bt = tokens_bt.clone()
    changed_bt[:, 29:] = (changed_bt[:, 29:] + 1) % SHAPE.vocab_size
    with torch.no_grad():
        before, after = model(tokens_bt), model(changed_bt)
    assert_close(before[:, :29], after[:, :29], atol=2e-6, rtol=0)
    assert (before[:, 29] - after[:, 29]).abs().max() > 0.1


@pytest.mark.slow
@EVERY_VARIANT
@pytest.mark.parametrize("cuts", [tuple(range(1, 50)), (20, 21, 44)], ids=len)
def test_a_context_read_in_parts_with_a_cache_gives_the_logits_of_the_whole(alive, tokens_bt, variant, cuts):
    model = alive(variant)
    caches = model.new_caches()
    with torch.no_grad():
        parts = [model(tokens_bt[:, a:b], caches) for a, b in pairwise([0, *cuts, 50])]
        assert_close(torch.cat(parts, 1), model(tokens_bt), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("variant", VARIANTS[:3], ids=lambda v: v.attention.label(SHAPE))
def test_cached_generation_equals_generation_by_the_full_forward(alive, tokens_bt, variant):
    model = alive(variant)
    expected_bt = tokens_bt[:, :5]
    with torch.no_grad():
        for _ in range(20):
            expected_bt = torch.cat((expected_bt, model(expected_bt)[:, -1:].argmax(-1)), 1)
    assert torch.equal(generate(model, tokens_bt[:, :5], 20), expected_bt)


@EVERY_VARIANT
def test_the_cache_grows_by_the_bytes_that_the_formula_says(alive, tokens_bt, variant):
    model = alive(variant)
    caches = model.new_caches()
    with torch.no_grad():
        model(tokens_bt[:, :24], caches)
        before = sum(cache.bytes for cache in caches)
        model(tokens_bt[:, 24:48], caches)
    assert sum(cache.bytes for cache in caches) - before == 2 * 24 * variant.kv_bytes_per_token("float32")


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(
    st.integers(1, 3),
    st.integers(1, 6),
    st.integers(2, 99),
    st.integers(1, 30),
    st.sampled_from([MHA(), MQA(), GQA(), MLA()]),
    st.sampled_from([GELU(), SwiGLU()]),
)
def test_parameters_and_flops_by_formula_are_those_of_the_built_model(
    layers, eights, vocabulary, context, attention, feed_forward
):
    shape = Shape(layers, 8 * eights, 4, 8, 24, vocabulary)
    architecture = ParallelDecoder(shape, attention.resolve(shape), RoPE(fraction=0.25), feed_forward)
    with torch.device("meta"):
        model = assemble(architecture, context)
        tokens_bt = torch.zeros(2, context, dtype=torch.long)
    assert parameter_count(model) == architecture.parameters(context)
    with use_kernel("math"), FlopCounterMode(display=False) as counter:
        model.loss(tokens_bt, tokens_bt).backward()
    expected = architecture.train_flops_per_token(context) * tokens_bt.numel()
    assert counter.get_total_flops() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("attention", [MHA(), MQA()], ids=str)
def test_predicted_activations_are_within_a_tenth_of_what_autograd_keeps(kept_bytes, attention):
    shape = Shape(3, 128, 4, 32, 352, 300)
    architecture = ParallelDecoder(shape, attention.resolve(shape), RoPE(fraction=0.25), GELU())
    predicted = 4 * 64 * architecture.activation_bytes_per_token(64, 4)
    assert predicted == pytest.approx(kept_bytes(architecture, "float32"), rel=0.1)


def test_bfloat16_autocast_stays_near_float32(alive, tokens_bt):
    model = alive(pythia())
    exact = model.loss(tokens_bt[:, :-1], tokens_bt[:, 1:])
    with torch.autocast("cpu", torch.bfloat16):
        rounded = model.loss(tokens_bt[:, :-1], tokens_bt[:, 1:])
    rounded.backward()
    assert_close(rounded, exact, atol=0.05, rtol=0.02)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_a_few_steps_on_one_batch_reduce_the_loss(tokens_bt):
    model = build(pythia(), 64, seed=0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        loss = model.loss(tokens_bt[:, :-1], tokens_bt[:, 1:])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


@EVERY_VARIANT
def test_every_parameter_learns(alive, tokens_bt, variant):
    model = alive(variant)
    model.loss(tokens_bt[:, :-1], tokens_bt[:, 1:]).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_biases_start_at_zero_norms_at_one_and_the_output_layer_apart_from_the_embedding():
    model = build(pythia(), 64, seed=0)
    assert not model.blocks[0].mixer_bias.any()
    assert torch.equal(model.norm.weight, torch.ones(64))
    assert not torch.equal(model.embedding.weight, model.output.weight)
