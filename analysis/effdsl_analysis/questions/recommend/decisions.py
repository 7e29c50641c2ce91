"""What a question about a choice is, and what an answer to it says."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import attrs

from effdsl_analysis.answer import plain
from effdsl_analysis.ask import Objective
from effdsl_analysis.naming import known_counts
from effdsl_analysis.questions.recommend.conditions import Condition, percent
from effdsl_analysis.vocabulary import Across, Contrast


class DecisionVerdict(enum.Enum):
    """What comes of a question in one place."""

    CHOSEN = "chosen"
    TIED = "tied"
    """Several, and nothing tells them apart."""
    NOTHING_SATISFIES = "nothing satisfies"
    NO_EVIDENCE = "no evidence"
    """Fewer than two candidates have a value of every metric."""


class CandidateState(enum.Enum):
    """What becomes of a candidate."""

    CHOICE = "choice"
    TIED = "tied"
    SATISFIES = "satisfies"
    """But others are better."""
    RULED_OUT = "ruled out"
    """By a condition."""
    NO_VALUE = "no value"
    """Of a metric that is asked for."""


class Satisfaction(enum.Enum):
    """Whether a candidate meets a condition."""

    CERTAINLY = "certainly"
    POSSIBLY = "possibly"
    """The mean does, not all of its interval."""
    POSSIBLY_NOT = "possibly not"
    """The interval does in part, not the mean."""
    NO = "no"


@attrs.frozen
class Question:
    """What is asked.

    Attributes:
        best: what is wanted best.
        conditions: what must be satisfied.
        within: how far from the best the choice may be, as a share of it; ``None``: not at all.
        then: by what is chosen among those that are tied, or within ``within`` of the best.
        stage, axes, size: where a choice is wanted; ``None`` or empty: everywhere.
        across: what is chosen together with the technique.
    """

    best: Objective
    conditions: tuple[Condition, ...] = ()
    within: float | None = None
    then: Objective | None = None
    stage: str | None = None
    axes: tuple[str, ...] = ()
    size: str | None = None
    across: Across | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "best": self.best.to_json(),
            "where": [condition.to_json() for condition in self.conditions],
            "within": self.within,
            "then": self.then and self.then.to_json(),
            "stage": self.stage,
            "axes": list(self.axes),
            "size": self.size,
            "across": self.across and self.across.value,
        }


@attrs.frozen
class Estimate:
    """A candidate's value of a metric: ``low`` to ``high`` is its 95% interval, ``n`` the repeats."""

    value: float
    low: float | None
    high: float | None
    n: int
    printed: str | None


@attrs.frozen
class Gap:
    """A candidate against the choice, in one metric.

    Attributes:
        difference, low, high: candidate less choice, with the 95% interval.
        share, share_low, share_high: the same as shares of the choice's value.
        verdict: which way the candidate differs, as far as the repeats tell.
    """

    difference: float
    low: float | None
    high: float | None
    share: float | None
    share_low: float | None
    share_high: float | None
    verdict: Contrast = attrs.field(converter=Contrast)


@attrs.frozen
class Candidate:
    """A technique that could be chosen.

    Attributes:
        state: what becomes of it.
        values: by metric, the metrics asked for.
        meets: whether it meets each condition.
        lacking: metrics asked for that it has no value of.
        gaps: by metric, against the choice (the first, of several tied): in what is wanted best, and in
            what decides then; empty for the choice itself.
        parameters: of the model; ``None`` where that is not printed.
        examples: as of a :class:`~effdsl_analysis.questions.rank.ranking.RankedCell`.
    """

    technique: str
    state: CandidateState
    values: Mapping[str, Estimate]
    meets: tuple[Satisfaction, ...]
    lacking: tuple[str, ...]
    gaps: Mapping[str, Gap]
    parameters: int | None
    examples: Mapping[str, int] = attrs.field(repr=False, converter=known_counts)


@attrs.frozen
class Binding:
    """A condition without which something else would be chosen; ``None``: all conditions at once."""

    condition: Condition | None
    otherwise: tuple[str, ...]


@attrs.frozen
class BoundSegment:
    """Bounds of one condition, or tolerances, between which the choice stays the same.

    Attributes:
        condition: ``None`` for the tolerance.
        edge: the tightest bound of the segment, which is a candidate's value; ``None``: any tighter one.
        chosen: several are tied; empty where nothing satisfies.
        step: 0 where the bound asked for lies, -1 and 1 for the neighbours, where the choice flips.
    """

    condition: Condition | None
    edge: float | None
    chosen: tuple[str, ...]
    step: int


@attrs.frozen
class Flip:
    """The nearest bound, or tolerance, in one direction at which the choice becomes another.

    Attributes:
        at: the condition as it would then be, e.g. ``amu_gb <= 52.93``, or ``within >= 2.5%``.
        chosen: what is chosen from there on; empty where nothing satisfies.
    """

    at: str
    chosen: tuple[str, ...]


@attrs.frozen
class Decision:
    """The choice along one axis, in one setting, at one scale or for one model.

    Attributes:
        size: the scale or model; ``None`` where techniques are chosen together with their sizes.
        source: the table, or the hardware, data and budget, that all candidates share.
        verdict: whether there is a choice.
        chosen: the one choice, or those tied, the best mean first.
        undecided: tied only for want of repeats.
        unsure: those of which the repeats do not tell whether they are within the tolerance, where the
            choice hangs on it.
        binding: the conditions that rule out what would otherwise be chosen.
        pessimistic: what is chosen of those that certainly satisfy, where that differs; else ``None``.
        optimistic: what is chosen of those that possibly do, where that differs; else ``None``.
        leader: the best of all that satisfy, whatever the second criterion says.
        runner_up: what comes next after the choice; with a tolerance, of what is by its mean within it.
        nearest: where nothing satisfies, what comes nearest, and by which share it breaks its bounds.
        path: how the choice changes along each condition and the tolerance, from tight to loose.
        candidates: the choice first, then by the metric that is wanted best.
    """

    stage: str
    axis: str
    size: str | None
    source: str
    verdict: DecisionVerdict
    chosen: tuple[str, ...]
    undecided: bool
    unsure: tuple[str, ...]
    binding: tuple[Binding, ...]
    pessimistic: tuple[str, ...] | None
    optimistic: tuple[str, ...] | None
    leader: str | None
    runner_up: str | None
    nearest: tuple[str, float] | None
    path: tuple[BoundSegment, ...]
    candidates: tuple[Candidate, ...]

    @property
    def flips(self) -> tuple[Flip, ...]:
        """The nearest bounds at which the choice becomes another."""
        found = []
        for before, after in zip(self.path, self.path[1:], strict=False):
            if before.condition is after.condition and after.edge is not None:
                if before.step == 0:
                    found.append(Flip(_loosened(after.condition, after.edge), after.chosen))
                elif after.step == 0:
                    found.append(Flip(_tightened(after.condition, after.edge), before.chosen))
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        """The decision as plain values; ``choice`` is null unless there is exactly one."""
        return plain(self, leave_out=("binding", "path")) | {
            "choice": self.chosen[0] if self.verdict is DecisionVerdict.CHOSEN else None,
            "binding": [
                {"condition": found.condition and str(found.condition), "otherwise": found.otherwise}
                for found in self.binding
            ],
            "flips": [plain(flip) for flip in self.flips],
            "path": [
                {
                    "along": "within" if found.condition is None else str(found.condition),
                    "from": found.edge,
                    "chosen": found.chosen,
                    "asked": found.step == 0,
                }
                for found in self.path
            ],
        }

    def candidate(self, technique: str) -> Candidate:
        """The candidate called ``technique``."""
        return next(found for found in self.candidates if found.technique == technique)


def _loosened(condition: Condition | None, edge: float) -> str:
    return f"within >= {percent(edge)}" if condition is None else str(condition.allowing(edge))


def _tightened(condition: Condition | None, edge: float) -> str:
    return f"within < {percent(edge)}" if condition is None else str(condition.refusing(edge))
