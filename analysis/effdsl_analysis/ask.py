"""What was asked, checked: studies, scales, metrics and objectives by name."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from effdsl.loading import name_of, typed
from effdsl.metrics import BY_NAME, BY_SHORT, Better, Metric
from effdsl.outside import readable
from effdsl.problems import nearest
from effdsl_analysis.naming import quantity
from effdsl_analysis.queries import rows
from effdsl_analysis.vocabulary import Across

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

EXACT = ["kv_bytes_per_token", "weight_bytes", "trainable_parameters", "adapter_bytes"]
"""Metrics that are computed rather than measured: one repeat of them is all there is to know."""

MOST_OBJECTIVES = 6


class UnknownName(LookupError):
    """A study, scale or metric that does not exist; the message says which do."""


@attrs.frozen
class Scope:
    """Which results a question is about.

    Attributes:
        study: name of the study; ``None`` for everything in the store.
        scale: the one scale asked for, or ``None``.
        results: how many results there are.
        missing: tasks of the study that have no result yet.
        file: the study's, as it was when it was last executed; empty without one.
        across: what is compared though it is no technique.
    """

    study: str | None
    scale: str | None
    results: int
    missing: int
    file: str = ""
    across: Across | None = None

    @property
    def typed(self) -> str:
        """What to type to execute the study."""
        return typed(Path(self.file)) if self.file else shlex.quote(str(self.study))

    def as_dict(self) -> dict[str, Any]:
        return {
            "study": self.study,
            "scale": self.scale,
            "across": self.across and self.across.value,
            "results": self.results,
            "missing": self.missing,
        }


@attrs.frozen
class Objective:
    """A metric and the direction in which it is wanted."""

    metric: Metric
    better: Better

    @property
    def sign(self) -> int:
        """1 where lower is better, -1 where higher is."""
        return self.better.sign

    def to_json(self) -> dict[str, str]:
        """The objective as plain values."""
        return {"metric": self.metric.name, "unit": self.metric.unit, "better": self.better.value}

    def __str__(self) -> str:
        return f"{self.better.value} {quantity(self.metric)}"


def scope_of(
    connection: DuckDBPyConnection, study: str | None, scale: str | None, across: Across | None = None
) -> Scope:
    """The scope of ``study`` (a name or the path of its file) and ``scale``.

    Raises:
        UnknownName: when the store knows neither, or there is nothing to compare ``across``.
    """
    (known,) = rows(connection, "scope", {"study": None, "scale": None})
    files = dict(zip(known["studies"], map(Path, known["files"]), strict=True))
    name = _study_name(readable(study), files) if study is not None else None
    if scale is not None and scale not in known["scales"]:
        raise UnknownName(unknown("scale", scale, known["scales"]))
    (counts,) = rows(connection, "scope", {"study": name, "scale": scale})
    if study is not None and study.endswith(".py"):
        _refuse_another_file(Path(study), Path(counts["file"]))
    if across is Across.MODELS and counts["results"] and not counts["models"]:
        whose = f"of study {name} " if name else ""
        raise UnknownName(
            f"no result {whose}starts from a model that exists: there are none to compare across"
        )
    return Scope(name, scale, counts["results"], counts["missing"], counts["file"] or "", across)


def _refuse_another_file(asked: Path, executed: Path) -> None:
    """A name is not enough where a file is meant: another of the same name may have run since."""
    if asked.exists() and executed.exists() and not asked.samefile(executed):
        raise UnknownName(
            f"what was last executed under the name {name_of(asked)!r} is {executed}; "
            f"`effdsl execute {asked}` makes it this file's, or give one of them another name"
        )


def named_metrics(names: Sequence[str]) -> list[Metric]:
    """The metrics called ``names``, each once; ``amu`` or ``AMU`` means ``amu_gb``, as in the paper.

    Raises:
        UnknownName: with the nearest name.
    """
    return list(dict.fromkeys(map(_metric, names)))


def _metric(name: str) -> Metric:
    plain = name.lower()
    metric = BY_NAME.get(plain) or BY_SHORT.get(plain)
    if metric is None:
        raise UnknownName(unknown("metric", name, list(BY_NAME)))
    return metric


def split_objectives(names: Sequence[str]) -> list[tuple[str, Better | None]]:
    """``ppl`` and ``ppl:max`` as a name and the direction that was given with it.

    Raises:
        UnknownName: for a direction that does not exist, none or more than six objectives.
    """
    directions = {"min": Better.LOWER, "max": Better.HIGHER}
    if not 1 <= len(names) <= MOST_OBJECTIVES:
        raise UnknownName(f"{len(names)} objectives; allowed: 1 to {MOST_OBJECTIVES}")
    objectives = []
    for text in names:
        name, _, direction = text.partition(":")
        if direction and direction not in directions:
            raise UnknownName(unknown("direction", direction, list(directions)))
        objectives.append((name, directions.get(direction)))
    return objectives


def parse_objectives(names: Sequence[str]) -> list[Objective]:
    """Objectives from ``ppl`` or, against the metric's own direction, ``ppl:max``.

    Raises:
        UnknownName: for a metric or direction that does not exist, a metric named twice, none or more
            than six.
    """
    objectives = []
    for name, given in split_objectives(names):
        metric = _metric(name)
        objectives.append(Objective(metric, given or metric.better))
    if len({objective.metric for objective in objectives}) < len(objectives):
        raise UnknownName(f"an objective is named twice in {', '.join(names)}")
    return objectives


def _study_name(asked: str, files: Mapping[str, Path]) -> str:
    """The known study that ``asked`` means; a study with a ``name=`` is known by that and by its file."""
    matches = next(filter(None, _matches(asked, files)), [])
    if len(matches) == 1:
        return matches[0]
    if asked in matches:
        return asked
    if matches:
        raise UnknownName(f"study {asked!r} may be {' or '.join(matches)}; say which")
    raise UnknownName(unknown("study", asked, list(files)))


def _matches(asked: str, files: Mapping[str, Path]) -> Iterator[list[str]]:
    """Studies that ``asked`` may mean, the surest first: by file, by name, by the last part of either."""
    path = Path(asked)
    is_file = path.suffix == ".py"
    if is_file and path.exists():
        yield [study for study, file in files.items() if file.exists() and file.samefile(path)]
    name = name_of(path) if is_file else asked
    yield [study for study in files if study == name]
    yield [study for study in files if study.endswith(f"/{name}")]
    yield [study for study, file in files.items() if file.stem == name]


def unknown(what: str, word: str, known: Sequence[str]) -> str:
    """What is said of a ``word`` that is not among the ``known`` ones."""
    if not known:
        return f"no {what} {word!r}: the store is empty; `effdsl execute STUDY` fills it"
    return f"no {what} {word!r}: {nearest(word, known)}known: {', '.join(known)}"
