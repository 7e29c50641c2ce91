"""Where the parts of a store are: one folder of record files, and an index beside it.

Nobody else spells a name in there, so that a part can be moved here alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

import attrs

from effdsl.key import short
from effdsl_registry.checkpoints import Checkpoints
from effdsl_registry.code_sets import CodeSets
from effdsl_registry.journal import Journal


@attrs.frozen
class Layout:
    """The files of a store in the folder ``root``. Nothing is opened or made."""

    root: Path = attrs.field(converter=Path)

    # The index

    @property
    def index(self) -> Path:
        """The DuckDB file."""
        return self.root / "index.duckdb"

    @property
    def new_index(self) -> Path:
        """Where an index is made before it takes the place of the one that is there."""
        return self.root / "index.duckdb.new"

    @property
    def index_before_migration(self) -> Path:
        """The copy of the index that a migration leaves."""
        return self.root / "index.before-migration.duckdb"

    @property
    def lock(self) -> Path:
        """The file that whoever writes the index holds locked."""
        return self.root / "index.lock"

    @property
    def journal(self) -> Journal:
        """The list of records that are not indexed yet."""
        return Journal(self.root / "pending")

    # Records and what belongs to them

    @property
    def records(self) -> Path:
        """The folder of all attempts."""
        return self.root / "records"

    def folder(self, key: str) -> Path:
        """Where the attempts at ``key`` are."""
        return self.records / key[:2] / key

    def folders(self, prefix: str) -> list[Path]:
        """The folders of the keys that start with ``prefix``: no pattern, for it is what somebody typed."""
        near = (folder for folder in self.records.glob("*") if folder.name.startswith(prefix[:2]))
        return [folder for some in near for folder in some.glob("*") if folder.name.startswith(prefix)]

    def record_file(self, key: str, attempt: str) -> Path:
        """The JSON file of an attempt."""
        return self.records / _place(key, attempt)

    def record_paths(self, attempts: Iterable[tuple[str, str]]) -> list[str]:
        """The JSON files of many attempts, as text: 100,000 take 0.03 s so, as paths 0.5 s."""
        records = str(self.records)
        return [f"{records}/{_place(key, attempt)}" for key, attempt in attempts]

    def iterations_file(self, key: str, attempt: str) -> Path:
        """The Parquet file with the time of every iteration, where there is one."""
        return self.folder(key) / f"{attempt}.iterations.parquet"

    def samples_file(self, key: str, attempt: str) -> Path:
        """The Parquet file with what the probes read, where there is one."""
        return self.folder(key) / f"{attempt}.samples.parquet"

    def items_file(self, key: str, attempt: str) -> Path:
        """The Parquet file with every item of the evaluations, where there are any."""
        return self.folder(key) / f"{attempt}.items.parquet"

    def record_of(self, table: Path) -> Path:
        """The record that a Parquet file belongs to."""
        return table.with_name(table.name.partition(".")[0] + ".json")

    def record_files(self) -> Iterator[Path]:
        """Every record file, in no particular order."""
        return self.records.glob("*/*/*.json")

    def attempt_files(self) -> Iterator[Path]:
        """Every file of every attempt, also unfinished ones, in no particular order."""
        return self.records.glob("*/*/*")

    # Beside the records

    @property
    def code_sets(self) -> CodeSets:
        """The code that results were measured with. A set is kept before the record that names it."""
        return CodeSets(self.root / "code")

    @property
    def studies(self) -> Path:
        """The folder of what studies asked for."""
        return self.root / "studies"

    def study_file(self, name: str) -> Path:
        """The JSON file of the study ``name``, which may hold a slash."""
        return self.studies / f"{quote(name, safe='')}.json"

    def study_files(self) -> list[Path]:
        """Every study's file, in the order of their names."""
        return sorted(self.studies.glob("*.json"))

    @property
    def logs(self) -> Path:
        """The folder of what tasks printed."""
        return self.root / "logs"

    def log_file(self, key: str, attempt: str) -> Path:
        """What an attempt printed."""
        return self.logs / f"{short(key)}-{attempt}.log"

    def log_files(self) -> list[Path]:
        """Every log, in the order of their names."""
        return sorted(self.logs.glob("*.log"))

    def handover(self, key: str) -> Path:
        """The folder in which a task and its result cross to another interpreter, while it runs."""
        return self.root / "running" / key

    @property
    def checkpoints(self) -> Checkpoints:
        """The files that tasks left under their keys. They are kept before the record that names them."""
        return Checkpoints(self.root / "artifacts")

    @property
    def claims(self) -> Path:
        """The folder of locks on tasks that are running."""
        return self.root / "claims"


def named_by(path: str) -> tuple[str, str]:
    """The key and the attempt that the path of a record file names."""
    _, key, name = path.rsplit("/", 2)
    return key, name.removesuffix(".json")


def _place(key: str, attempt: str) -> str:
    return f"{key[:2]}/{key}/{attempt}.json"
