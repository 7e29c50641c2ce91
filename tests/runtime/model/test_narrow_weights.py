"""Decoders compute with weights in bfloat16 as with those in float32, but for rounding, without autocast."""

from __future__ import annotations

import pytest
import torch
from effdsl_runtime.model.build import build
from torch import Tensor

from effdsl.shapes import Shape
from effdsl.techniques.attention import MLA, MQA, NSA, MoBA
from effdsl.techniques.backbone import BackboneTechnique, Parts, Pythia, Transformer
from effdsl.techniques.feed_forward import MoE
from effdsl.techniques.mamba import Mamba, Mamba2
from effdsl.techniques.position import ALiBi, Learned, NoPE, RoPE, Sinusoidal, T5Bias
from effdsl.techniques.rwkv import RWKV4

SHAPE = Shape(layers=2, hidden_size=64, heads=4, head_dim=16, intermediate_size=96, vocab_size=67)
SPARSE = NSA(window=16, select_block=8, compress_block=8, compress_stride=4, select_count=3)
DECODERS: list[tuple[BackboneTechnique, Parts]] = [
    (Transformer(), Parts()),
    (Transformer(), Parts(attention=MLA(q_rank=24))),
    (Transformer(), Parts(attention=SPARSE)),
    (Transformer(), Parts(attention=MoBA())),
    *((Transformer(), Parts(position=p)) for p in (ALiBi(), Learned(), NoPE(), RoPE(fraction=0.5))),
    *((Transformer(), Parts(position=p)) for p in (Sinusoidal(), T5Bias())),
    (Transformer(), Parts(feed_forward=MoE(experts=4))),
    (Pythia(), Parts(attention=MQA())),
    *((backbone, Parts()) for backbone in (Mamba(), Mamba2(), RWKV4())),
]


@pytest.mark.parametrize(("backbone", "parts"), DECODERS, ids=[f"{b}-{p}" for b, p in DECODERS])
@torch.no_grad()
def test_narrow_weights_change_logits_by_their_rounding(backbone: BackboneTechnique, parts: Parts) -> None:
    """A context at once, and its last token with a cache."""
    model = build(backbone.resolve(SHAPE).assemble(SHAPE, parts), 32, seed=0)
    tokens_bt = torch.randint(0, 67, (2, 32), generator=torch.Generator().manual_seed(7))
    wanted = model(tokens_bt)
    for parameter in model.parameters():
        parameter.data = parameter.data.bfloat16()
    caches = model.new_caches()
    model(tokens_bt[:, :-1], caches)
    assert rms_ratio(model(tokens_bt), wanted) < 0.02
    assert rms_ratio(model(tokens_bt[:, -1:], caches), wanted[:, -1:]) < 0.02


def rms_ratio(found: Tensor, wanted: Tensor) -> float:
    return float(((found.float() - wanted).pow(2).mean() / wanted.pow(2).mean()).sqrt())
