"""What each precision costs in quality against another: paired over items, and over checkpoints where there
are several."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from effdsl_analysis.answer import Answer, plain
from effdsl_analysis.ask import Scope, UnknownName, scope_of, unknown
from effdsl_analysis.naming import ComparisonGroup, name_cells, name_groups
from effdsl_analysis.queries import Row, read_as, rows, session, statement
from effdsl_analysis.relations import AnswerTable, types_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from effdsl_analysis.queries import Source


class Over(enum.Enum):
    """What an interval is over, and so which question it answers."""

    CHECKPOINTS = "checkpoints"
    """Does the precision cost quality? Of trainings like these."""
    ITEMS = "items"
    """Has it cost this one checkpoint quality? Of texts or questions like these."""


@attrs.frozen
class CheckpointDifference:
    """One checkpoint in a precision less the same in the reference (``sql/macros/items.sql``).

    Attributes:
        seed: its repeat.
        items: that both were evaluated on.
        difference, error, half_width: with its standard error and half of the 95% interval over items.
        lost, gained: items that the reference has right and the precision wrong, and the other way round;
            ``None`` where items are not right or wrong.
        p: of these by McNemar's exact test.
        resolved: whether the items tell the two apart.
        needed: items that such a difference takes to be found, at 5% with a power of 80%.
    """

    seed: int
    items: int
    difference: float | None
    error: float | None
    half_width: float | None
    lost: int | None
    gained: int | None
    p: float | None
    resolved: bool
    needed: int | None


@attrs.frozen
class QualityDifference:
    """A precision against the reference, by one evaluation.

    Attributes:
        evaluation: its name.
        technique, reference: both precisions; ``cell`` and ``reference_cell`` where to find them.
        over: what the interval is over.
        n: checkpoints.
        unpaired: items that are not the same on both sides; nothing is compared then.
        is_loss: nats per token, less is better; else a score, more is better.
        right_or_wrong: whether every item of it is one or the other.
        score_reference, score: means over checkpoints.
        difference: of the means, ``technique`` less ``reference``.
        low, high: its 95% interval; ``None`` where there is no spread to judge by.
        resolved: whether the two are told apart.
        checkpoints: one by one.
    """

    evaluation: str
    technique: str
    reference: str
    cell: str
    reference_cell: str
    over: Over = attrs.field(converter=Over)
    n: int
    unpaired: int
    is_loss: bool
    right_or_wrong: bool
    score_reference: float | None
    score: float | None
    difference: float | None
    low: float | None
    high: float | None
    resolved: bool
    checkpoints: tuple[CheckpointDifference, ...]


@attrs.frozen
class QualityGroup:
    """The precisions of one model that were given the same work."""

    group: ComparisonGroup
    differences: tuple[QualityDifference, ...]


@attrs.frozen
class Quality(Answer):
    """What precisions cost in quality; prints as text or HTML, and gives JSON.

    Attributes:
        scope: which results.
        groups: one per model and setting.
    """

    scope: Scope
    groups: tuple[QualityGroup, ...]

    def to_json(self) -> dict[str, Any]:
        """A document of plain values; unknown ones are null."""
        return {
            "schema": "effdsl/quality",
            "version": 1,
            **self.scope.as_dict(),
            "groups": [
                {
                    "comparison": found.group.as_dict(),
                    "differences": [plain(one) for one in found.differences],
                }
                for found in self.groups
            ],
        }

    def to_rows(self) -> AnswerTable:
        """One row per model, evaluation and precision."""
        return AnswerTable.of(
            (
                {"title": found.group.title, **plain(one, leave_out=("checkpoints",))}
                for found in self.groups
                for one in found.differences
            ),
            types_of(QualityDifference),
        )


def quality(
    source: Source, study: str | None = None, *, reference: str | None = None, on: Sequence[str] = ()
) -> Quality:
    """Compare every precision with ``reference``, item by item.

    Args:
        source: a store, its folder, or a DuckDB connection that has a store's views.
        study: a study's name, or the path of its file.
        reference: a precision, e.g. ``"BF16"`` or ``"INT4(group_size=128)"``; by default the usual one, BF16,
            which weights are published in and which products of fewer bits are computed in; where it is not
            there that of the most bits.
        on: only these evaluations; by default all.

    Raises:
        UnknownName: a study, precision or evaluation that does not exist, with the nearest one.
    """
    with session(source) as connection:
        scope = scope_of(connection, study, None)
        _check(connection, scope, reference, on)
        asked = {"study": scope.study, "reference": reference, "evaluations": list(on)}
        connection.execute(statement("quality/pairs"), asked)
        found = rows(connection, "quality/quality", {})
        cells = rows(connection, "quality/cells", {"study": scope.study})
    return Quality(scope, _groups(found, {row["cell"]: row["identity"] for row in cells}))


def _check(
    connection: DuckDBPyConnection, scope: Scope, reference: str | None, evaluations: Sequence[str]
) -> None:
    (known,) = rows(connection, "quality/known", {"study": scope.study})
    names = list(dict.fromkeys([*known["families"], *known["labels"]]))
    if reference is not None and reference.lower() not in map(str.lower, names):
        raise UnknownName(unknown("precision", reference, names))
    for name in evaluations:
        if name not in known["evaluations"]:
            raise UnknownName(unknown("evaluation", name, known["evaluations"]))


def _groups(found: Sequence[Row], cells: Mapping[str, Mapping[str, Any]]) -> tuple[QualityGroup, ...]:
    places = {cell: place for place, cell in enumerate(cells)}
    by_comparison: dict[str, list[Row]] = {}
    for row in sorted(found, key=lambda row: (not row["is_loss"], row["evaluation"], places[row["cell"]])):
        by_comparison.setdefault(json.dumps(row["comparison"], sort_keys=True), []).append(row)
    groups = name_groups([(group[0]["comparison"], None) for group in by_comparison.values()])
    return tuple(
        QualityGroup(group, tuple(_differences(of_it, cells)))
        for group, of_it in zip(groups, by_comparison.values(), strict=True)
    )


def _differences(found: Sequence[Row], cells: Mapping[str, Mapping[str, Any]]) -> list[QualityDifference]:
    here = dict.fromkeys(cell for row in found for cell in (row["reference"], row["cell"]))
    called = name_cells({cell: cells[cell] for cell in here})
    return [
        read_as(
            QualityDifference,
            row
            | {
                "technique": called[row["cell"]],
                "reference": called[row["reference"]],
                "reference_cell": row["reference"],
                "checkpoints": tuple(read_as(CheckpointDifference, one) for one in row["checkpoints"]),
            },
        )
        for row in found
    ]
