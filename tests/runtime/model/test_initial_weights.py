"""The weights a model starts from."""

import math

import pytest
import torch
from effdsl_runtime.model.build import build

from effdsl.shapes import Shape
from effdsl.techniques.architecture import Decoder
from effdsl.techniques.attention import GQA, MHA, MLA, MQA, NSA
from effdsl.techniques.position import RoPE


def built(technique, shape, seed=0):
    return build(Decoder(shape, technique.resolve(shape), RoPE()), 32, seed)


def test_a_seed_gives_the_same_weights_and_another_seed_others(shape, attention):
    first, again, other = (built(attention, shape, seed) for seed in (3, 3, 4))
    for (name, a), b, c in zip(first.named_parameters(), again.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b), name
        if a.dim() > 1:
            assert not torch.equal(a, c), name


@pytest.mark.parametrize("technique", [MHA(), MQA(), GQA(4), NSA()], ids=str)
def test_variants_start_from_the_same_weights_wherever_name_and_size_agree(shape, technique):
    base, variant = built(GQA(), shape), built(technique, shape)
    theirs = dict(variant.named_parameters())
    for name, parameter in base.named_parameters():
        if "qkv" not in name:
            assert torch.equal(parameter, theirs[name]), name
    queries = shape.heads * shape.head_dim
    for ours, other in zip(base.blocks, variant.blocks, strict=True):
        assert torch.equal(ours.mixer.qkv.weight[:queries], other.mixer.qkv.weight[:queries])


def test_latent_attention_shares_everything_outside_attention(shape):
    theirs = dict(built(MLA(), shape).named_parameters())
    outside = [(n, p) for n, p in built(GQA(), shape).named_parameters() if ".mixer." not in n]
    assert all(torch.equal(parameter, theirs[name]) for name, parameter in outside)


def test_no_two_matrices_start_equal(shape):
    model = built(NSA(), shape)
    rows = [p[0, :8].tolist() for p in model.parameters() if p.dim() > 1]
    assert len({tuple(row) for row in rows}) == len(rows)


def test_the_spread_is_that_of_gpt2(attention):
    """Deviation 0.02; into the residual stream 0.02 / sqrt(2 * layers); biases 0; norms 1."""
    model = built(attention, Shape(2, 128, 4, 32, 256, 500))
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any()
        elif parameter.dim() == 1:
            assert torch.equal(parameter, torch.ones_like(parameter)), name
        else:
            residual = name.endswith((".out.weight", ".down.weight"))
            expected = 0.02 / math.sqrt(4) if residual else 0.02
            spread = 6 * expected / math.sqrt(2 * parameter.numel())  # six standard errors
            assert parameter.std().item() == pytest.approx(expected, abs=spread), name
            assert abs(parameter.mean().item()) < 6 * expected / math.sqrt(parameter.numel()), name
