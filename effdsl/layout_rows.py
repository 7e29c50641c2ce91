"""How the cells of a plan could be divided among their devices, in words and as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from effdsl.costs.words import three_digits
from effdsl.expand import PlannedCell
from effdsl.parallelism import LayoutOption
from effdsl.plan import Plan

LAYOUT_NUMBERS = ("memory", "step")
LAYOUT_COLUMNS = ("layout", *LAYOUT_NUMBERS, "taken")
CHOSEN = "yes"


@attrs.frozen
class CellLayouts:
    """The ways of dividing one cell, the best first.

    Attributes:
        named: the cell, its hardware and its engine.
        technique, scale: of the cell.
    """

    named: str
    technique: str
    scale: str
    options: Sequence[LayoutOption]

    def rows(self, most: int | None = None) -> list[tuple[str, ...]]:
        """At most so many, the one that is taken among them."""
        shown = [one for at, one in enumerate(self.options) if most is None or at < most or not one.why_not]
        return [_row(option) for option in shown]


def layouts_of(plan: Plan) -> Iterator[CellLayouts]:
    """Of the cells on several devices whose engine has more than one way."""
    for planned in plan.every_cell:
        if options := _options(planned):
            labels, cell = planned.labels, planned.cell
            assert cell is not None  # noqa: S101  which has the options
            named = f"{labels.technique} at {labels.scale} on {cell.hardware} by {cell.engine.name}"
            yield CellLayouts(named, labels.technique, labels.scale, options)


def _options(planned: PlannedCell) -> Sequence[LayoutOption]:
    cell = planned.cell
    return () if cell is None else cell.engine.layouts(cell.workload, cell.hardware)


def _row(option: LayoutOption) -> tuple[str, ...]:
    memory = "" if option.memory is None else f"{option.memory.total / 1e9:,.1f} GB"
    step = "" if option.step_s is None else f"{three_digits(option.step_s)} s"
    return option.name, memory, step, f"no: {option.why_not}" if option.why_not else CHOSEN


def layouts_json(plan: Plan) -> dict[str, Any]:
    """The same for ``plan --layout --json``; predictions are estimated, what is unknown is null."""
    return {
        "schema": "effdsl/layouts",
        "version": 1,
        "study": plan.study,
        "cells": [
            {
                "technique": cell.technique,
                "scale": cell.scale,
                "layouts": [_option_json(option) for option in cell.options],
            }
            for cell in layouts_of(plan)
        ],
    }


def _option_json(option: LayoutOption) -> dict[str, Any]:
    return {
        "layout": option.name,
        "taken": not option.why_not,
        "why_not": option.why_not or None,
        "estimated": {
            "memory_bytes_per_device": option.memory.parts() if option.memory else None,
            "step_s": option.step_s,
        },
    }
