"""Predicted training memory against what PyTorch's allocator hands out in a step."""

from __future__ import annotations

import json
from functools import singledispatch
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from effdsl_runtime.engines.trainer import Trainer
from effdsl_runtime.model.build import build
from effdsl_runtime.model.loss import CHUNK_ELEMENTS
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

from effdsl.costs.memory import ON_CPU, ON_GPU, decoder_training_memory
from effdsl.shapes import Shape
from effdsl.techniques.architecture import Architecture, Decoder
from effdsl.techniques.attention import GQA, MHA, MLA, MQA, NSA, MoBA
from effdsl.techniques.backbone import BackboneTechnique, Parts, Pythia
from effdsl.techniques.mamba import Mamba, Mamba2
from effdsl.techniques.position import RoPE
from effdsl.techniques.rwkv import RWKV4
from effdsl.techniques.technique import AttentionTechnique
from effdsl.training import TrainingRecipe

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Warning. Profiler clears:UserWarning"),
]  # of torch 2.11

aten = torch.ops.aten
SHAPE = Shape(2, 128, 4, 32, 352, 1000)
CONTEXT = 128


def test_the_predicted_chunk_of_logits_is_the_runtimes() -> None:
    assert {"gpu": ON_GPU.logits_at_once, "cpu": ON_CPU.logits_at_once} == {
        "gpu": CHUNK_ELEMENTS["cuda"],
        "cpu": CHUNK_ELEMENTS["cpu"],
    }


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("attention", [MQA().resolve(SHAPE), GQA()])
def test_the_largest_memory_of_a_step_is_within_15_percent_of_the_prediction(
    attention: GQA, dtype: str, tmp_path: Path
) -> None:
    architecture = Decoder(SHAPE, attention, RoPE())
    model = build(architecture, CONTEXT, 0)
    trainer = Trainer(model, TrainingRecipe(learning_rate=1e-3, dtype=dtype), 10, 4, torch.device("cpu"))
    draws = np.random.default_rng(0)

    def step(number: int) -> None:
        trainer.step(number, draws.integers(0, SHAPE.vocab_size, (4, CONTEXT + 1)))

    step(0)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step(1)
    lasting = 12 * architecture.parameters(CONTEXT)  # weights and Adam's states, there before the step
    predicted = decoder_training_memory(architecture, 4, CONTEXT, dtype, scheme=ON_CPU)
    assert predicted.total - predicted.kernels - predicted.slack == pytest.approx(
        lasting + _highest(profiled, tmp_path), rel=0.15
    )


@pytest.mark.parametrize(
    "backbone_or_attention",
    [
        *(MHA(), MLA(), MLA(q_rank=64), MoBA()),
        *(NSA(), NSA(phi="linear", gate="linear"), NSA(phi="mean")),
        *(Mamba(), Mamba2(), RWKV4(), Pythia()),
    ],
    ids=repr,
)
def test_products_of_a_forward_pass_differ_in_as_many_shapes_as_is_said(
    backbone_or_attention: AttentionTechnique | BackboneTechnique,
) -> None:
    """Counted among the operations that PyTorch calls in bfloat16, weights one by one."""
    shape = Shape(2, 128, 4, 32, 352, 1000)
    architecture = _architecture(backbone_or_attention, shape)
    model = build(architecture, CONTEXT, 0)
    tokens_bt = torch.zeros(2, CONTEXT, dtype=torch.long)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16), _Products() as seen:
        model.loss(tokens_bt, tokens_bt)
    assert architecture.products == len(seen.shapes)


@singledispatch
def _architecture(attention: AttentionTechnique, shape: Shape) -> Architecture:
    return Decoder(shape, attention.resolve(shape), RoPE())


@_architecture.register
def _(backbone: BackboneTechnique, shape: Shape) -> Architecture:
    return backbone.assemble(shape, Parts())


class _Products(TorchDispatchMode):
    """Shapes of the factors of every product in bfloat16."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: set[tuple[torch.Size, ...]] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket in (aten.mm, aten.addmm, aten.bmm):
            left, right = args[-2:]
            if left.dtype == torch.bfloat16:
                self.shapes.add((left.shape, right.shape))
        return func(*args, **(kwargs or {}))


def _highest(profiled: Any, folder: Path) -> int:
    """The most bytes that were handed out and not given back."""
    file = folder / "trace.json"
    profiled.export_chrome_trace(str(file))
    events = [
        event for event in json.loads(file.read_text())["traceEvents"] if event.get("name") == "[memory]"
    ]
    held = highest = 0
    for event in sorted(events, key=lambda event: event["ts"]):
        held += event["args"]["Bytes"]
        highest = max(highest, held)
    return highest
