"""Our decoders against transformers' Qwen2 and DeepSeek-V3, with copied weights, in float32."""

import attrs
import pytest
import torch
from effdsl_runtime.model.build import assemble
from effdsl_runtime.model.decoder import parameter_count
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.testing import assert_close
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM, Qwen2Config, Qwen2ForCausalLM, T5Config
from transformers.models.bloom.modeling_bloom import build_alibi_tensor
from transformers.models.distilbert.modeling_distilbert import create_sinusoidal_embeddings
from transformers.models.t5.modeling_t5 import T5Attention

from effdsl.shapes import Shape, shape_for
from effdsl.techniques.architecture import Decoder
from effdsl.techniques.attention import GQA, MHA, MLA, MQA
from effdsl.techniques.position import ALiBi, Learned, NoPE, RoPE, Sinusoidal, T5Bias
from effdsl.units import B

QWEN_VOCABULARY = 151_936


def common(shape: Shape) -> dict[str, object]:
    return {
        "num_hidden_layers": shape.layers,
        "hidden_size": shape.hidden_size,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.intermediate_size,
        "vocab_size": shape.vocab_size,
        "max_position_embeddings": 64,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
        "rms_norm_eps": shape.norm_eps,
        "tie_word_embeddings": True,
        "pad_token_id": None,
    }


def outside_attention(ours: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """Our tensors by the names both families of transformers give them."""
    theirs = {"model.embed_tokens.weight": ours["embedding.weight"], "model.norm.weight": ours["norm.weight"]}
    for i in range(layers):
        here, there = f"blocks.{i}.", f"model.layers.{i}."
        theirs |= {
            there + "input_layernorm.weight": ours[here + "mixer_norm.weight"],
            there + "post_attention_layernorm.weight": ours[here + "feed_forward_norm.weight"],
            there + "mlp.gate_proj.weight": ours[here + "feed_forward.gate.weight"],
            there + "mlp.up_proj.weight": ours[here + "feed_forward.up.weight"],
            there + "mlp.down_proj.weight": ours[here + "feed_forward.down.weight"],
            there + "self_attn.o_proj.weight": ours[here + "mixer.out.weight"],
        }
    return theirs


def as_qwen2(ours: dict[str, Tensor], shape: Shape, kv_heads: int) -> dict[str, Tensor]:
    theirs = outside_attention(ours, shape.layers)
    sizes = [heads * shape.head_dim for heads in (shape.heads, kv_heads, kv_heads)]
    for i in range(shape.layers):
        for kind in ("weight", "bias"):
            pieces = ours[f"blocks.{i}.mixer.qkv.{kind}"].split(sizes)
            for part, piece in zip("qkv", pieces, strict=True):
                theirs[f"model.layers.{i}.self_attn.{part}_proj.{kind}"] = piece
    return theirs


def interleaved(rows: Tensor) -> Tensor:
    """Rows whose pairs are half the head apart, in DeepSeek's order, where pairs are neighbours."""
    return rows.unflatten(0, (2, -1)).transpose(0, 1).flatten(0, 1)


def as_deepseek(ours: dict[str, Tensor], shape: Shape, mla: MLA) -> dict[str, Tensor]:
    kv_rank, rope_dim, nope_dim, v_dim = mla.sizes()
    theirs = outside_attention(ours, shape.layers)

    def query(weight: Tensor) -> Tensor:
        by_head = weight.unflatten(0, (shape.heads, nope_dim + rope_dim))
        turned = torch.stack([interleaved(head[nope_dim:]) for head in by_head])
        return torch.cat((by_head[:, :nope_dim], turned), 1).flatten(0, 1)

    for i in range(shape.layers):
        here, there = f"blocks.{i}.mixer.", f"model.layers.{i}.self_attn."
        down = ours[here + "project.weight"]
        q, latent, key = down.split([down.shape[0] - kv_rank - rope_dim, kv_rank, rope_dim])
        if mla.q_rank is None:
            theirs[there + "q_proj.weight"] = query(q)
        else:
            theirs[there + "q_a_proj.weight"] = q
            theirs[there + "q_a_layernorm.weight"] = ours[here + "q_up.norm.weight"]
            theirs[there + "q_b_proj.weight"] = query(ours[here + "q_up.up.weight"])
        theirs[there + "kv_a_proj_with_mqa.weight"] = torch.cat((latent, interleaved(key)))
        theirs[there + "kv_a_layernorm.weight"] = ours[here + "norm.weight"]
        k, v = ours[here + "up.weight"].split([shape.heads * nope_dim, shape.heads * v_dim])
        by_head = (k.unflatten(0, (shape.heads, nope_dim)), v.unflatten(0, (shape.heads, v_dim)))
        theirs[there + "kv_b_proj.weight"] = torch.cat(by_head, 1).flatten(0, 1)
    return theirs


def deepseek(shape: Shape, mla: MLA) -> DeepseekV3ForCausalLM:
    kv_rank, rope_dim, nope_dim, v_dim = mla.sizes()
    config = DeepseekV3Config(
        **common(shape),
        kv_lora_rank=kv_rank,
        q_lora_rank=mla.q_rank,
        qk_rope_head_dim=rope_dim,
        qk_nope_head_dim=nope_dim,
        v_head_dim=v_dim,
        num_key_value_heads=shape.heads,
        first_k_dense_replace=shape.layers,
        rope_interleave=True,
    )
    return DeepseekV3ForCausalLM(config)


def check_parity(ours, theirs, rename, tokens_bt) -> None:
    """Equal logits, loss and gradient of every weight."""
    weights = rename({name: p.detach() for name, p in ours.named_parameters()})
    missing, unexpected = theirs.load_state_dict(weights, strict=False)
    assert set(missing) <= {"lm_head.weight"}, "tied to the embedding"
    assert unexpected == []
    assert_close(ours(tokens_bt), theirs(tokens_bt).logits, atol=2e-5, rtol=1e-5)
    ours.loss(tokens_bt[:, :-1], tokens_bt[:, 1:]).backward()
    theirs(tokens_bt, labels=tokens_bt).loss.backward()
    found = rename({name: p.grad for name, p in ours.named_parameters()})
    expected = {name: p.grad for name, p in theirs.named_parameters()}
    assert_close(found, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("attention", [MHA(), GQA(), MQA()], ids=str)
def test_heads_that_share_keys_equal_qwen2_in_logits_and_gradients(lively, shape, attention, tokens_bt):
    kv_heads = attention.resolve(shape).kv_heads
    theirs = Qwen2ForCausalLM(Qwen2Config(num_key_value_heads=kv_heads, **common(shape)))
    check_parity(lively(attention), theirs, lambda ours: as_qwen2(ours, shape, kv_heads), tokens_bt)


@pytest.mark.parametrize(
    "attention",
    [MLA(), MLA(q_rank=24), MLA(kv_rank=20, rope_dim=12, nope_dim=10, v_dim=6), MLA(v_dim=40)],
    ids=str,
)
def test_latent_attention_equals_deepseek_v3_in_logits_and_gradients(lively, shape, attention, tokens_bt):
    mla = attention.resolve(shape)
    theirs = deepseek(shape, mla)
    check_parity(lively(mla), theirs, lambda ours: as_deepseek(ours, shape, mla), tokens_bt)


class Positions:
    """Positions by transformers' own code, for a model whose rotation is held at zero.

    ``own`` is the learned part, if there is one, and ``ours`` what we call it.
    """

    ours = own = None

    def embedded(self, x_btd: Tensor) -> Tensor:
        return x_btd

    def bias(self, tokens: int) -> Tensor:
        """``(1, h, t, s)``, causality apart."""
        return torch.zeros(1, 1, tokens, tokens)


class TheirWaves(Positions):
    def embedded(self, x_btd: Tensor) -> Tensor:
        tokens, width = x_btd.shape[1:]
        waves_td = torch.empty(tokens, width)
        create_sinusoidal_embeddings(tokens, width, waves_td)
        return x_btd * width**0.5 + torch.cat((waves_td[:, 0::2], waves_td[:, 1::2]), 1)


class TheirTable(Positions):
    """GPT-2's ``wpe``."""

    ours = "stem.position_td"

    def __init__(self, shape: Shape) -> None:
        self.wpe = nn.Embedding(64, shape.hidden_size)
        self.own = self.wpe.weight

    def embedded(self, x_btd: Tensor) -> Tensor:
        return x_btd + self.wpe(torch.arange(x_btd.shape[1]))


class TheirT5(Positions):
    ours = "blocks.0.mixer.position.table.weight"

    def __init__(self, shape: Shape, buckets: int, max_distance: int) -> None:
        config = T5Config(
            num_heads=shape.heads,
            relative_attention_num_buckets=buckets,
            relative_attention_max_distance=max_distance,
            is_decoder=True,
        )
        self.t5 = T5Attention(config, has_relative_attention_bias=True, layer_idx=0)
        self.own = self.t5.relative_attention_bias.weight

    def bias(self, tokens: int) -> Tensor:
        return self.t5.compute_bias(tokens, tokens)


class TheirALiBi(Positions):
    """Bloom's, which differs from ours by a number per query, which the softmax does not see."""

    def __init__(self, shape: Shape) -> None:
        self.heads = shape.heads

    def bias(self, tokens: int) -> Tensor:
        seen = torch.ones(1, tokens, dtype=torch.long)
        return build_alibi_tensor(seen, self.heads, torch.float32)[None].expand(-1, -1, tokens, -1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("position", "by_them"),
    [
        (NoPE(), lambda shape: Positions()),
        (Sinusoidal(), lambda shape: TheirWaves()),
        (Learned(), TheirTable),
        (T5Bias(), lambda shape: TheirT5(shape, 32, 128)),
        (T5Bias(buckets=8, max_distance=20), lambda shape: TheirT5(shape, 8, 20)),
        (ALiBi(), TheirALiBi),
    ],
    ids=lambda value: "theirs" if callable(value) else str(value),
)
@pytest.mark.parametrize("attention", [GQA(), MLA(v_dim=12)], ids=str)
@pytest.mark.parametrize("heads", [4, 6])
def test_every_position_equals_transformers_in_logits_and_gradients(
    lively, shape, attention, position, by_them, heads, tokens_bt
):
    shape = attrs.evolve(shape, heads=heads, hidden_size=16 * heads)
    technique = attention.resolve(shape)
    ours, positions = lively(attention, position, shape), by_them(shape)
    if isinstance(technique, MLA):
        theirs = deepseek(shape, technique)
        rename = lambda ours: as_deepseek(ours, shape, technique)  # noqa: E731
    else:
        theirs = Qwen2ForCausalLM(Qwen2Config(num_key_value_heads=2, **common(shape)))
        rename = lambda ours: as_qwen2(ours, shape, 2)  # noqa: E731
    theirs.set_attn_implementation("eager")
    named = dict(ours.named_parameters())
    theirs.load_state_dict(rename({n: p.detach() for n, p in named.items()}), strict=False)
    if positions.own is not None:
        positions.own.data.copy_(named[positions.ours])
    tokens = tokens_bt.shape[1]
    causal_ts = torch.full((tokens, tokens), -torch.inf).triu(1)
    logits = theirs(
        inputs_embeds=positions.embedded(theirs.get_input_embeddings()(tokens_bt)),
        position_ids=torch.zeros_like(tokens_bt),
        attention_mask=(positions.bias(tokens) + causal_ts).expand(2, -1, -1, -1),
    ).logits
    assert_close(ours(tokens_bt), logits, atol=2e-5, rtol=1e-5)
    cross_entropy(logits[:, :-1].flatten(0, 1), tokens_bt[:, 1:].flatten()).backward()
    ours.loss(tokens_bt[:, :-1], tokens_bt[:, 1:]).backward()
    found = rename({name: p.grad for name, p in named.items()})
    assert_close(found, {n: p.grad for n, p in theirs.named_parameters()}, atol=1e-5, rtol=1e-4)
    if positions.own is not None:
        assert_close(named[positions.ours].grad, positions.own.grad, atol=1e-5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scale", "parameters"),
    [(0.5 * B, 494_032_768), (1.5 * B, 1_543_714_304), (3 * B, 3_085_938_688)],
    ids=str,
)
def test_the_papers_shapes_have_qwen2s_parameters_to_the_last_one(scale, parameters):
    shape = shape_for(scale, QWEN_VOCABULARY)
    architecture = Decoder(shape, GQA().resolve(shape), RoPE())
    with torch.device("meta"):
        ours = assemble(architecture, 8)
        theirs = Qwen2ForCausalLM(Qwen2Config(num_key_value_heads=2, **common(shape)))
    assert architecture.parameters(8) == parameters
    assert parameter_count(ours) == parameters
    assert sum(p.numel() for p in theirs.parameters()) == parameters
