"""Every way in which positions enter the model: what holds for each, and their parts against others' code."""

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from effdsl_runtime.model.absolute import waves
from effdsl_runtime.model.build import assemble, build
from effdsl_runtime.model.decoder import DecoderLM, parameter_count
from effdsl_runtime.model.generate import generate
from effdsl_runtime.model.kernel import attend, use_kernel
from effdsl_runtime.model.rope import Rotary
from effdsl_runtime.model.score_bias import buckets, slopes
from torch import Tensor, nn
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode
from transformers import GPT2Config, GPT2Model, GPTNeoXConfig
from transformers.models.bloom.modeling_bloom import build_alibi_tensor
from transformers.models.distilbert.modeling_distilbert import create_sinusoidal_embeddings
from transformers.models.gpt_neox.modeling_gpt_neox import GPTNeoXRotaryEmbedding, apply_rotary_pos_emb
from transformers.models.t5.modeling_t5 import T5Attention

from effdsl.costs import decoder_training_memory
from effdsl.costs.memory import ON_CPU
from effdsl.shapes import Shape
from effdsl.techniques.architecture import Decoder, ParallelDecoder
from effdsl.techniques.attention import GQA, MHA, MLA
from effdsl.techniques.position import ALiBi, Learned, NoPE, RoPE, Sinusoidal, T5Bias
from effdsl.techniques.technique import AttentionTechnique, PositionTechnique

PARTIAL = RoPE(fraction=0.25)
NEW = [Sinusoidal(), Learned(), T5Bias(), T5Bias(buckets=8, max_distance=20), ALiBi(), PARTIAL]
BUCKETS = [T5Bias(), T5Bias(8, 20), T5Bias(64, 100), T5Bias(5, 1000), T5Bias(2, 9)]
ONE_LAYER = Shape(layers=1, hidden_size=64, heads=4, head_dim=16, intermediate_size=96, vocab_size=50)
EVERY = pytest.mark.parametrize("position", NEW, ids=str)
BOTH = pytest.mark.parametrize("attention", [GQA(), MLA(v_dim=8)], ids=str)

Lively = Callable[..., DecoderLM]


@BOTH
@EVERY
def test_no_position_sees_a_later_token(
    lively: Lively, attention: AttentionTechnique, position: PositionTechnique, tokens_bt: Tensor
) -> None:
    model = lively(attention, position)
    changed_bt = tokens_bt.clone()
    changed_bt[:, 29:] = (changed_bt[:, 29:] + 1) % model.shape.vocab_size
    with torch.no_grad():
        before, after = model(tokens_bt), model(changed_bt)
    assert_close(before[:, :29], after[:, :29], atol=1e-6, rtol=0)
    assert (before[:, 29] - after[:, 29]).abs().max() > 0.1, "the change must show where it may"


@pytest.mark.slow
@BOTH
@EVERY
@pytest.mark.parametrize("cuts", [(7, 8, 9, 30), tuple(range(1, 50))], ids=["parts", "tokens"])
def test_a_context_read_in_parts_with_a_cache_gives_the_logits_of_the_whole(
    lively: Lively,
    attention: AttentionTechnique,
    position: PositionTechnique,
    tokens_bt: Tensor,
    cuts: tuple[int, ...],
) -> None:
    model = lively(attention, position)
    caches = model.new_caches()
    with torch.no_grad():
        parts = [model(tokens_bt[:, a:b], caches) for a, b in pairwise([0, *cuts, tokens_bt.shape[1]])]
        assert_close(torch.cat(parts, 1), model(tokens_bt), atol=2e-5, rtol=1e-4)
    per_token = Decoder(model.shape, attention.resolve(model.shape), position).kv_bytes_per_token("float32")
    assert sum(cache.bytes for cache in caches) == tokens_bt.numel() * per_token


@EVERY
def test_what_follows_does_not_fit_beyond_the_context(
    lively: Lively, position: PositionTechnique, tokens_bt: Tensor
) -> None:
    with pytest.raises(ValueError, match="65 positions do not fit a context of 64"):
        generate(lively(GQA(), position), tokens_bt[:, :5], 60)


@BOTH
@EVERY
def test_the_order_of_earlier_tokens_matters(
    lively: Lively, attention: AttentionTechnique, position: PositionTechnique, tokens_bt: Tensor
) -> None:
    """With one layer and no positions the last token cannot tell how those before it are ordered."""
    model, blind = (lively(attention, p, ONE_LAYER) for p in (position, NoPE()))
    turned_bt = torch.cat((tokens_bt[:, :-1].flip(1), tokens_bt[:, -1:]), 1)
    with torch.no_grad():
        assert_close(blind(turned_bt)[:, -1], blind(tokens_bt)[:, -1], atol=1e-5, rtol=1e-4)
        assert (model(turned_bt) - model(tokens_bt))[:, -1].abs().max() > 1e-2


@pytest.mark.slow
@BOTH
@EVERY
def test_bfloat16_autocast_stays_near_float32_with_either_kernel(
    lively: Lively, attention: AttentionTechnique, position: PositionTechnique, tokens_bt: Tensor
) -> None:
    model = lively(attention, position)
    exact = model.loss(tokens_bt[:, :-1], tokens_bt[:, 1:])
    for kernel in ("sdpa", "math"):
        model.zero_grad()
        with use_kernel(kernel), torch.autocast("cpu", torch.bfloat16):
            rounded = model.loss(tokens_bt[:, :-1], tokens_bt[:, 1:])
        assert_close(rounded, exact, atol=0.05, rtol=0.02)
        rounded.backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@BOTH
@EVERY
def test_the_fast_kernel_and_the_math_kernel_agree_and_every_parameter_learns(
    lively: Lively, attention: AttentionTechnique, position: PositionTechnique, tokens_bt: Tensor
) -> None:
    model = lively(attention, position)
    found = []
    for kernel in ("sdpa", "math"):
        model.zero_grad()
        with use_kernel(kernel):
            model.loss(tokens_bt[:, :-1], tokens_bt[:, 1:]).backward()
        found.append({name: p.grad.clone() for name, p in model.named_parameters()})
    assert_close(found[0], found[1], atol=1e-5, rtol=1e-4)
    assert all(gradient.any() for gradient in found[0].values())


@pytest.mark.slow
@EVERY
def test_a_few_steps_of_training_reduce_the_loss(
    lively: Lively, position: PositionTechnique, tokens_bt: Tensor
) -> None:
    model = lively(GQA(), position)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(12):
        loss = model.loss(tokens_bt[:, :-1], tokens_bt[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


@BOTH
@pytest.mark.parametrize(
    ("position", "what"),
    [(ALiBi(), "bias_hs"), (T5Bias(), "table.weight"), (Learned(), "position_td")],
    ids=str,
)
def test_a_position_of_zeros_is_none(
    lively: Lively, attention: AttentionTechnique, position: PositionTechnique, what: str, tokens_bt: Tensor
) -> None:
    model, without = lively(attention, position), lively(attention, NoPE())
    own = dict(model.named_parameters()) | dict(model.named_buffers())
    with torch.no_grad():
        for name, value in without.named_parameters():
            own[name].copy_(value)
        assert (model(tokens_bt) - without(tokens_bt)).abs().max() > 0.01
        next(value for name, value in own.items() if name.endswith(what)).zero_()
        assert_close(model(tokens_bt), without(tokens_bt), atol=1e-5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("queries", "keys"), [(1, 1), (1, 9), (5, 9), (9, 9), (700, 700), (90, 1200)])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_attention_with_a_bias_is_the_softmax_written_out(queries: int, keys: int, groups: int) -> None:
    """Also where the contexts are longer than a block of PyTorch's kernel."""
    generator = torch.Generator().manual_seed(3)
    sizes = [(2, 4, queries, 8), (2, groups, keys, 8), (2, groups, keys, 6), (4, keys)]
    q, k, v, bias_hs = inputs = [torch.randn(size, generator=generator).requires_grad_() for size in sizes]
    k_all, v_all = (x.repeat_interleave(4 // groups, 1) for x in (k, v))
    back_ts = torch.arange(keys - queries, keys)[:, None] - torch.arange(keys)
    bias_hts = torch.where(back_ts < 0, -math.inf, bias_hs[:, back_ts.clamp(min=0)])
    expected = (q @ k_all.mT / math.sqrt(8) + bias_hts).softmax(-1) @ v_all
    slope = torch.randn(expected.shape, generator=generator)
    wanted = (expected, *torch.autograd.grad(expected, inputs, slope))
    learned = attend(q, k, v, bias_hs=bias_hs)
    assert_close((learned, *torch.autograd.grad(learned, inputs, slope)), wanted, atol=1e-4, rtol=1e-4)
    fixed = attend(q, k, v, bias_hs=bias_hs.detach())
    assert_close((fixed, *torch.autograd.grad(fixed, inputs[:3], slope)), wanted[:4], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "technique", [T5Bias(), T5Bias(8, 20), T5Bias(64, 100), T5Bias(5, 1000), T5Bias(2, 9)]
)
def test_buckets_are_t5s(technique: T5Bias) -> None:
    expected = T5Attention._relative_position_bucket(
        -torch.arange(3000), False, technique.buckets, technique.max_distance
    )
    assert torch.equal(buckets(technique, 3000), expected)


@pytest.mark.parametrize("heads", range(1, 40))
def test_slopes_are_blooms(heads: int) -> None:
    expected = build_alibi_tensor(torch.ones(1, 2, dtype=torch.long), heads, torch.float32)[:, 0, 1]
    assert_close(torch.tensor(slopes(heads)), expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("width", [2, 64, 98])
def test_waves_are_those_of_distilbert_with_the_sines_first(width: int) -> None:
    theirs_td = torch.empty(300, width)
    create_sinusoidal_embeddings(300, width, theirs_td)
    expected = torch.cat((theirs_td[:, 0::2], theirs_td[:, 1::2]), 1)
    # Ours are computed in float32, where an angle of 300 is known to 3e-5.
    assert_close(waves(300, width), expected, atol=6e-5, rtol=0)


def test_learned_positions_enter_as_in_gpt2(lively: Lively, shape: Shape, tokens_bt: Tensor) -> None:
    ours = lively(GQA(), Learned())
    theirs = GPT2Model(GPT2Config(n_embd=64, n_head=4, n_layer=1, n_positions=64, vocab_size=50)).eval()
    with torch.no_grad():
        theirs.wte.weight.copy_(ours.embedding.weight)
        theirs.wpe.weight.copy_(ours.stem.position_td)
        expected = theirs(tokens_bt, output_hidden_states=True).hidden_states[0]
        assert torch.equal(ours.stem(ours.embedding(tokens_bt), 0), expected)


@pytest.mark.parametrize("fraction", [0.25, 0.5, 1.0])
def test_a_fraction_of_a_head_turns_as_in_gpt_neox(fraction: float) -> None:
    rope = {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": fraction}
    config = GPTNeoXConfig(hidden_size=64, num_attention_heads=2, rope_parameters=rope)
    q, k = torch.randn(2, 1, 2, 40, 32, generator=torch.Generator().manual_seed(4))
    cos, sin = GPTNeoXRotaryEmbedding(config)(q, torch.arange(3, 43)[None])
    ours = Rotary(round(32 * fraction), 64, 1e4)
    found = [ours(x, slice(3, 43)) for x in (q, k)]
    assert_close(found, list(apply_rotary_pos_emb(q, k, cos, sin)), atol=1e-5, rtol=1e-5)


@pytest.mark.slow
@EVERY
@BOTH
@pytest.mark.parametrize(("kind", "context"), [(Decoder, 1), (Decoder, 24), (ParallelDecoder, 40)])
def test_parameters_and_flops_by_formula_are_those_of_the_built_model(
    kind: type[Decoder],
    attention: AttentionTechnique,
    position: PositionTechnique,
    context: int,
    shape: Shape,
) -> None:
    architecture = kind(shape, attention.resolve(shape), position.resolve(shape))
    with torch.device("meta"):
        model = assemble(architecture, context)
        tokens_bt = torch.zeros(2, context, dtype=torch.long)
    assert parameter_count(model) == architecture.parameters(context)
    with use_kernel("math"), FlopCounterMode(display=False) as counter:
        model.loss(tokens_bt, tokens_bt).backward()
    expected = architecture.train_flops_per_token(context) * tokens_bt.numel()
    assert counter.get_total_flops() == pytest.approx(expected, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("position", [*NEW, RoPE(), NoPE()], ids=str)
@pytest.mark.parametrize("attention", [MHA(), GQA(), MLA(), MLA(q_rank=64)], ids=str)
def test_predicted_activations_are_within_a_tenth_of_what_autograd_keeps(
    attention: AttentionTechnique, position: PositionTechnique
) -> None:
    """Apart from what only the CPU's RMSNorm keeps: its input once more, before the weight."""
    shape, tokens_bt = Shape(2, 128, 4, 32, 352, 300), torch.zeros(4, 96, dtype=torch.long)
    architecture = Decoder(shape, attention.resolve(shape), position)
    model = build(architecture, 96, seed=0)
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, Tensor] = {}

    def keep(x: Tensor) -> Tensor:
        kept[x.untyped_storage().data_ptr()] = x
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        loss = model.loss(tokens_bt, tokens_bt)
    held = sum(x.untyped_storage().nbytes() for place, x in kept.items() if place not in weights)
    loss.backward()
    norms = [module.weight.numel() for module in model.modules() if isinstance(module, nn.RMSNorm)]
    embedding_gradient = 4 * shape.vocab_size * shape.hidden_size
    predicted = (
        decoder_training_memory(architecture, 4, 96, "float32", scheme=ON_CPU).activations
        + embedding_gradient
    )
    assert predicted == pytest.approx(held - 4 * tokens_bt.numel() * sum(norms), rel=0.1)
