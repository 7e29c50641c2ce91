"""Throughput, MFU, memory and watts of the techniques that the paper compares, beside transformers' Qwen2."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from effdsl_runtime.engines.compiling import COMPILES_RIGHT
from effdsl_runtime.model.kernel import use_fastest_flash
from torch import Tensor

from effdsl.shapes import Shape
from gpu_parts.setting import Row, Setting, architecture_of, model_of
from gpu_parts.steps import trained

SECONDS = 150.0
COMPARED = ("GQA", "Qwen2 of transformers", "MLA", "NSA", "MoE", "Mamba2", "MoBA")
TOKENS_PER_STEP = 16_384


def cases(setting: Setting) -> Sequence[str]:
    return [f"{name}, {size}, context {context}" for size, _, context in setting.sizes() for name in COMPARED]


def measure(setting: Setting, case: str) -> Row:
    name, size, context_text = case.split(", ")
    context = int(context_text.removeprefix("context "))
    (shape,) = [shape for label, shape, its in setting.sizes() if (label, its) == (size, context)]
    batch = 2 if setting.toy else max(1, TOKENS_PER_STEP // context)
    if name not in COMPARED[1:2]:
        model = model_of(name, shape, context)
        use_fastest_flash(setting.device)
        if setting.kind == "gpu" and COMPILES_RIGHT:  # as the engine does there
            model.compile_blocks()
        return trained(setting, model, name, shape, context, batch) | {"kernel": model.kernel}
    return trained(setting, Qwen2(shape, context), "GQA", shape, context, batch)


class Qwen2(torch.nn.Module):
    """transformers' Qwen2 of the shape of our GQA, with the loss computed as ours is."""

    def __init__(self, shape: Shape, context: int) -> None:
        from transformers import Qwen2Config, Qwen2ForCausalLM

        super().__init__()
        attention = getattr(architecture_of("GQA", shape), "attention")  # noqa: B009  of a Decoder
        config = Qwen2Config(
            vocab_size=shape.vocab_size,
            hidden_size=shape.hidden_size,
            intermediate_size=shape.intermediate_size,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=attention.kv_heads,
            max_position_embeddings=context,
            rms_norm_eps=shape.norm_eps,
            tie_word_embeddings=True,
            use_cache=False,
            attn_implementation="sdpa",
        )
        self.model = Qwen2ForCausalLM(config)

    def loss(self, tokens_bt: Tensor, targets_bt: Tensor, routings: list[object]) -> Tensor:
        logits_nv = self.model(input_ids=tokens_bt).logits.flatten(0, 1)
        return F.cross_entropy(logits_nv.float(), targets_bt.flatten())
