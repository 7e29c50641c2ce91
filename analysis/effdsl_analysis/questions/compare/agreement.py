"""Whether what was measured orders the techniques as the paper's tables do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from effdsl.metrics import BY_NAME, Metric
from effdsl_analysis.answer import Answer, plain
from effdsl_analysis.ask import UnknownName, scope_of
from effdsl_analysis.evidence import lay_out
from effdsl_analysis.queries import Row, read_as, rows, session, statement
from effdsl_analysis.relations import AnswerTable, types_of
from effdsl_analysis.text import names
from effdsl_analysis.vocabulary import Contrast, Evidence

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from effdsl_analysis.queries import Source


@attrs.frozen
class SetupDifference:
    """A fact in which the printed table and the measured results differ; ``None``: nothing is said."""

    name: str
    printed: str | None
    measured: str | None


@attrs.frozen
class Value:
    """What one side says of a technique at a size; measured ones have a 95% interval."""

    side: str
    size: str
    method: str
    technique: str
    value: float
    low: float | None
    high: float | None


@attrs.frozen
class TechniquePair:
    """Two techniques, and what each side says of ``b`` against ``a``.

    Attributes:
        a, b: the techniques, as they were measured.
        printed_size, measured_size: the sizes at which each side compared them.
        printed: lower, higher or equal.
        measured: also tied or undecided.
        agrees: ``None`` where the repeats do not decide.
    """

    a: str
    b: str
    printed_size: str
    measured_size: str
    printed: Contrast = attrs.field(converter=Contrast)
    measured: Contrast = attrs.field(converter=Contrast)
    agrees: bool | None


@attrs.frozen
class KendallTau:
    """Kendall's tau-b of a printed and a measured order.

    Attributes:
        printed_size, measured_size: the sizes compared.
        pairs, resolved, agreeing: pairs of techniques, those that the repeats tell apart, and those of
            them that are ordered as printed.
        tau: from the means; ``None`` when one side does not order anything.
        tau_low, tau_high: what it can be when every pair that is not resolved may go either way.
    """

    printed_size: str
    measured_size: str
    pairs: int
    resolved: int
    agreeing: int
    tau: float | None
    tau_low: float | None
    tau_high: float | None


@attrs.frozen
class MetricAgreement:
    """How the two sides compare in one metric, in one measured setting (hardware, data and budget)."""

    metric: Metric
    setting: str
    values: tuple[Value, ...]
    pairs: tuple[TechniquePair, ...]
    taus: tuple[KendallTau, ...]


@attrs.frozen
class Agreement(Answer):
    """A printed table beside what was measured of the same techniques.

    Attributes:
        study: whose results; ``None`` for everything in the store.
        table: the paper's table.
        differs: what else differs between the two: read it first.
        metrics: one entry per metric and measured setting, in the order of ``effdsl.metrics``.
    """

    study: str | None
    table: int
    differs: tuple[SetupDifference, ...]
    metrics: tuple[MetricAgreement, ...]

    def to_json(self) -> dict[str, Any]:
        """A document of plain values; unknown ones are null."""
        return {
            "schema": "effdsl/agreement",
            "version": 1,
            "study": self.study,
            "table": f"Table {self.table}",
            "differs": [attrs.asdict(fact) for fact in self.differs],
            "metrics": [
                {
                    "metric": found.metric.name,
                    "unit": found.metric.unit,
                    "better": found.metric.better.value,
                    "setting": found.setting,
                    "values": [attrs.asdict(value) for value in found.values],
                    "pairs": [plain(pair) for pair in found.pairs],
                    "agreement": [attrs.asdict(tau) for tau in found.taus],
                }
                for found in self.metrics
            ],
        }

    def to_rows(self) -> AnswerTable:
        """One row per metric and pair of techniques: what each side says of their order."""
        types = types_of(TechniquePair) | {"metric": "VARCHAR", "setting": "VARCHAR", "table": "VARCHAR"}
        about = {"study": self.study, "table": f"Table {self.table}"}
        return AnswerTable.of(
            (
                {**about, "metric": found.metric.name, "setting": found.setting, **plain(pair)}
                for found in self.metrics
                for pair in found.pairs
            ),
            types,
        )


def compare(source: Source, study: str | None = None, *, table: int) -> Agreement:
    """Compare the results of ``study`` (everything without one) with the paper's ``table``.

    Raises:
        UnknownName: a study or table that does not exist, or that share no two techniques.
    """
    with session(source) as connection:
        scope = scope_of(connection, study, None)
        lay_out(connection, Evidence.PUBLISHED)
        for kept in ("figures", "contrasts"):
            connection.execute(statement(f"compare/printed_{kept}"), {"table_number": table})
        lay_out(connection, Evidence.MEASURED, study)
        connection.execute(statement("compare/pairs"))
        metrics = _metrics(connection)
        if not metrics:
            raise UnknownName(_nothing_shared(connection, study, table))
        differs = tuple(SetupDifference(**row) for row in rows(connection, "compare/set_up", {}))
    return Agreement(scope.study, table, differs, tuple(metrics))


def _metrics(connection: DuckDBPyConnection) -> list[MetricAgreement]:
    values, pairs, taus = (
        rows(connection, f"compare/{name}", {}) for name in ("values", "compared", "agreement")
    )
    found = dict.fromkeys((row["metric"], row["setting"]) for row in pairs)
    places = {name: place for place, name in enumerate(BY_NAME)}
    return [
        MetricAgreement(
            BY_NAME[metric],
            next(row["source"] for row in pairs if _is_of(row, metric, (setting,))),
            tuple(read_as(Value, row) for row in values if _is_of(row, metric, ("", setting))),
            tuple(read_as(TechniquePair, row) for row in pairs if _is_of(row, metric, (setting,))),
            tuple(read_as(KendallTau, row) for row in taus if _is_of(row, metric, (setting,))),
        )
        for metric, setting in sorted(found, key=lambda key: (places[key[0]], key[1]))
    ]


def _is_of(row: Row, metric: str, settings: tuple[str, ...]) -> bool:
    return row["metric"] == metric and row["setting"] in settings


def _nothing_shared(connection: DuckDBPyConnection, study: str | None, table: int) -> str:
    (both,) = rows(connection, "compare/shared", {})
    what = f"study {study}" if study else "the store"
    if not both["printed"]:
        known = ", ".join(f"table{number}" for number in both["tables"])
        return f"the paper has no table {table} of results; there are: {known}"
    measured, printed = (names(both[side], 0) or "nothing" for side in ("measured", "printed"))
    return f"{what} and Table {table} share no two techniques: measured {measured}; printed {printed}"
