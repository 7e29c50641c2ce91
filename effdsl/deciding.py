"""Takes the decisions that cells wait for, as far as finished tasks allow."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from effdsl.dependencies import OpenChoice, Undecidable, undecided
from effdsl.expand import PlannedCell
from effdsl.key import CanonicalForms
from effdsl.outcome import Outcome
from effdsl.plan import History, LookUp
from effdsl.task import address_of


@attrs.frozen
class DecidedCell:
    """A cell of a study, as far as it is decided.

    Attributes:
        planned: the cell; where something is open, as the study declares it.
        decisions: all that it depends on, those that are taken too.
        tried: the keys of the trials of the last of them.
        waits_for: what has to be known first; empty where nothing is open.
        hopeless: why it will never be known; usually empty.
    """

    planned: PlannedCell
    decisions: tuple[OpenChoice, ...] = ()
    tried: tuple[str, ...] = ()
    waits_for: str = ""
    hopeless: str = ""

    @property
    def is_open(self) -> bool:
        """Whether something is not decided."""
        return bool(self.waits_for or self.hopeless)


def decide(cells: Sequence[PlannedCell], look_up: LookUp, forms: CanonicalForms) -> list[DecidedCell]:
    """``cells`` with every decision that finished tasks allow; the store is asked once for each round of
    decisions, and not at all where there is none."""
    found = [DecidedCell(planned) for planned in cells]
    while open_now := {i: decision for i, one in enumerate(found) if (decision := _next_decision(one))}:
        keys = {
            i: [address_of(trial, forms) for trial in decision.trials] for i, decision in open_now.items()
        }
        history = look_up([address for addresses in keys.values() for address in addresses])
        for i, decision in open_now.items():
            found[i] = _with_decision(found[i], decision, [address.key for address in keys[i]], history)
    return found


def _next_decision(one: DecidedCell) -> OpenChoice | None:
    cell = one.planned.cell
    return None if cell is None or one.is_open else undecided(cell.workload, cell)


def _with_decision(
    one: DecidedCell, decision: OpenChoice, keys: Sequence[str], history: History
) -> DecidedCell:
    one = attrs.evolve(one, decisions=(*one.decisions, decision), tried=tuple(keys))
    left = sum(key not in history.known for key in keys)
    if left:
        waits_for = f"waits for {left} of {len(keys)} trials of {decision.about}"
        return attrs.evolve(one, waits_for=waits_for)
    failed = sum(history.known[key].outcome is Outcome.FAILED for key in keys)
    if failed:
        waits_for = (
            f"{failed} of {len(keys)} trials of {decision.about} failed; --retry failed runs them again"
        )
        return attrs.evolve(one, waits_for=waits_for)
    well = [key for key in keys if history.known[key].outcome is Outcome.OK]
    values = history.values(decision.metric, well)
    try:
        cell = decision.taken([values.get(key) for key in keys])
    except Undecidable as error:
        return attrs.evolve(one, hopeless=str(error))
    return attrs.evolve(one, planned=attrs.evolve(one.planned, cell=cell))
