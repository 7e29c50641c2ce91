"""Our decoders against transformers' Qwen2 and DeepSeek-V3, with copied weights, in float32."""

import pytest
import torch
from effdsl_runtime.model.build import assemble
from effdsl_runtime.model.decoder import parameter_count
from torch import Tensor
from torch.testing import assert_close
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM, Qwen2Config, Qwen2ForCausalLM

from effdsl.architecture import Decoder
from effdsl.shapes import Shape, shape_for
from effdsl.techniques.attention import GQA, MHA, MLA, MQA
from effdsl.techniques.position import RoPE
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
    theirs = DeepseekV3ForCausalLM(config)
    check_parity(lively(mla), theirs, lambda ours: as_deepseek(ours, shape, mla), tokens_bt)


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
