"""Take one training step with every technique on a GPU that is not there; print what each ended with.

Tensors know their shape, dtype and device, and hold nothing: what meets on two devices raises, as it
would on a GPU. Run as ``python one_step.py LIBRARY``, the compiled ``device.cpp``, or with no library
where there is a GPU.
"""

from __future__ import annotations

import ctypes
import json
import sys
from contextlib import ExitStack
from unittest.mock import patch

if len(sys.argv) > 1:
    ctypes.CDLL(sys.argv[1], ctypes.RTLD_GLOBAL)  # before torch, which asks once whether there is CUDA

import numpy as np
import torch
from effdsl_runtime.engines.trainer import Trainer
from effdsl_runtime.model import flex
from effdsl_runtime.model.build import build
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from effdsl.built_in import built_in
from effdsl.shapes import Shape
from effdsl.techniques.attention import MoBA
from effdsl.techniques.backbone import BackboneTechnique, Parts, Transformer
from effdsl.techniques.position import RoPE
from effdsl.techniques.technique import AttentionTechnique, FeedForwardTechnique, PositionTechnique
from effdsl.training import TrainingRecipe

GPU = torch.device("cuda", 0)
CONTEXT = 64
SHAPE = Shape(layers=2, hidden_size=64, heads=4, head_dim=16, intermediate_size=256, vocab_size=64)


def every_technique() -> dict[str, tuple[BackboneTechnique, Parts]]:
    """By name: each built-in technique in the usual model; sparse ones leave keys out of the context."""
    parts: dict[str, Parts] = {cls.__name__: Parts(attention=cls()) for cls in built_in(AttentionTechnique)}
    parts |= {"MoBA": Parts(attention=MoBA(block=8, top_k=2))}
    parts |= {cls.__name__: Parts(position=cls()) for cls in built_in(PositionTechnique)}
    parts |= {cls.__name__: Parts(feed_forward=cls()) for cls in built_in(FeedForwardTechnique)}
    backbones = {cls.__name__: (cls(), Parts()) for cls in built_in(BackboneTechnique)}
    return {name: (Transformer(), given) for name, given in parts.items()} | backbones


def move(model: nn.Module) -> None:
    """As ``model.to(GPU)``, which cannot change what a fake tensor is; shared weights stay shared."""
    moved: dict[int, Tensor] = {}

    def on_gpu(tensor: Tensor) -> Tensor:
        if id(tensor) not in moved:
            there = tensor.detach().to(GPU)
            is_weight = isinstance(tensor, nn.Parameter)
            moved[id(tensor)] = nn.Parameter(there, tensor.requires_grad) if is_weight else there
        return moved[id(tensor)]

    for module in model.modules():
        for tensors in (module._parameters, module._buffers):
            tensors.update({name: on_gpu(tensor) for name, tensor in tensors.items() if tensor is not None})


def step(backbone: BackboneTechnique, parts: Parts, forgotten: bool = False) -> str:
    """``""``, or what one step in bfloat16 raised; ``forgotten`` leaves a weight on the CPU."""
    try:
        model = build(backbone.assemble(SHAPE, parts), CONTEXT, seed=0)
        stays = model.norm.weight
        move(model)
        if forgotten:
            model.norm.weight = stays
        trainer = Trainer(model, TrainingRecipe(learning_rate=1e-3, dtype="bfloat16"), 10, 2, GPU)
        trainer.step(0, np.zeros((4, CONTEXT + 1), dtype=np.int64))
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    away = {str(p.device) for p in model.parameters() if p.device != GPU}
    return f"weights on {away}" if away else ""


def main() -> None:
    with ExitStack() as stack:
        for where, name, pretended in (
            (torch.cuda.amp.common, "amp_definitely_not_available", lambda: False),
            (torch.cuda, "is_bf16_supported", lambda: True),
            (flex, "_compiled", lambda function: function),  # which only a GPU that is there can run
            (Tensor, "item", lambda tensor: 1.0),  # the loss, which is read at the end of a step
        ):
            stack.enter_context(patch.object(where, name, pretended))
        stack.enter_context(FakeTensorMode())
        ended = {name: step(*given) for name, given in every_technique().items()}
        ended["forgotten"] = step(Transformer(), Parts(position=RoPE()), forgotten=True)
    print(json.dumps(ended))


main()
