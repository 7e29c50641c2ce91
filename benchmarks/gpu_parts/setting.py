"""What every part is told: the device, the sizes, and the models that are compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import attrs
import numpy as np
import torch
from effdsl_runtime.machine import detect
from effdsl_runtime.model.build import build
from effdsl_runtime.model.decoder import DecoderLM

from effdsl import (
    GQA,
    MHA,
    MLA,
    MQA,
    NSA,
    RWKV4,
    ALiBi,
    Learned,
    Mamba,
    Mamba2,
    MoBA,
    MoE,
    NoPE,
    Pythia,
    Sinusoidal,
    T5Bias,
    Transformer,
)
from effdsl.hardware import Hardware
from effdsl.shapes import Shape, shape_for
from effdsl.stages.pretraining import Pretraining, default_data
from effdsl.techniques.architecture import Architecture
from effdsl.techniques.backbone import BackboneTechnique, Parts
from effdsl.techniques.feed_forward import GELU
from effdsl.training import TrainingBudget, TrainingRecipe
from effdsl.units import Count

Row = dict[str, float | int | str | bool | None]
"""What was measured, by name; ``reason`` alone where nothing could be."""

TECHNIQUES: Mapping[str, tuple[BackboneTechnique, Parts]] = {
    "MHA": (Transformer(), Parts(attention=MHA())),
    "MQA": (Transformer(), Parts(attention=MQA())),
    "GQA": (Transformer(), Parts(attention=GQA())),
    "MLA": (Transformer(), Parts(attention=MLA())),
    "NSA": (Transformer(), Parts(attention=NSA())),
    "MoBA": (Transformer(), Parts(attention=MoBA())),
    "MoE": (Transformer(), Parts(feed_forward=MoE())),
    "GELU": (Transformer(), Parts(feed_forward=GELU())),
    "NoPE": (Transformer(), Parts(position=NoPE())),
    "Sinusoidal": (Transformer(), Parts(position=Sinusoidal())),
    "Learned": (Transformer(), Parts(position=Learned())),
    "T5Bias": (Transformer(), Parts(position=T5Bias())),
    "ALiBi": (Transformer(), Parts(position=ALiBi())),
    "Pythia": (Pythia(), Parts()),
    "Mamba": (Mamba(), Parts()),
    "Mamba2": (Mamba2(), Parts()),
    "RWKV4": (RWKV4(), Parts()),
}


class Part(Protocol):
    """A module of this package: the ``SECONDS`` it may take, its ``cases``, and how to ``measure`` one."""

    SECONDS: float

    def cases(self, setting: Setting) -> Sequence[str]:
        """Its cases, the most important first."""

    def measure(self, setting: Setting, case: str) -> Row:
        """What one case gives; whatever it raises becomes the reason why it gives nothing."""


@attrs.frozen
class Setting:
    """Where and how large.

    Attributes:
        kind: ``"gpu"`` or ``"cpu"``.
        toy: sizes at which every part runs in seconds on a CPU, to see that it does.
    """

    kind: str
    toy: bool

    @property
    def device(self) -> torch.device:
        return torch.device("cuda" if self.kind == "gpu" else "cpu")

    @property
    def hardware(self) -> Hardware:
        """The machine's own, or its CPU where that is asked for on a machine with a GPU."""
        found = detect()
        return found if found.kind == self.kind else Hardware("a CPU", kind="cpu")

    @property
    def small(self) -> tuple[Shape, int]:
        """The shape and context at which every technique takes a step."""
        if self.toy:
            return Shape(
                layers=2, hidden_size=64, heads=4, head_dim=16, intermediate_size=96, vocab_size=256
            ), 128
        return shape_for(Count(12_000_000), 2048), 512

    def sizes(self) -> Iterator[tuple[str, Shape, int]]:
        """Name, shape and context of what is timed, the most important first."""
        if self.toy:
            yield ("toy", *self.small)
            return
        for context in (4096, 8192):
            for scale in (Count(500_000_000), Count(1_500_000_000)):
                yield str(scale), shape_for(scale, default_data(scale).vocab_size), context


def architecture_of(technique: str, shape: Shape) -> Architecture:
    backbone, parts = TECHNIQUES[technique]
    return backbone.assemble(shape, parts)


def model_of(technique: str, shape: Shape, context: int) -> DecoderLM:
    """With the weights of seed 0, on the CPU."""
    return build(architecture_of(technique, shape), context, seed=0)


def workload_of(
    technique: str, shape: Shape, context: int, batch: int, steps: int, dtype: str
) -> Pretraining:
    """The training as a study would declare it, for what it is predicted to take."""
    budget = TrainingBudget(steps=steps, batch_size=batch, context_length=context, micro_batch_size=batch)
    data = default_data(Count(10**9))
    return Pretraining(
        architecture_of(technique, shape), data, budget, TrainingRecipe(learning_rate=1e-4, dtype=dtype)
    )


def windows_of(shape: Shape, context: int, batch: int) -> np.ndarray:
    """Random tokens ``x_bs``, s = context + 1: speed does not depend on what they say."""
    return np.random.default_rng(0).integers(0, shape.vocab_size, (batch, context + 1))
