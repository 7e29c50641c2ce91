"""Cells and tasks. Everything in them is resolved; their identity fields are the key."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from effdsl.declare import identity, keyed, transport
from effdsl.engine import Engine
from effdsl.hardware import Hardware
from effdsl.key import CanonicalForms, key_of
from effdsl.workload import Workload


@attrs.frozen
class ChosenTechnique:
    """What a cell has on one axis.

    Attributes:
        technique: its class, e.g. ``GQA``.
        label: what people read, e.g. ``GQA(kv_heads=2)``.
        usual: whether it goes without saying: it is what its stage takes where nothing is chosen.
    """

    technique: str
    label: str
    usual: bool = False


@attrs.frozen
class Labels:
    """What people call a cell: shown in tables, never part of a key.

    Attributes:
        technique: what its study calls it: its techniques on the study's axes.
        scale: the size that was asked for, or the name of the model.
        full_name: what it is called anywhere: every technique that is not usual.
        choices: what it has on each axis of its stage, from the outside in; empty where it cannot be built.
    """

    technique: str = ""
    scale: str = ""
    full_name: str = ""
    choices: Mapping[str, ChosenTechnique] = attrs.field(factory=dict)


@keyed("cell")
class Cell:
    """One combination of techniques, subject and hardware; its repeats are tasks."""

    workload: Workload = identity()
    engine: Engine = identity()
    hardware: Hardware = identity()
    labels: Labels = transport(factory=Labels, eq=False)


@keyed("task")
class Task:
    """A cell and a repeat: one process, one record."""

    cell: Cell = identity()
    seed: int = identity()

    @property
    def workload(self) -> Workload:
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


def address_of(task: Task, forms: CanonicalForms) -> Address:
    """The keys of ``task``; pass one ``forms`` for many tasks that share parts."""
    cell = task.cell
    engine = forms.without(cell.engine, "version")
    lineage = f"lineage:{forms(cell.workload)}{forms(cell.hardware)}{engine}#{task.seed}"
    return Address(key_of(forms(task)), key_of(forms(cell)), key_of(lineage))
