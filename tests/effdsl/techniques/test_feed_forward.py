"""Techniques of feed-forward as declared: widths, names, refusals, the paper's sizes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from effdsl.key import canonical_json
from effdsl.problems import StudyError
from effdsl.shapes import Shape, shape_for
from effdsl.techniques.architecture import Decoder
from effdsl.techniques.attention import GQA
from effdsl.techniques.backbone import Parts, Pythia, Transformer
from effdsl.techniques.feed_forward import GELU, ISO_FLOP, MoE, SwiGLU
from effdsl.techniques.position import RoPE
from effdsl.techniques.technique import Unsupported
from effdsl.units import B, M

SMALL = shape_for(3 * M, 2048)
QWEN = {scale: shape_for(scale * B, 151_936) for scale in (0.5, 1.5, 3)}


def decoder(shape: Shape, technique: MoE | SwiGLU) -> Decoder:
    return Decoder(shape, GQA(), RoPE(), technique.resolve(shape))


@pytest.mark.parametrize("shape", [*QWEN.values(), SMALL], ids=lambda s: f"{s.hidden_size}x{s.layers}")
def test_widths_that_mean_the_same_are_one_technique(shape: Shape) -> None:
    """No width is the dense one; ISO_FLOP is half of it with two experts per token."""
    full, half = shape.intermediate_size, shape.intermediate_size // 2
    for short, long in ((MoE(), full), (MoE(expert_width=ISO_FLOP), half)):
        given = MoE(expert_width=long)
        assert short.resolve(shape) == given.resolve(shape)
        assert canonical_json(short.resolve(shape)) == canonical_json(given.resolve(shape))
        assert short.label(shape) == given.label(shape)


@pytest.mark.parametrize(
    ("technique", "name"),
    [
        (SwiGLU(), "SwiGLU"),
        (GELU(), "GELU"),
        (MoE(), "MoE"),
        (MoE(expert_width=ISO_FLOP), f"MoE(expert_width={SMALL.intermediate_size // 2})"),
        (MoE(experts=4, top_k=3, balance=0), "MoE(experts=4, top_k=3, balance=0.0)"),
    ],
    ids=str,
)
def test_a_name_is_the_technique_and_what_differs_from_its_defaults(
    technique: SwiGLU | GELU | MoE, name: str
) -> None:
    assert technique.label(SMALL) == name
    assert technique.resolve(SMALL).label(SMALL) == name


@pytest.mark.parametrize("top_k", [2, 3, 4, 8])
@pytest.mark.parametrize("shape", [*QWEN.values(), SMALL], ids=lambda s: f"{s.hidden_size}x{s.layers}")
def test_iso_flop_experts_cost_what_the_dense_layer_costs(shape: Shape, top_k: int) -> None:
    """Router apart, to half of the step of 8 by which widths are rounded, per chosen expert."""
    moe = MoE(top_k=top_k, expert_width=ISO_FLOP).resolve(shape)
    router = 6 * 8 * shape.hidden_size
    dense = SwiGLU().train_flops_per_token(shape)
    tolerance = 18 * shape.hidden_size * top_k * 4
    assert moe.train_flops_per_token(shape) - router == pytest.approx(dense, abs=tolerance)


@pytest.mark.parametrize(
    ("scale", "technique", "total", "active"),
    [
        (0.5, MoE(), 2.69e9, 0.81e9),
        (0.5, MoE(expert_width=ISO_FLOP), 1.44e9, 0.49e9),
        (1.5, MoE(), 9.64e9, 2.70e9),
        (1.5, MoE(expert_width=ISO_FLOP), 5.01e9, 1.54e9),
        (3, MoE(), 20.1e9, 5.5e9),
    ],
    ids=str,
)
def test_the_papers_mixtures_have_the_published_sizes(
    scale: float, technique: MoE, total: float, active: float
) -> None:
    """0.5B x 8 and 1.5B x 8 in Qwen2.5's shapes, all parameters and those that a token meets."""
    mixture = decoder(QWEN[scale], technique)
    assert mixture.parameters(4096) == pytest.approx(total, rel=0.01)
    assert mixture.active_parameters(4096) == pytest.approx(active, rel=0.01)


def test_mixtrals_own_layer_has_its_published_sizes() -> None:
    """Mixtral 8x7B (arXiv 2401.04088, table 1): 46.7B parameters in all, 12.9B active."""
    shape = Shape(32, 4096, 32, 128, 14336, 32000)
    moe = MoE().resolve(shape)
    attention, untied = 2 * 4096 * (32 + 8) * 128, 2 * 32000 * 4096
    for layer, published in ((moe.parameters(shape), 46.7e9), (moe.active_parameters(shape), 12.9e9)):
        assert 32 * (attention + layer) + untied == pytest.approx(published, rel=0.002)


def test_a_mixture_is_as_deep_as_its_dense_base_in_every_backbone() -> None:
    """The scale names the base: experts add parameters, and take no layer away."""
    for backbone in (Transformer(), Pythia()):
        dense, mixture = (
            backbone.assemble(SMALL, Parts(feed_forward=technique)) for technique in (SwiGLU(), MoE())
        )
        assert mixture.shape == dense.shape
        assert mixture.feed_forward == MoE().resolve(SMALL)


def test_a_dense_model_is_active_in_all_its_parameters() -> None:
    dense = decoder(SMALL, SwiGLU())
    assert dense.active_parameters(256) == dense.parameters(256)


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: MoE(experts=1), "leaves nothing to route"),
        (lambda: MoE(top_k=1), "top_k=1 of 8 experts"),
        (lambda: MoE(experts=4, top_k=5), "allowed: 2 to 4"),
        (lambda: MoE(expert_width=0), "must be a whole number of at least 1"),
        (lambda: MoE(expert_width="iso"), "must be a whole number of at least 1"),
        (lambda: MoE(balance=-1), "must be a number of at least 0"),
    ],
)
def test_a_value_that_is_never_allowed_is_refused_where_it_is_declared(
    declare: Callable[[], object], message: str
) -> None:
    with pytest.raises(StudyError, match=message):
        declare()


def test_experts_too_narrow_to_be_are_refused() -> None:
    with pytest.raises(Unsupported, match="too narrow") as refused:
        MoE(experts=20, top_k=20, expert_width=ISO_FLOP).resolve(Shape(1, 16, 2, 8, 40, 10))
    assert "expert_width=" in refused.value.hint


def test_an_open_mixture_has_no_width_yet() -> None:
    with pytest.raises(ValueError, match=r"resolve\(shape\) first"):
        MoE().width()


def test_a_mixture_is_written_as_it_was_declared() -> None:
    """What a plan shows of a combination that cannot be built."""
    assert repr(MoE(expert_width=ISO_FLOP)) == "MoE(expert_width=ISO_FLOP)"
