"""Techniques of attention as declared: defaults, equal meanings, names, refusals, published costs."""

import pytest

from effdsl.built_in import built_in
from effdsl.key import canonical_json
from effdsl.problems import StudyError
from effdsl.shapes import Shape, shape_for
from effdsl.techniques.architecture import Decoder
from effdsl.techniques.attention import GQA, MHA, MLA, MQA, NSA, MoBA
from effdsl.techniques.position import NoPE, RoPE
from effdsl.techniques.technique import AttentionTechnique, PositionTechnique, Unsupported
from effdsl.units import B, M

QWEN = {scale: shape_for(scale * B, 151_936) for scale in (0.5, 1.5, 3)}
SMALL = shape_for(3 * M, 2048)


@pytest.mark.parametrize("shape", [*QWEN.values(), SMALL], ids=lambda s: f"{s.hidden_size}x{s.layers}")
def test_mha_and_mqa_are_gqa_with_all_heads_and_with_one(shape):
    for short, long in ((MQA(), GQA(kv_heads=1)), (MHA(), GQA(kv_heads=shape.heads))):
        assert short.resolve(shape) == long.resolve(shape)
        assert canonical_json(short.resolve(shape)) == canonical_json(long.resolve(shape))
        assert short.label(shape) == long.label(shape) == type(short).__name__


@pytest.mark.parametrize(
    ("technique", "name"),
    [
        (GQA(), "GQA"),
        (GQA(kv_heads=4), "GQA(kv_heads=4)"),
        (MLA(), "MLA"),
        (MLA(kv_rank=128), "MLA"),
        (MLA(kv_rank=64), "MLA(kv_rank=64)"),
        (MLA(q_rank=96, rope_dim=8), "MLA(rope_dim=8, q_rank=96)"),
        (NSA(), "NSA"),
        (NSA(window=64, compress_block=8), "NSA"),
        (NSA(window=32, phi="mean"), "NSA(window=32, phi='mean')"),
        (MoBA(), "MoBA"),
        (MoBA(block=32, top_k=3), "MoBA"),
        (MoBA(kv_heads=4, block=16), "MoBA(kv_heads=4, block=16)"),
        (RoPE(), "RoPE"),
        (RoPE(theta=10_000), "RoPE(theta=10000.0)"),
        (NoPE(), "NoPE"),
    ],
    ids=str,
)
def test_a_name_is_the_technique_and_what_differs_from_its_defaults(technique, name):
    assert technique.label(SMALL) == name
    assert technique.resolve(SMALL).label(SMALL) == name


@pytest.mark.parametrize(
    "technique", [cls() for cls in built_in(AttentionTechnique) + built_in(PositionTechnique)], ids=str
)
def test_resolving_twice_changes_nothing(technique):
    """A resolved attention or position has nothing open."""
    once = technique.resolve(SMALL)
    assert once.resolve(SMALL) == once


@pytest.mark.parametrize(("scale", "expected"), [(0.5, 64), (1.5, 128), (3, 128)])
def test_latent_attention_takes_deepseeks_proportions(scale, expected):
    mla = MLA().resolve(QWEN[scale])
    assert mla.sizes() == (4 * expected, expected // 2, expected, expected)
    assert mla.q_rank is None


def test_sparse_attention_takes_the_papers_sizes_and_smaller_ones_for_small_models():
    assert tuple(NSA().resolve(QWEN[0.5]).blocks()) == (32, 16, 64, 16, 512)
    assert tuple(NSA().resolve(shape_for(100 * M, 151_936)).blocks()) == (32, 16, 64, 16, 512)
    assert tuple(NSA().resolve(shape_for(80 * M, 2048)).blocks()) == (8, 4, 16, 4, 64)


def test_block_attention_takes_the_papers_block_and_a_smaller_one_for_small_models():
    assert MoBA().resolve(QWEN[3]) == MoBA().resolve(shape_for(100 * M, 151_936)) == MoBA(block=512, top_k=3)
    assert MoBA().resolve(shape_for(80 * M, 2048)) == MoBA(block=32, top_k=3)


@pytest.mark.parametrize(
    ("technique", "message", "hint"),
    [
        (GQA(kv_heads=3), "GQA: kv_heads=3 does not divide 8 heads", "allowed: 1, 2, 4, 8"),
        (NSA(kv_heads=16), "NSA: kv_heads=16 does not divide 8 heads", "allowed: 1, 2, 4, 8"),
        (MoBA(kv_heads=3), "MoBA: kv_heads=3 does not divide 8 heads", "allowed: 1, 2, 4, 8"),
        (
            NSA(compress_stride=3),
            "NSA: compress_block=8 is not a multiple of compress_stride=3",
            "e.g. compress_block=9",
        ),
        (
            NSA(select_block=18),
            "NSA: select_block=18 is not a multiple of compress_stride=4",
            "e.g. select_block=20",
        ),
    ],
    ids=str,
)
def test_what_a_shape_cannot_hold_is_refused_with_what_it_can(technique, message, hint):
    with pytest.raises(Unsupported) as refused:
        technique.resolve(SMALL)
    assert (str(refused.value), refused.value.hint) == (message, hint)


def test_half_a_head_must_hold_whole_pairs_to_rotate():
    with pytest.raises(Unsupported, match="half of head_dim=18"):
        MLA().resolve(Shape(1, 36, 2, 18, 64, 10))


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: GQA(kv_heads=0), "must be a whole number of at least 1"),
        (lambda: GQA(kv_head=2), "did you mean 'kv_heads'"),
        (lambda: MLA(rope_dim=7), "rope_dim=7 is odd"),
        (lambda: NSA(select_count=2), "always selected"),
        (lambda: NSA(phi="median"), "allowed: 'mean', 'linear', 'mlp'"),
        (lambda: NSA(shared_kv=2), "allowed: True, False"),
        (lambda: MoBA(top_k=0), "must be a whole number of at least 1"),
        (lambda: MoBA(block=1.5), "must be a whole number of at least 1"),
        (lambda: RoPE(theta=-1), "must be a number above 0"),
    ],
)
def test_a_value_that_is_never_allowed_is_refused_where_it_is_declared(declare, message):
    with pytest.raises(StudyError, match=message):
        declare()


def test_prices_want_a_resolved_technique():
    for technique in (MLA(), NSA()):
        with pytest.raises(ValueError, match="resolve"):
            technique.parameters(SMALL)
    with pytest.raises(ValueError, match="resolve"):
        MoBA().kv_bytes_per_token(SMALL, 4)


# Bytes per token in bfloat16 and GFLOP per token at 4,096 tokens, worked out by hand for Qwen2.5's shapes.
BY_HAND = [
    (0.5, MHA(), 86016, 3.69),
    (0.5, GQA(), 12288, 3.49),
    (0.5, MQA(), 6144, 3.48),
    (0.5, MLA(), 13824, 3.75),
    (1.5, MHA(), 172032, 10.98),
    (1.5, GQA(), 28672, 10.32),
    (1.5, MQA(), 14336, 10.25),
    (1.5, MLA(), 32256, 11.06),
    (3, MHA(), 294912, 21.91),
    (3, GQA(), 36864, 20.33),
    (3, MQA(), 18432, 20.21),
    (3, MLA(), 41472, 21.71),
    (0.5, NSA(), 13056, None),
    (1.5, NSA(), 30464, None),
    (3, NSA(), 39168, None),
    (0.5, MoBA(), 12288 + 24 * 2 * 64 * 2 / 512, 3.25),
    (1.5, MoBA(), 28672 + 28 * 2 * 128 * 2 / 512, 9.82),
    (3, MoBA(), 36864 + 36 * 2 * 128 * 2 / 512, 19.48),
]


@pytest.mark.parametrize(("scale", "technique", "cache", "gflop"), BY_HAND, ids=str)
def test_cache_and_causal_flops_at_the_papers_shapes(scale, technique, cache, gflop):
    shape = QWEN[scale]
    decoder = Decoder(shape, technique.resolve(shape), RoPE())
    assert decoder.kv_bytes_per_token("bfloat16") == cache
    assert decoder.kv_bytes_per_token("float32") == 2 * cache
    if gflop is not None:
        assert decoder.causal_train_flops_per_token(4096) / 1e9 == pytest.approx(gflop, abs=0.006)


@pytest.mark.parametrize("technique", [cls() for cls in built_in(AttentionTechnique)], ids=str)
def test_what_a_query_may_see_is_never_more_than_what_is_computed(technique):
    for shape in (SMALL, QWEN[0.5]):
        decoder = Decoder(shape, technique.resolve(shape), RoPE())
        for context in (1, 7, 64, 256, 8192):
            causal = decoder.causal_train_flops_per_token(context)
            assert causal <= decoder.train_flops_per_token(context)


def test_positions_that_only_rotate_have_no_parameters():
    decoders = [Decoder(SMALL, GQA(), position) for position in (RoPE(), NoPE())]
    assert decoders[0].parameters(256) == decoders[1].parameters(256)
