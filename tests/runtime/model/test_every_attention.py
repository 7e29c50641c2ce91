"""What every built-in attention is held to; ``attention`` is each example of each that is declared."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from effdsl_runtime.model.build import assemble
from effdsl_runtime.model.decoder import parameter_count
from effdsl_runtime.model.held import CHECKS, failures
from effdsl_runtime.model.kernel import use_kernel
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from effdsl.built_in import built_in
from effdsl.techniques.architecture import Decoder
from effdsl.techniques.position import NoPE, RoPE, ScoreBias
from effdsl.techniques.technique import AttentionTechnique, PositionTechnique, Unsupported

TESTS = Path(__file__).parent / "mixers"
EVERY = built_in(AttentionTechnique)
POSITIONS = [cls() for cls in built_in(PositionTechnique)]


@pytest.mark.parametrize("file", sorted({cls.__module__.rpartition(".")[2] for cls in EVERY}))
def test_every_file_that_declares_an_attention_has_a_test_file(file):
    """Its EXAMPLES are what the other tests take."""
    test = TESTS / f"test_{file}.py"
    assert test.is_file(), f"write {test}, with EXAMPLES = [...] that leave something out at 50 tokens"
    assert "EXAMPLES = " in test.read_text(encoding="utf-8"), f"{test} has no EXAMPLES = [...]"


@pytest.mark.slow
def test_what_effdsl_check_asks_of_a_technique_of_ones_own_holds(attention, shape):
    """Causal, gradients finite, cached equal to full, parameters and cache as declared, the loss falls."""
    assert CHECKS
    assert list(failures(Decoder(shape, attention, RoPE()), Path(__file__).parent)) == []


@pytest.mark.slow
@pytest.mark.parametrize("context", [1, 7, 48])
def test_parameters_and_flops_are_those_of_the_built_model(attention, shape, context):
    """Counted by PyTorch under the math kernel on the meta device."""
    architecture = Decoder(shape, attention, RoPE())
    with torch.device("meta"):
        model, tokens_bt = assemble(architecture, context), torch.zeros(2, context, dtype=torch.long)
    assert parameter_count(model) == architecture.parameters(context)
    with use_kernel("math"), FlopCounterMode(display=False) as counter:
        model.loss(tokens_bt, tokens_bt).backward()
    expected = architecture.train_flops_per_token(context) * tokens_bt.numel()
    assert counter.get_total_flops() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("tokens", [1, 9, 30])
def test_a_cache_holds_the_bytes_that_are_declared(lively, attention, tokens_bt, tokens):
    """Of one sequence, in float32, all layers."""
    model = lively(attention)
    caches = model.new_caches()
    with torch.no_grad():
        model(tokens_bt[:1, :tokens], caches)
    declared = Decoder(model.shape, attention, RoPE()).cache_bytes(tokens, "float32")
    assert sum(cache.bytes for cache in caches) == declared


@pytest.mark.slow
@pytest.mark.parametrize("position", POSITIONS, ids=str)
def test_with_every_position_it_is_refused_with_a_reason_or_causal_in_parts_as_whole(
    lively, attention, position, tokens_bt, shape
):
    """Three parts with a cache give the logits of the whole."""
    if reason := attention.refuses(position):
        assert type(position).__name__ in reason
        return
    model = lively(attention, position.resolve(shape))
    caches = model.new_caches()
    with torch.no_grad():
        parts = [model(tokens_bt[:, a:b], caches) for a, b in pairwise((0, 7, 29, 50))]
        assert_close(torch.cat(parts, 1), model(tokens_bt), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("position", [p for p in POSITIONS if isinstance(p, ScoreBias)], ids=str)
def test_a_bias_of_the_scores_that_is_not_refused_has_an_effect(
    lively, attention, position, tokens_bt, shape
):
    """An attention that left it out would pass for one that has it."""
    if attention.refuses(position):
        return
    with torch.no_grad():
        biased, plain = (lively(attention, p.resolve(shape))(tokens_bt) for p in (position, NoPE()))
    assert (biased - plain).abs().max() > 0.01


def test_it_names_what_computes_it_and_refuses_what_cannot(lively, attention):
    """A result says by which kernel it was measured; FlexAttention cannot train on a CPU."""
    model = lively(attention)
    assert model.kernel in ("sdpa", "reference")
    with use_kernel("flex"), pytest.raises(Unsupported, match="flex cannot train on a CPU"):
        _ = model.kernel


def test_what_a_query_may_see_is_never_more_than_what_is_computed(attention, shape):
    """Causal FLOPs, the numerator of MFU, against those of whole score matrices."""
    decoder = Decoder(shape, attention, RoPE())
    for context in (1, 7, 64, 256, 8192):
        assert decoder.causal_train_flops_per_token(context) <= decoder.train_flops_per_token(context)
