"""A task: one process, one record. Everything in it is resolved; its identity fields are the key."""

from __future__ import annotations

import attrs

from effdsl.architecture import Decoder
from effdsl.data import Data
from effdsl.declare import HasTag, identity, keyed, transport
from effdsl.hardware import Hardware
from effdsl.training import Recipe, TrainingBudget


@keyed("torch-engine")
class Torch:
    """The embedded engine: plain PyTorch, one process, CPU or one GPU.

    ``version`` is bumped by hand when the engine's numerics or timing change; the old results then
    show as stale.
    """

    version: int = identity(default=1, init=False)

    def __str__(self) -> str:
        return "torch"


Engine = Torch


class Workload(HasTag):
    """What a task does, whatever the engine and hardware. One subclass per stage."""

    stage: str


@keyed("pretraining")
class Pretraining(Workload):
    """Train a decoder from random weights and measure its held-out perplexity."""

    architecture: Decoder = identity()
    data: Data = identity()
    budget: TrainingBudget = identity()
    recipe: Recipe = identity()

    @property
    def stage(self) -> str:  # type: ignore[override]
        return "pretraining"


@attrs.frozen
class Labels:
    """What people call a task: shown in tables, never part of its key."""

    technique: str
    scale: str
    axes: tuple[tuple[str, str], ...] = ()


@keyed("task")
class Task:
    """A cell and a repeat."""

    workload: Pretraining = identity()
    engine: Engine = identity()
    hardware: Hardware = identity()
    seed: int = identity()
    labels: Labels = transport(default=Labels("", ""))
