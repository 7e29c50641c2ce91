"""A store that a test fills with results in a line each, and what the paper printed."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import attrs
import effdsl_registry
import pytest
from effdsl_analysis.queries import rows, session, statement
from effdsl_analysis.questions.claims.verdicts import claims
from effdsl_analysis.vocabulary import Evidence
from effdsl_registry.records import Identity, Provenance, Record, Row
from effdsl_registry.store import Store, StudyTask

from effdsl.metrics import BY_NAME
from effdsl.task import ChosenTechnique

CHOICES = {
    "backbone": ChosenTechnique("Transformer", "Transformer", usual=True),
    "attention": ChosenTechnique("MHA", "MHA"),
    "position": ChosenTechnique("RoPE", "RoPE", usual=True),
    "feed_forward": ChosenTechnique("SwiGLU", "SwiGLU", usual=True),
}
IDENTITY = Identity(
    stage="pretraining",
    technique="MHA",
    scale="3M",
    parameters=3_000_000,
    hardware="AMD EPYC x2",
    dtype="bfloat16",
    engine="torch",
    engine_version=1,
    choices=CHOICES,
    setting={
        "data": "Shakespeare",
        "data_revision": "abc",
        "tokenizer": "BPE",
        "context_length": 256,
        "batch_size": 8,
        "steps": 300,
    },
    details={
        "micro_batch_size": 8,
        "vocab_size": 2048,
        "tokens": 614_400,
        "layers": 4,
        "hidden_size": 256,
        "heads": 8,
        "experts": None,
    },
)
USUAL = {name: has.label for name, has in CHOICES.items()} | {"attention": "GQA"}


def identity_of(technique: str, columns: dict[str, Any]) -> Identity:
    """The identity of a test's result: columns of every stage, and by name what pretraining has beside."""
    given = {"attention": technique, **columns}
    maps: dict[str, dict[str, Any]] = {
        "setting": dict(IDENTITY.setting),
        "details": dict(IDENTITY.details),
        "choices": dict(IDENTITY.choices),
    }
    for name in list(given):
        if name in ("backbone", "aspect", "attention", "position", "feed_forward"):
            maps["choices"].pop(name, None)
            label = given.pop(name)
            if label:
                family = "AspectRatio" if name == "aspect" else label.partition("(")[0]
                maps["choices"][name] = ChosenTechnique(family, label, usual=label == USUAL.get(name))
        else:
            for part in ("setting", "details"):
                if name in maps[part]:
                    maps[part][name] = given.pop(name)
    if found := maps["choices"].get("feed_forward"):
        experts = found.label.partition("experts=")[2].partition(",")[0].rstrip(")")
        maps["details"]["experts"] = int(experts) if experts else None
    return attrs.evolve(IDENTITY, technique=technique, **maps, **given)


def share_rows(by_layer: Sequence[Sequence[float]]) -> tuple[dict[str, float], ...]:
    """Shares by layer and expert, as a record's table holds them."""
    return tuple(
        {"layer": layer, "expert": expert, "share": share}
        for layer, shares in enumerate(by_layer)
        for expert, share in enumerate(shares)
    )


def item_columns(items: Mapping[str, Sequence[float | tuple[float, float]]]) -> dict[str, list[Any]]:
    """Items by evaluation, as the file of an attempt holds them; a value without a weight has 1."""
    rows = [
        (name, item, *(given if isinstance(given, tuple) else (given, 1.0)))
        for name, values in items.items()
        for item, given in enumerate(values)
    ]
    return dict(
        zip(("evaluation", "item", "value", "weight"), map(list, zip(*rows, strict=True)), strict=True)
    )


def digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


@attrs.define
class Shelf:
    """A store under construction."""

    root: Path
    _tasks: dict[str, list[StudyTask]] = attrs.field(factory=dict)

    @property
    def store(self) -> Store:
        """The store with everything added so far."""
        store = Store(self.root)
        for name, tasks in self._tasks.items():
            store.remember_study(name, f"studies/{name}.py", tasks)
        return store

    def task(self, study: str, technique: str, seed: int = 0) -> None:
        """A task of a study, without a result."""
        key = digest("task", study, technique, seed)
        self._tasks.setdefault(study, []).append(StudyTask(key, digest(key), technique, "3M"))

    def add(
        self,
        technique: str = "MHA",
        *,
        study: str = "",
        called: str = "",
        kernel: str = "sdpa",
        threads: int | None = None,
        outcome: str = "ok",
        reason: str = "",
        missing: Mapping[str, str] | None = None,
        meter_scope: str = "",
        evidence: str = "measured",
        canonical: str = "",
        identity: Identity | None = None,
        held_out: Sequence[tuple[int, float | None]] = (),
        loss_curve: Sequence[tuple[int, float | None]] = (),
        decoding: tuple[Row, ...] = (),
        expert_shares: tuple[tuple[float, ...], ...] = (),
        examples: Row | None = None,
        code: Mapping[str, str] | None = None,
        items: Mapping[str, Sequence[float | tuple[float, float]]] | None = None,
        **columns: Any,
    ) -> str:
        """One result: identity columns and metrics by name; returns its key.

        ``called`` is what its study calls it, where that is not the technique's own name; ``code`` maps
        the modules that it was measured with to digests of their files; an ``identity`` that is given is
        taken as it stands; ``items`` are by evaluation values, or values with weights.
        """
        metrics = {name: columns.pop(name) for name in list(columns) if name in BY_NAME}
        identity = identity or identity_of(technique, columns)
        cell = digest(evidence, repr(attrs.evolve(identity, seed=0)))
        key = digest(cell, identity.seed)
        record = Record(
            key=key,
            cell=cell,
            lineage=digest("lineage", key),
            canonical=canonical or json.dumps({"$": "task", "cell": {"technique": technique}}),
            attempt=digest("attempt", key)[:32],
            outcome=outcome,
            reason=reason,
            evidence=evidence,
            identity=identity,
            metrics={name: value for name, value in metrics.items() if value is not None},
            missing=dict(missing or {}),
            curves={"train": loss_curve} | ({"held_out": held_out} if held_out else {}),
            tables={"decoding": decoding, "expert_shares": share_rows(expert_shares)}
            | ({"examples": (examples,)} if examples else {}),
            items={name: len(values) for name, values in (items or {}).items()},
            provenance=Provenance(
                started_at="2026-01-01T00:00:00+00:00",
                finished_at="2026-01-01T00:01:00+00:00",
                meter_scope=meter_scope,
                kernel=kernel,
                threads=threads,
                code=Store(self.root).code_sets.keep(code) if code else "",
                libraries={"torch": "2.13.0"},
            ),
        )
        Store(self.root).write(record, None, None, item_columns(items) if items else None)
        if study:
            self._tasks.setdefault(study, []).append(
                StudyTask(key, cell, called or technique, identity.scale)
            )
        return key

    def repeats(self, technique: str, *, seeds: Sequence[int] = (), **metrics: Any) -> list[str]:
        """One result per seed (0, 1, … by default); a sequence as a metric gives each its own value."""
        lengths = {len(value) for value in metrics.values() if isinstance(value, list)}
        (n,) = lengths or {len(seeds)}
        return [
            self.add(
                technique,
                seed=seed,
                **{name: value[i] if isinstance(value, list) else value for name, value in metrics.items()},
            )
            for i, seed in enumerate(seeds or range(n))
        ]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """An empty store to fill."""
    return Shelf(tmp_path / "store")


@pytest.fixture(scope="module")
def shared_shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """A store that a module fills once and then only reads, for an index takes long to make."""
    return Shelf(tmp_path_factory.mktemp("shared") / "store")


@pytest.fixture(scope="session")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store to which nothing was written."""
    return Store(tmp_path_factory.mktemp("nothing") / "store")


Cases = dict[str, bool | None]


@attrs.frozen
class Paper:
    """The paper's tables, read from the files themselves, every number exact."""

    folder: Path

    def blocks(self, file: str) -> dict[str, dict[str, dict[str, Any]]]:
        """The rows of a table by model and method."""
        found: dict[str, dict[str, dict[str, Any]]] = {}
        with (self.folder / file).open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                found.setdefault(row["model"], {})[row["method"]] = {
                    name: exact(text) for name, text in row.items()
                }
        return found


def exact(text: str) -> Fraction | str:
    """The number that a token says, or the token."""
    try:
        return Fraction(text)
    except ValueError:
        return text


@pytest.fixture(scope="session")
def paper() -> Paper:
    """What the paper printed."""
    return Paper(Path(effdsl_registry.__file__).parent / "published")


@pytest.fixture(scope="session")
def published_cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Cases]:
    """Per claim, its cases on published evidence and whether each supports it."""
    asked = claims(Store(tmp_path_factory.mktemp("claims")), evidence=Evidence.PUBLISHED)
    return {claim.id: {case.case: case.supports for case in claim.cases} for claim in asked.claims}


@pytest.fixture
def cases_of(tmp_path: Path) -> Any:
    """A function: a claim's cases on made-up evidence, one dict per subject, metrics as lists of repeats.

    A subject may say how its values were ``printed``.
    """

    def ask(claim: str, *subjects: dict[str, Any], axis: str, modality: str = "text") -> Cases:
        with session(Store(tmp_path)) as connection:
            for name in ("subjects", "observations"):
                connection.execute(statement(f"evidence/published_{name}"))
                connection.execute(f"DELETE FROM {name}")  # noqa: S608 - names of our own
            for place, subject in enumerate(subjects):
                _insert(connection, {"cell": f"cell {place}", "axis": axis, "modality": modality} | subject)
            connection.execute(statement("evidence/contrasts"))
            for words in ("words", "tables", "sizes"):
                connection.execute(statement(f"claims/{words}"))
            return {row["case"]: row["supports"] for row in rows(connection, f"claims/{claim}", {})}

    return ask


def _insert(connection: Any, subject: dict[str, Any]) -> None:
    said = {name: value for name, value in subject.items() if name not in BY_NAME and name != "printed"}
    said |= {"setting": "made up", "source": "made up", "technique": subject["method"]}
    connection.execute(
        f"INSERT INTO subjects ({', '.join(said)}) VALUES ({', '.join('?' * len(said))})",  # noqa: S608
        list(said.values()),
    )
    for metric in BY_NAME.keys() & subject.keys():
        for seed, value in enumerate(subject[metric]):
            connection.execute(
                "INSERT INTO observations VALUES (?, ?, ?, ?, false, ?, NULL)",
                [subject["cell"], metric, seed, value, subject.get("printed")],
            )
