"""Cells and tasks. Everything in them is resolved; their identity fields are the key."""

from __future__ import annotations

import attrs

from effdsl.data import Data
from effdsl.declare import HasTag, identity, keyed, transport
from effdsl.hardware import Hardware
from effdsl.key import Canon, key_of
from effdsl.techniques.architecture import Architecture
from effdsl.training import Recipe, TrainingBudget


@keyed("torch-engine")
class Torch:
    """The embedded engine: plain PyTorch, one process, CPU or one GPU.

    ``version`` is bumped by hand when the engine's numerics or timing change; the old results then
    show as stale.
    """

    version: int = identity(default=1, init=False)

    @property
    def name(self) -> str:
        return "torch"

    @property
    def packages(self) -> tuple[str, ...]:
        """Modules that must be importable where a task runs."""
        return ("torch", "tokenizers", "numpy", "psutil")

    def cannot_run(self, hardware: Hardware) -> str:
        """Why this engine cannot run on ``hardware``; empty when it can."""
        if hardware.count > 1:
            return f"the engine torch drives one device, not {hardware.count}"
        return ""


Engine = Torch


@keyed("pretraining")
class Pretraining(HasTag):
    """Train a language model from random weights and measure its held-out perplexity."""

    architecture: Architecture = identity()
    data: Data = identity()
    budget: TrainingBudget = identity()
    recipe: Recipe = identity()

    @property
    def stage(self) -> str:
        return "pretraining"

    @property
    def parameters(self) -> int:
        """Exact parameter count."""
        return self.architecture.parameters(self.budget.context_length)

    @property
    def active_parameters(self) -> int:
        """Exact number of parameters that one token meets."""
        return self.architecture.active_parameters(self.budget.context_length)

    @property
    def train_flops(self) -> float:
        """Predicted FLOPs of the whole training, causal attention counted by what a query sees."""
        per_token = self.architecture.causal_train_flops_per_token(self.budget.context_length)
        return per_token * self.budget.tokens


@attrs.frozen
class Labels:
    """What people call a cell: shown in tables, never part of a key. Empty where it does not apply.

    Attributes:
        technique: what its study calls it: its techniques on the study's axes.
        full_name: what it is called anywhere: every technique that is not the transformer's usual one.
        aspect: depth and width, where the study chose an aspect ratio.
    """

    technique: str = ""
    scale: str = ""
    full_name: str = ""
    backbone: str = ""
    aspect: str = ""
    attention: str = ""
    position: str = ""
    feed_forward: str = ""


@keyed("cell")
class Cell:
    """One combination of techniques, scale and hardware; its repeats are tasks."""

    workload: Pretraining = identity()
    engine: Engine = identity()
    hardware: Hardware = identity()
    labels: Labels = transport(factory=Labels)


@keyed("task")
class Task:
    """A cell and a repeat: one process, one record."""

    cell: Cell = identity()
    seed: int = identity()

    @property
    def workload(self) -> Pretraining:
        return self.cell.workload

    @property
    def engine(self) -> Engine:
        return self.cell.engine

    @property
    def hardware(self) -> Hardware:
        return self.cell.hardware

    @property
    def labels(self) -> Labels:
        return self.cell.labels


@attrs.frozen
class Address:
    """The keys of a task.

    Attributes:
        key: of the task.
        cell: of its cell, shared by the repeats.
        lineage: of the task without its engine's version: what a stale result shares with it.
    """

    key: str
    cell: str
    lineage: str


def address_of(task: Task, canon: Canon) -> Address:
    """The keys of ``task``; pass one ``canon`` for many tasks that share parts."""
    cell = task.cell
    lineage = f"lineage:{canon(cell.workload)}{canon(cell.hardware)}{cell.engine.name}#{task.seed}"
    return Address(key_of(canon(task)), key_of(canon(cell)), key_of(lineage))
