"""Every family that has an implementation in transformers: ours, theirs of the same shape, and the bar.

Theirs are given what makes them fastest here (SDPA, no cache); the loss is computed as ours is.
"""

from collections.abc import Callable

import attrs
import torch
import torch.nn.functional as F
from torch import Tensor
from training import CONTEXT, VOCABULARY

from effdsl import GQA, MLA, RWKV4, Mamba, Mamba2, MoE, Pythia, Transformer
from effdsl.shapes import shape_for
from effdsl.techniques.architecture import Architecture, Decoder, RecurrentDecoder
from effdsl.techniques.backbone import BackboneTechnique, Parts
from effdsl.techniques.mamba import Mamba2Layer, MambaLayer
from effdsl.units import Count

ATTENTION, SCAN = 1.0, 5.0  # at least as fast; for scans at least five times


class Theirs(torch.nn.Module):
    """A causal model of transformers behind the loss that a trainer wants."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def loss(self, tokens_bt: Tensor, targets_bt: Tensor, routings: list[object]) -> Tensor:
        logits_nv = self.model(input_ids=tokens_bt, use_cache=False).logits.flatten(0, 1)
        return F.cross_entropy(logits_nv.float(), targets_bt.flatten())


@attrs.frozen
class Family:
    """What is compared: our technique, and the model of transformers that it equals.

    ``slow`` marks theirs that step through time in Python.
    """

    name: str
    backbone: BackboneTechnique
    parts: Parts
    theirs: Callable[[Architecture], torch.nn.Module]
    at_least: float | None = ATTENTION
    slow: bool = False

    def ours(self, scale: Count) -> Architecture:
        return self.backbone.assemble(shape_for(scale, VOCABULARY), self.parts)


def _common(architecture: Architecture) -> dict[str, object]:
    shape = architecture.shape
    return {
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.hidden_size,
        "num_hidden_layers": shape.layers,
        "pad_token_id": None,
    }


def _decoder(architecture: Architecture) -> dict[str, object]:
    assert isinstance(architecture, Decoder)
    shape = architecture.shape
    return _common(architecture) | {
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.intermediate_size,
        "max_position_embeddings": CONTEXT,
        "attn_implementation": "sdpa",
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
        "rms_norm_eps": shape.norm_eps,
        "tie_word_embeddings": True,
    }


def _qwen2(architecture: Architecture) -> torch.nn.Module:
    from transformers import Qwen2Config, Qwen2ForCausalLM

    return Qwen2ForCausalLM(Qwen2Config(num_key_value_heads=2, **_decoder(architecture)))


def _deepseek(architecture: Architecture) -> torch.nn.Module:
    from transformers import DeepseekV3Config, DeepseekV3ForCausalLM

    assert isinstance(architecture, Decoder)
    assert isinstance(architecture.attention, MLA)
    kv_rank, rope_dim, nope_dim, v_dim = architecture.attention.sizes()
    shape = architecture.shape
    return DeepseekV3ForCausalLM(
        DeepseekV3Config(
            kv_lora_rank=kv_rank,
            q_lora_rank=None,
            qk_rope_head_dim=rope_dim,
            qk_nope_head_dim=nope_dim,
            v_head_dim=v_dim,
            num_key_value_heads=shape.heads,
            first_k_dense_replace=shape.layers,
            **_decoder(architecture),
        )
    )


def _mixtral(architecture: Architecture) -> torch.nn.Module:
    from transformers import MixtralConfig, MixtralForCausalLM

    assert isinstance(architecture, Decoder)
    assert isinstance(architecture.feed_forward, MoE)
    shape = architecture.shape
    return MixtralForCausalLM(
        MixtralConfig(
            num_key_value_heads=2,
            head_dim=shape.head_dim,
            num_local_experts=architecture.feed_forward.experts,
            num_experts_per_tok=architecture.feed_forward.top_k,
            **_decoder(architecture),
        )
    )


def _gpt_neox(architecture: Architecture) -> torch.nn.Module:
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    shape = architecture.shape
    return GPTNeoXForCausalLM(
        GPTNeoXConfig(
            num_attention_heads=shape.heads,
            intermediate_size=4 * shape.hidden_size,
            max_position_embeddings=CONTEXT,
            attn_implementation="sdpa",
            rope_parameters={"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 0.25},
            **_common(architecture),
        )
    )


def _mamba(architecture: Architecture) -> torch.nn.Module:
    from transformers import MambaConfig, MambaForCausalLM

    assert isinstance(architecture, RecurrentDecoder)
    assert isinstance(architecture.layer, MambaLayer)
    rank = architecture.layer.step_rank
    config = MambaConfig(tie_word_embeddings=True, time_step_rank=rank, **_common(architecture))
    return MambaForCausalLM(config)


def _mamba2(architecture: Architecture) -> torch.nn.Module:
    from transformers import Mamba2Config, Mamba2ForCausalLM

    assert isinstance(architecture, RecurrentDecoder)
    assert isinstance(architecture.layer, Mamba2Layer)
    layer = architecture.layer
    return Mamba2ForCausalLM(
        Mamba2Config(
            tie_word_embeddings=True,
            state_size=layer.state_size,
            num_heads=layer.heads,
            head_dim=layer.inner // layer.heads,
            expand=layer.inner // architecture.shape.hidden_size,
            n_groups=1,
            **_common(architecture),
        )
    )


def _rwkv(architecture: Architecture) -> torch.nn.Module:
    from transformers import RwkvConfig, RwkvForCausalLM

    config = RwkvConfig(context_length=CONTEXT, rescale_every=0, **_common(architecture))
    return RwkvForCausalLM(config)


FAMILIES = (
    Family("GQA, Qwen2", Transformer(), Parts(attention=GQA()), _qwen2),
    Family("MLA, DeepseekV3", Transformer(), Parts(attention=MLA()), _deepseek),
    Family("MoE, Mixtral", Transformer(), Parts(feed_forward=MoE()), _mixtral),
    Family("Pythia, GPTNeoX", Pythia(), Parts(), _gpt_neox),
    Family("Mamba, Mamba", Mamba(), Parts(), _mamba, SCAN, slow=True),
    Family("Mamba2, Mamba2", Mamba2(), Parts(), _mamba2, None),
    Family("RWKV4, Rwkv", RWKV4(), Parts(), _rwkv, None, slow=True),
)
