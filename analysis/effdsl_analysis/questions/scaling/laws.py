"""How metrics grow with parameters, per technique, and where two techniques are predicted to cross."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import attrs

from effdsl.metrics import BY_NAME, METRICS, Metric
from effdsl_analysis.answer import Answer, plain
from effdsl_analysis.ask import UnknownName, named_metrics, unknown
from effdsl_analysis.evidence import laid_out
from effdsl_analysis.queries import Row, read_as, rows, statement
from effdsl_analysis.relations import AnswerTable, types_of
from effdsl_analysis.vocabulary import Evidence

if TYPE_CHECKING:
    from effdsl_analysis.queries import Source

MEMORY_AND_TIME = ("amu_gb", "peak_memory_gb", "al_s_per_iter", "sum_al_s")
"""Metrics that are shown unasked, beside quality."""


class Fit(enum.Enum):
    """Whether a law could be fitted, or why not."""

    FITTED = "fitted"
    NO_PARAMETERS = "no parameters"
    TOO_FEW_SIZES = "too few sizes"
    """Fewer than three."""
    NOT_POSITIVE = "not positive"
    """A value has no logarithm."""


class Trend(enum.Enum):
    """Which way a metric goes with parameters."""

    GROWS = "grows"
    FALLS = "falls"
    THE_SAME = "the same"
    UNCLEAR = "unclear"
    """The interval of the exponent holds zero."""


class CrossingPlace(enum.Enum):
    """Where a crossing lies, of the range of sizes that were compared."""

    INSIDE = "inside"
    ABOVE = "above"
    BELOW = "below"


@attrs.frozen
class Law:
    """``value = c * (N / 1e9) ** exponent`` for one technique and metric, N its parameters.

    Attributes:
        points, sizes: values, each a mean over repeats, and how many different N they have.
        size_names: scales or models, small ones first.
        smallest, largest: N of the least and the greatest; ``None`` where no parameters are known.
        verdict: whether it could be fitted; all that follows is ``None`` unless it was.
        exponent, low, high: with its 95% interval, by Student's t with ``points - 2`` degrees of freedom.
        r2: share of the variance of the logarithms that is explained; ``None`` where they do not vary.
        trend: which way the metric goes.
    """

    metric: str
    technique: str
    points: int
    sizes: int
    size_names: tuple[str, ...]
    smallest: float | None
    largest: float | None
    verdict: Fit = attrs.field(converter=Fit)
    exponent: float | None
    low: float | None
    high: float | None
    c: float | None
    r2: float | None
    trend: Trend | None = attrs.field(converter=attrs.converters.optional(Trend))

    def predicted(self, parameters: float) -> float | None:
        """The value at this many parameters; ``None`` without a fit."""
        if self.c is None or self.exponent is None:
            return None
        return float(self.c * (parameters / 1e9) ** self.exponent)


@attrs.frozen
class Crossing:
    """Where the laws of ``a`` and ``b`` meet.

    Attributes:
        resolved: whether the intervals of the exponents are apart. If not, no crossing is claimed, and
            all that follows is ``None``.
        crossing, low, high: N at which they meet, with its 95% interval; ``None`` where it is beyond all
            numbers.
        place: where it lies.
        beyond: how many times above the largest, or below the smallest size; ``None`` inside.
        lower_below, lower_above: which of the two is lower on either side.
    """

    metric: str
    a: str
    b: str
    resolved: bool
    crossing: float | None
    low: float | None
    high: float | None
    place: CrossingPlace | None = attrs.field(converter=attrs.converters.optional(CrossingPlace))
    beyond: float | None
    lower_below: str | None
    lower_above: str | None


@attrs.frozen
class ScalingGroup:
    """The laws along one axis, in one setting.

    Attributes:
        source: the table, or the hardware, data and budget that all share.
        of_models: whether the sizes are different models rather than one model at several scales.
        micro_batches: sequences per step on one device, small sizes first, where they differ between
            sizes: memory and time are then not those of equal work.
    """

    axis: str
    source: str
    of_models: bool
    micro_batches: tuple[int, ...]
    laws: tuple[Law, ...]
    crossings: tuple[Crossing, ...]

    @property
    def fitted(self) -> tuple[Law, ...]:
        """The laws that could be fitted."""
        return tuple(law for law in self.laws if law.verdict is Fit.FITTED)


@attrs.frozen
class Scaling(Answer):
    """How metrics grow with parameters; prints as text or HTML, and gives JSON.

    Attributes:
        metrics: those asked for.
        groups: one per axis and setting (of energies also meter scope).
    """

    evidence: Evidence
    metrics: tuple[Metric, ...]
    groups: tuple[ScalingGroup, ...]

    def to_json(self) -> dict[str, Any]:
        """A document of plain values; unknown ones are null."""
        return {
            "schema": "effdsl/scaling",
            "version": 1,
            "evidence": self.evidence.value,
            "metrics": [metric.name for metric in self.metrics],
            "groups": [plain(found) for found in self.groups],
        }

    def to_rows(self) -> AnswerTable:
        """One row per axis, setting, metric and technique."""
        return AnswerTable.of(
            (
                {"axis": found.axis, "source": found.source, **plain(law)}
                for found in self.groups
                for law in found.laws
            ),
            types_of(Law),
        )


def scaling(
    source: Source,
    study: str | None = None,
    *,
    evidence: Evidence = Evidence.MEASURED,
    metrics: Sequence[str] = (),
    axes: Sequence[str] = (),
) -> Scaling:
    """Fit how ``metrics`` grow with parameters, and predict where techniques cross.

    Args:
        source: a store, its folder, or a DuckDB connection that has a store's views.
        study: of measured evidence, only this study's.
        evidence: what to fit.
        metrics: by default those of quality, memory and time.
        axes: only these axes, e.g. ``["attention"]``; by default all.

    Raises:
        UnknownName: a study, metric or axis that does not exist, with the nearest one; or metrics without
            a value.
    """
    quality = [metric.name for metric in METRICS if metric.is_quality]
    asked = named_metrics(metrics or [*quality, *MEMORY_AND_TIME])
    with laid_out(source, evidence, study) as connection:
        (known,) = rows(connection, "recommend/known", {})
        if not known["axes"]:
            return Scaling(evidence, tuple(asked) if metrics else (), ())
        _check(known, evidence, asked if metrics else (), axes)
        names = [metric.name for metric in asked]
        connection.execute(statement("scaling/fits"), {"metrics": names, "axes": list(axes)})
        laws, crossings = (rows(connection, f"scaling/{name}", {}) for name in ("laws", "crossings"))
    groups = tuple(_group(key, list(found), crossings) for key, found in groupby(laws, key=_key))
    return Scaling(evidence, tuple(metric for metric in asked if metrics or _has(laws, metric)), groups)


def _check(known: Row, evidence: Evidence, metrics: Sequence[Metric], axes: Sequence[str]) -> None:
    for axis in axes:
        if axis not in known["axes"]:
            raise UnknownName(unknown(f"{evidence.value} axis", axis, known["axes"]))
    for metric in metrics:
        if metric.name not in known["metrics"]:
            raise UnknownName(
                f"no {evidence.value} value of {metric.name}; there are: {', '.join(known['metrics'])}"
            )


def _has(laws: Sequence[Row], metric: Metric) -> bool:
    return any(row["metric"] == metric.name for row in laws)


def _key(row: Row) -> tuple[str, str, str]:
    return row["axis"], row["setting"], row["scope"] or ""


def _group(key: tuple[str, str, str], laws: list[Row], crossings: Sequence[Row]) -> ScalingGroup:
    places = {name: place for place, name in enumerate(BY_NAME)}
    laws = sorted(laws, key=lambda row: places[row["metric"]])
    laws = [row | {"size_names": tuple(dict.fromkeys(row["size_names"]))} for row in laws]
    found = sorted((row for row in crossings if _key(row) == key), key=lambda row: places[row["metric"]])
    meter = f" · energy of the {key[2]}" if key[2] else ""
    return ScalingGroup(
        axis=key[0],
        source=f"{laws[0]['source']}{meter}",
        of_models=laws[0]["of_models"],
        micro_batches=_differing(laws),
        laws=tuple(read_as(Law, row) for row in laws),
        crossings=tuple(read_as(Crossing, row) for row in found),
    )


def _differing(laws: Sequence[Row]) -> tuple[int, ...]:
    """The micro-batches of the techniques, where they are not the same at every size."""
    for row in laws:
        sizes = tuple(dict.fromkeys(row["micro_batches"]))
        if len(sizes) > 1:
            return sizes
    return ()
