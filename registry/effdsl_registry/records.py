"""A record: everything known of one attempt at a task, as one JSON file. Records are the truth."""

from __future__ import annotations

import json
import math
import re
import reprlib
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import attrs

from effdsl.task import ChosenTechnique
from effdsl.workload import Plain
from effdsl_registry.errors import RecordDamaged, StoreNewer

if TYPE_CHECKING:
    from cattrs import Converter

FORMAT = 1
Curve = tuple[tuple[int, float | None], ...]
Row = dict[str, float]


def _matches(pattern: str) -> Any:
    """A validator: these names become paths, so nothing but their own alphabet is let in."""
    return attrs.validators.matches_re(pattern, func=re.fullmatch)


_digest = _matches("[0-9a-f]{64}")
_digest_or_none = _matches("([0-9a-f]{64})?")


def _curve(points: Any) -> Curve:
    """Points of a curve; a loss that is not finite becomes ``None``, for JSON has no NaN."""
    return tuple((step, loss if loss is not None and math.isfinite(loss) else None) for step, loss in points)


def _curves(curves: Any) -> dict[str, Curve]:
    return {name: _curve(points) for name, points in curves.items()}


def _strings(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(values)


@attrs.frozen(kw_only=True)
class Identity:
    """What was asked, as the typed columns of the view ``results``. A string that does not apply is empty.

    Attributes:
        technique: the short name people read, e.g. ``GQA(kv_heads=2)``.
        scale: the nominal size, e.g. ``3M``, or the name of the model.
        parameters: exact number of weights.
        active_parameters: those that one token passes through.
        hardware, hardware_count: class of device and how many.
        choices: the technique on each axis of the stage, from the outside in.
        setting: what else must agree for two cells to be compared, by the names that the stage declares.
        details: what may differ between cells that are compared, and tells apart those of one name.
    """

    stage: str
    technique: str
    scale: str = ""
    parameters: int | None = None
    active_parameters: int | None = None
    seed: int = 0
    hardware: str = ""
    hardware_count: int = 1
    dtype: str = ""
    engine: str = ""
    engine_version: int | None = None
    choices: dict[str, ChosenTechnique] = attrs.field(factory=dict)
    setting: dict[str, Plain] = attrs.field(factory=dict)
    details: dict[str, Plain] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Provenance:
    """What was observed beside the result; never part of the key.

    Attributes:
        started_at, finished_at: UTC, ISO 8601.
        threads: that computed.
        load_average: of the host over the minute before the start.
        cpu_over_wall: CPU time of the process over wall time of the measured window.
        meter, meter_scope: what read the energy, and of what: ``gpu``, ``module``, ``package`` or empty.
        flags: warnings, e.g. ``throttled``.
        code: name of the code set that the result was measured with; empty when there is none.
        kernel: the attention implementation that ran.
    """

    started_at: str
    finished_at: str
    duration_s: float | None = None
    host: str = ""
    device: str = ""
    driver: str = ""
    os: str = ""
    python: str = ""
    libraries: dict[str, str] = attrs.field(factory=dict)
    git_commit: str = ""
    git_dirty: bool | None = None
    threads: int | None = None
    load_average: float | None = None
    cpu_over_wall: float | None = None
    meter: str = ""
    meter_scope: str = ""
    warmup_iterations: int | None = None
    measured_iterations: int | None = None
    sampler_period_s: float | None = None
    sampler_samples: int | None = None
    flags: tuple[str, ...] = attrs.field(default=(), converter=_strings)
    code: str = attrs.field(default="", validator=_digest_or_none)
    kernel: str = ""


@attrs.frozen(kw_only=True)
class Record:
    """One attempt at a task. A metric that is not finite is moved to ``missing`` with its value as reason.

    Attributes:
        key, cell, lineage: the task's addresses, 64 hexadecimal digits each.
        canonical: canonical JSON of the task; ``key`` is its hash.
        attempt: names this attempt and its files.
        outcome: ``ok``, ``oom``, ``timeout``, ``diverged``, ``unsupported`` or ``failed``.
        evidence: ``measured``, ``estimated`` or ``published``.
        metrics: by the names of ``effdsl.metrics.METRICS``; absent where not applicable or not measurable.
        missing: metric to the reason why it is absent.
        curves: by name, e.g. ``train`` and ``held_out`` loss: (iterations done, value), ``None`` where it was
            not finite.
        tables: by name, e.g. ``decoding`` and ``expert_shares``: rows of numbers.
        scores: by the name of what was evaluated, as a whole.
        items: by the name of what was evaluated, how many items there are in the file beside it.
        artifacts: by name, texts that the task made, e.g. a ``sample`` of what the model writes.
        files: what the task left under its key, e.g. weights: SHA-256 by path.
    """

    format: int = FORMAT
    key: str = attrs.field(validator=_digest)
    cell: str = attrs.field(validator=_digest)
    lineage: str = attrs.field(validator=_digest)
    canonical: str
    attempt: str = attrs.field(validator=_matches("[0-9A-Za-z-]{1,64}"))
    outcome: str
    reason: str = ""
    evidence: str = "measured"
    identity: Identity
    metrics: dict[str, float] = attrs.field(factory=dict)
    missing: dict[str, str] = attrs.field(factory=dict)
    provenance: Provenance
    curves: dict[str, Curve] = attrs.field(factory=dict, converter=_curves)
    tables: dict[str, tuple[Row, ...]] = attrs.field(factory=dict)
    scores: dict[str, float] = attrs.field(factory=dict)
    items: dict[str, int] = attrs.field(factory=dict)
    artifacts: dict[str, str] = attrs.field(factory=dict)
    files: dict[str, str] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        not_finite = {name: f"the value was {v}" for name, v in self.metrics.items() if not math.isfinite(v)}
        if not_finite:
            kept = {name: value for name, value in self.metrics.items() if name not in not_finite}
            object.__setattr__(self, "metrics", kept)
            object.__setattr__(self, "missing", {**not_finite, **self.missing})


def to_json(record: Record) -> str:
    """The record as one line of JSON."""
    return json.dumps(attrs.asdict(record), separators=(",", ":"), allow_nan=False)


def from_json(text: str | bytes, source: str = "record") -> Record:
    """The record that ``text`` holds; ``source`` is named in errors.

    Raises:
        StoreNewer: when a newer effdsl wrote it.
        RecordDamaged: when it is not a record, with the fields that are wrong.
    """
    try:
        value = json.loads(text)
    except ValueError as error:
        raise RecordDamaged(f"{source}: not JSON: {error}") from error
    if not isinstance(value, Mapping) or not isinstance(value.get("format"), int):
        raise RecordDamaged(f"{source}: not a record, it has no format number")
    if value["format"] > FORMAT:
        raise StoreNewer(f"{source}: format {value['format']}, this effdsl reads {FORMAT}; update effdsl")
    return _structure(value, source)


def _structure(value: Mapping[str, Any], source: str) -> Record:
    import cattrs

    try:
        return _converter().structure(value, Record)
    except cattrs.BaseValidationError as error:
        raise RecordDamaged(f"{source}: {'; '.join(cattrs.transform_error(error))}") from error


@cache
def _converter() -> Converter:
    import cattrs

    converter = cattrs.Converter()
    converter.register_structure_hook(str, lambda v, _: _of(v, str))
    converter.register_structure_hook(int, lambda v, _: _of(v, int))
    converter.register_structure_hook(bool, lambda v, _: _of(v, bool))
    converter.register_structure_hook(Plain, lambda v, _: None if v is None else _of(v, str, int, float))
    converter.register_structure_hook(float, lambda v, _: float(_of(v, int, float)))
    return converter


def _of(value: Any, *types: type) -> Any:
    """``value`` when it is of one of ``types``: a damaged file is refused, not coerced."""
    if isinstance(value, types) and (bool in types or not isinstance(value, bool)):
        return value
    raise ValueError(f"{reprlib.repr(value)} is not {' or '.join(t.__name__ for t in types)}")
