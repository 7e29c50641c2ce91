"""Small decoders with weights large enough that every part of them shows in the output."""

import runpy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from effdsl_runtime.model.build import build
from effdsl_runtime.model.decoder import DecoderLM
from torch import nn

from effdsl.built_in import built_in
from effdsl.shapes import Shape
from effdsl.techniques.architecture import Architecture, Decoder
from effdsl.techniques.position import RoPE
from effdsl.techniques.technique import AttentionTechnique, PositionTechnique

CONTEXT = 64
SHAPE = Shape(layers=2, hidden_size=64, heads=4, head_dim=16, intermediate_size=96, vocab_size=50)
TESTS = Path(__file__).parent / "mixers"


def _examples() -> list[AttentionTechnique]:
    """Every built-in attention: what its own test file calls ``EXAMPLES``, sizes that leave something out
    at ``SHAPE``; without such a file its defaults."""
    files = [runpy.run_path(str(file)) for file in sorted(TESTS.glob("test_*.py"))]
    named = [example for file in files for example in file.get("EXAMPLES", ())]
    return [
        example
        for cls in built_in(AttentionTechnique)
        for example in [e for e in named if type(e) is cls] or [cls()]
    ]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def shape() -> Shape:
    return SHAPE


@pytest.fixture(params=_examples(), ids=str)
def attention(request: pytest.FixtureRequest) -> AttentionTechnique:
    technique: AttentionTechnique = request.param.resolve(SHAPE)
    return technique


@pytest.fixture
def lively() -> Callable[..., DecoderLM]:
    """Builds a decoder in which no weight is zero or one by default."""

    def built(
        attention: AttentionTechnique, position: PositionTechnique | None = None, shape: Shape = SHAPE
    ) -> DecoderLM:
        architecture = Decoder(shape, attention.resolve(shape), position or RoPE())
        model = build(architecture, CONTEXT, seed=0)
        generator = torch.Generator().manual_seed(1)
        for module in model.modules():
            for parameter in module.parameters(recurse=False):
                with torch.no_grad():
                    noise = torch.randn(parameter.shape, generator=generator)
                    scale = parameter.shape[-1] ** -0.5 if parameter.dim() > 1 else 0.2
                    parameter.copy_(noise * scale + (1 if isinstance(module, nn.RMSNorm) else 0))
        return model

    return built


@pytest.fixture
def alive() -> Callable[[Architecture], DecoderLM]:
    """Builds any architecture with noise added to what each of its weights starts as."""

    def built(architecture: Architecture) -> DecoderLM:
        model = build(architecture, CONTEXT, seed=0)
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in model.parameters():
                noise = torch.randn(parameter.shape, generator=generator)
                parameter.add_(noise * (parameter.shape[-1] ** -0.5 if parameter.dim() > 1 else 0.2))
        return model

    return built


@pytest.fixture
def kept_bytes() -> Callable[[Architecture, str], int]:
    """Measures what autograd keeps of blocks and final norm for the backward pass of 4 sequences of 64.

    Distinct storages; weights, their copies in another dtype, tokens and the loss's own are left out.
    """

    def measured(architecture: Architecture, dtype: str) -> int:
        model = build(architecture, CONTEXT, seed=0)
        tokens_bt = torch.zeros(4, 64, dtype=torch.long)
        weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
        copies = {p.numel() for p in model.parameters() if p.dim() > 1}
        kept: dict[int, int] = {}

        def keep(x: torch.Tensor) -> torch.Tensor:
            place = x.untyped_storage().data_ptr()
            is_copy = x.dtype == torch.bfloat16 and x.dim() == 2 and x.numel() in copies
            if place not in weights and x.is_floating_point() and not is_copy:
                kept[place] = x.untyped_storage().nbytes()
            return x

        with (
            torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x),
            torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"),
        ):
            out_btd = model.hidden(tokens_bt)
        kept[out_btd.untyped_storage().data_ptr()] = out_btd.untyped_storage().nbytes()
        return sum(kept.values())

    return measured


@pytest.fixture
def tokens_bt() -> torch.Tensor:
    return torch.randint(0, SHAPE.vocab_size, (2, 50), generator=torch.Generator().manual_seed(2))
