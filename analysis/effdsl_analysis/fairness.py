"""What is said where techniques that are compared were not given the same: models, trained shares, examples
that lost their end, learning rates.

Stages say it by the names of their settings and details; where one has none of them, nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from effdsl.metrics import TUNING
from effdsl.problems import listed

if TYPE_CHECKING:
    from effdsl_analysis.naming import ComparisonGroup

TRIED, STEPS, CONTEXT = "learning_rates_tried", "steps", "context_length"
"""Settings: what all that are compared share."""
RATE, TRIALS, SPENT, EDGE, TRAINED = (
    "learning_rate",
    "trials",
    "tuning_steps",
    "edge_of_sweep",
    "trained_parameters",
)
"""Details, of each cell."""
TRAINING, TRUNCATED, TOKENS, BYTES = "training", "truncated", "held_out_tokens", "held_out_bytes"
"""Columns of the view ``examples``."""


class OfModel(Protocol):
    """What was done to a model."""

    @property
    def parameters(self) -> int | None: ...

    @property
    def examples(self) -> Mapping[str, int]: ...


class Treated(OfModel, Protocol):
    """A cell of a ranking or a Pareto set."""

    @property
    def technique(self) -> str: ...

    @property
    def ok(self) -> int: ...

    @property
    def details(self) -> Mapping[str, Any]: ...


@attrs.frozen
class Compared:
    """Cells that are compared with each other, and what they share."""

    group: ComparisonGroup
    cells: Sequence[Treated]

    def setting(self, name: str) -> Any:
        """What they share by this name; ``None`` where their stage has no such setting."""
        return self.group.comparison.get(name)


def above(found: Sequence[Compared]) -> list[str]:
    """What is said before the values are read."""
    across = [compared for compared in found if compared.group.is_across_models]
    ended = ([cell for cell in compared.cells if cell.ok] for compared in across)
    differ = dict.fromkeys(line for cells in ended for line in models(cells))
    return [*differ, *trained_shares(found), *truncated_examples(found)]


def models(cells: Sequence[OfModel]) -> list[str]:
    """In what the models differ that are compared across: their parameters, and what their tokenizers cut."""
    lines = []
    sizes = sorted({cell.parameters for cell in cells if cell.parameters})
    if len(sizes) > 1:
        lines.append(f"Compared across models of {sizes[0]:,} to {sizes[-1]:,} parameters.")
    cuts = {(cell.examples[TOKENS], cell.examples[BYTES]) for cell in cells if cell.examples}
    if len(cuts) > 1:
        counts = " and ".join(f"{tokens:,} tokens" for tokens, _ in sorted(cuts))
        lines.append(f"Their tokenizers differ ({counts} held out), so losses per token do not compare.")
    elif not all(cell.examples for cell in cells):
        lines.append("Losses per token compare where tokenizers agree; whether they do is not recorded.")
    return lines


def trained_shares(found: Iterable[Compared]) -> list[str]:
    """That techniques are compared which train different shares of the parameters, and how different."""
    least, most = 1.0, 0.0
    for compared in found:
        shares = [share for share in map(_share, compared.cells) if share is not None]
        if len(set(shares)) > 1:
            least, most = min(least, *shares), max(most, *shares)
    if least >= most:
        return []
    between = f"from {100 * least:.3g}% to {100 * most:.3g}%"
    return [f"Compared across trainable shares: {between} of the parameters."]


def truncated_examples(found: Iterable[Compared]) -> list[str]:
    """How many training examples lost their end; whose, where not all that are compared lost as many."""
    lines: dict[str, dict[str, None]] = {}
    for compared in found:
        lost = {cell.technique: _lost(cell) for cell in compared.cells if cell.examples}
        if any(cell.examples[TRUNCATED] for cell in compared.cells if cell.examples):
            context = f"the context of {compared.setting(CONTEXT):,} tokens"
            line = f"Longer than {context}, so without their end: {_all(lost)}"
            lines.setdefault(line, {})[str(compared.setting("scale"))] = None
    if len(lines) < 2:
        return [f"{line}." for line in lines]
    return [f"{line}, at {' and '.join(scales)}." for line, scales in lines.items()]


def _all(lost: Mapping[str, str]) -> str:
    """The number once where it is everyone's."""
    same = set(lost.values())
    told = same if len(same) == 1 else (f"of {name} {number}" for name, number in lost.items())
    return f"{', '.join(told)} training examples"


def _lost(cell: Treated) -> str:
    return f"{cell.examples[TRUNCATED]:,} of {cell.examples[TRAINING]:,}"


def learning_rates(found: Iterable[Compared]) -> list[str]:
    """Each technique's best of a sweep, and what that took; or that they were not tuned at all."""
    told = [compared for compared in found if compared.setting("stage") not in TUNING]
    lines = [*(line for compared in told for line in _rates(compared)), *_ends(told)]
    return list(dict.fromkeys(lines))


def _share(cell: Treated) -> float | None:
    trained = cell.details.get(TRAINED)
    return trained / cell.parameters if trained is not None and cell.parameters else None


def _rates(compared: Compared) -> Iterator[str]:
    tried = compared.setting(TRIED)
    if tried == "":
        rates = (cell.details.get(RATE) for cell in compared.cells)
        yield _untuned({rate for rate in rates if rate is not None})
    elif tried:
        for cell in compared.cells:
            trials, spent = cell.details.get(TRIALS), cell.details.get(SPENT)
            if trials and spent:
                yield (
                    f"Learning rates are each technique's best of {tried}: {trials} trials, {spent:,} steps "
                    f"in all, before the {compared.setting(STEPS):,} of a run."
                )


def _untuned(rates: set[float]) -> str:
    """One rate for all may be a default or a choice; several are each technique's own default."""
    if len(rates) > 1:
        which = f"each is its technique's default, from {min(rates):g} to {max(rates):g}"
        return f"Learning rates were not tuned: {which}, so the ranking ranks those as well."
    all_have = f": all have {min(rates):g}" if rates else ""
    return f"Learning rates were not tuned{all_have}, so the ranking ranks how well they suit as well."


def _ends(found: Sequence[Compared]) -> Iterator[str]:
    """Whose best learning rate is at an end of its sweep; at which scales, where that is not so at all."""
    at: dict[tuple[str, str, str], list[str]] = {}
    scales: dict[tuple[str, str], set[str]] = {}
    for compared in found:
        tried, scale = compared.setting(TRIED), str(compared.setting("scale"))
        for cell in compared.cells if tried else ():
            scales.setdefault((tried, cell.technique), set()).add(scale)
            if end := cell.details.get(EDGE):
                places = at.setdefault((tried, end, cell.technique), [])
                places += [scale] if scale not in places else []
    whose: dict[tuple[str, str, str], list[str]] = {}
    for (tried, end, name), places in sorted(at.items()):
        everywhere = len(places) == len(scales[tried, name])
        where = "" if everywhere else f" at {' and '.join(places)}"
        whose.setdefault((tried, end, where), []).append(name)
    for (tried, end, where), names in whose.items():
        yield (
            f"The best learning rate of {listed(names)}{where} is the {end} of {tried}: a wider sweep may do "
            "better."
        )
