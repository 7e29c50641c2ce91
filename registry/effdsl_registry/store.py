"""The store: a folder of record files, and a DuckDB index over them that can always be made anew."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from effdsl.key import short
from effdsl_registry import lookups, task_claims
from effdsl_registry.connection import ASKING, CONFIG, PATIENCE_S, WRITING, Config, connected
from effdsl_registry.errors import StoreBusy as StoreBusy
from effdsl_registry.errors import StoreDamaged as StoreDamaged
from effdsl_registry.errors import StoreError as StoreError
from effdsl_registry.errors import StoreNewer as StoreNewer
from effdsl_registry.errors import UnknownKey
from effdsl_registry.files import Table, locked, write_parquet, write_whole
from effdsl_registry.index import insert_study, rebuild
from effdsl_registry.ingest import insert_files
from effdsl_registry.layout import Layout
from effdsl_registry.lookups import FinishedResult, Lookup
from effdsl_registry.records import Record, from_json, to_json
from effdsl_registry.schema import create, has_our_columns, is_current, migrate, migrations
from effdsl_registry.task_claims import ClaimInfo as ClaimInfo

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FOLDER = ".effdsl"
CATCH_UP_PATIENCE_S = 1.0
PROJECT_MARKS = ("pyproject.toml", ".git", "studies")


@attrs.frozen
class StudyTask:
    """A task as a study asked for it."""

    key: str
    cell: str
    technique: str
    scale: str


@attrs.frozen
class Store(Layout):
    """A store in the folder ``root``. Nothing is created before something is written.

    Attributes:
        patience_s: how long to wait for another process that holds the index.
    """

    patience_s: float = PATIENCE_S

    @classmethod
    def find(cls, explicit: Path | None = None) -> Store:
        """The store that is meant here.

        In this order: ``explicit``, ``$EFFDSL_STORE``, the nearest ``.effdsl/`` from the working
        directory up, ``.effdsl/`` in the nearest folder that looks like a project, ``./.effdsl``.
        """
        named = explicit or os.environ.get("EFFDSL_STORE")
        if named:
            named = Path(named).expanduser()
            if Path(named).exists() and not Path(named).is_dir():
                raise StoreError(f"{named} is a file; a store is a folder")
            return cls(Path(named))
        here = Path.cwd()
        upward = [here, *here.parents]
        for folder in upward:
            if (folder / FOLDER).is_dir():
                return cls(folder / FOLDER)
        project = (f for f in upward if any((f / mark).exists() for mark in PROJECT_MARKS))
        return cls(next(project, here) / FOLDER)

    # Writing

    def write(
        self, record: Record, iterations: Table | None, samples: Table | None, items: Table | None = None
    ) -> Path:
        """Write the files of an attempt, the record last; returns its path. The index is not touched."""
        path = self.record_file(record.key, record.attempt)
        if iterations is not None:
            write_parquet(self.iterations_file(record.key, record.attempt), iterations)
        if samples is not None:
            write_parquet(self.samples_file(record.key, record.attempt), samples)
        if items is not None:
            write_parquet(self.items_file(record.key, record.attempt), items)
        with self.journal.noting(record.key, record.attempt):
            write_whole(path, to_json(record).encode() + b"\n")
        return path

    def ingest(self, paths: Sequence[Path] = ()) -> int:
        """Index ``paths`` and every other record that waits; returns how many rows are new.

        Raises:
            StoreBusy: when the index is held; the records are safe and wait for the next call.
        """
        noted = self.journal.read()
        files = list(dict.fromkeys((*map(str, paths), *self.record_paths(noted.attempts))))
        if not files:
            self.journal.clear(noted)
            return 0
        if made := self._make_index():
            return made
        with self.writing() as connection:
            new = insert_files(connection, files, self)
        self.journal.clear(noted)
        return new

    def remember_study(self, name: str, file: str, rows: Sequence[StudyTask]) -> None:
        """Remember which tasks a study asks for, in the order of its plan; no write when it is known."""
        path = self.study_file(name)
        said = {"study": name, "file": file, "tasks": [attrs.astuple(row) for row in rows]}
        content = json.dumps(said, separators=(",", ":")).encode()
        if path.exists() and path.read_bytes() == content:
            return
        with self.writing() as connection:
            insert_study(connection, content.decode())
        write_whole(path, content)

    def executed_from(self, study: str) -> str:
        """The file that ``study`` was last executed from; empty for a study that never was."""
        path = self.study_file(study)
        return str(json.loads(path.read_bytes())["file"]) if path.exists() else ""

    def claim(self, key: str) -> AbstractContextManager[bool]:
        """Claim a task while the block runs; ``False`` when another process holds it."""
        return task_claims.claim(self.claims, key)

    @contextmanager
    def writing(self) -> Iterator[DuckDBPyConnection]:
        """The index, open for writing and up to date; checkpointed and closed at the end."""
        self._make_index()
        with ExitStack() as stack:
            connection = stack.enter_context(self._open_to_write())
            current = is_current(connection)
            if not current and not has_our_columns(connection):
                stack.close()
                rebuild(self, self.patience_s)
                connection = stack.enter_context(self._open_to_write())
            elif not current:
                migrate(connection, migrations(), self.index_before_migration)
            yield connection
            connection.execute("CHECKPOINT")

    # Reading

    @contextmanager
    def reading(self, config: Config = CONFIG) -> Iterator[DuckDBPyConnection]:
        """The index, open for reading and caught up; empty views where nothing was written."""
        import duckdb

        self._catch_up()
        if self.index.exists():
            with self._open_to_read(config) as connection:
                yield connection
        else:
            with duckdb.connect(config=config) as connection:
                create(connection)
                yield connection

    def known(self, keys: Sequence[str], lineages: Sequence[str] = ()) -> Lookup:
        """The latest results of ``keys``, and which engine versions have results of ``lineages``."""
        self._catch_up()
        if not self.index.exists():
            return Lookup()
        with self._open_to_read(ASKING) as connection:
            return lookups.known(connection, keys, lineages)

    def values(self, metric: str, keys: Sequence[str]) -> dict[str, float]:
        """A metric of those of ``keys`` whose latest attempt ended well and has it."""
        with self.reading() as connection:
            return lookups.values(connection, metric, keys)

    def has_files(self, key: str) -> bool:
        """Whether what the task ``key`` left, e.g. its weights, is still there."""
        return self.checkpoints.of(key).is_dir()

    def finished(self, newest: int = 50) -> list[FinishedResult]:
        """The ``newest`` measured results of each hardware, engine and dtype."""
        self._catch_up()
        if not self.index.exists():
            return []
        with self._open_to_read(CONFIG) as connection:
            return lookups.finished(connection, newest)

    def record(self, prefix: str) -> Record:
        """The latest record whose key starts with ``prefix``.

        Raises:
            UnknownKey: when no key starts so, or several do.
        """
        folders = self.folders(prefix) if prefix else []
        if not folders:
            raise UnknownKey(
                f"no result in {self.root} starts with {prefix!r}; "
                "`effdsl sql 'FROM results SELECT short_key, technique, scale, seed'` lists them"
            )
        if len(folders) > 1:
            some = ", ".join(sorted(short(f.name) for f in folders)[:5]) + ", …" * (len(folders) > 5)
            raise UnknownKey(f"{len(folders)} results start with {prefix!r}, give more digits: {some}")
        attempts = [from_json(path.read_bytes(), str(path)) for path in folders[0].glob("*.json")]
        if not attempts:
            raise UnknownKey(f"{folders[0]} holds no record; `effdsl store verify` says what it is")
        return max(attempts, key=lambda record: (record.provenance.finished_at, record.attempt))

    def attempts(self, key: str) -> set[str]:
        """The attempts at ``key`` that have a record file, indexed or not."""
        return {path.stem for path in self.folder(key).glob("*.json")}

    def count(self) -> int:
        """How many tasks have a result."""
        with self.reading() as connection:
            row = connection.execute("SELECT count(*) FROM results").fetchone()
        return int(row[0]) if row else 0

    def running(self) -> list[ClaimInfo]:
        """The tasks that are being run now, by any process that uses this store."""
        return task_claims.held(self.claims)

    @contextmanager
    def _open_to_write(self) -> Iterator[DuckDBPyConnection]:
        with (
            locked(self.lock, self.patience_s),
            connected(self.index, False, self.patience_s, WRITING) as connection,
        ):
            yield connection

    @contextmanager
    def _open_to_read(self, config: Config) -> Iterator[DuckDBPyConnection]:
        """The index, brought up to date where another effdsl made it."""
        with ExitStack() as stack:
            connection = stack.enter_context(connected(self.index, True, self.patience_s, config))
            current = is_current(connection)
            self._refuse_without_records(connection)
            if not current:
                stack.close()
                with self.writing():
                    pass
                connection = stack.enter_context(connected(self.index, True, self.patience_s, config))
            yield connection

    def _refuse_without_records(self, connection: DuckDBPyConnection) -> None:
        if self.records.is_dir():
            return
        if connection.execute("SELECT 1 FROM internal.attempts LIMIT 1").fetchone():
            raise StoreDamaged(
                f"{self.root} has an index, but its records are gone; take records/ from a backup, "
                "or remove the index and run the studies again"
            )

    def _make_index(self) -> int:
        """Make an index where there is none, whole or not at all; returns how many attempts it got."""
        if self.index.exists():
            return 0
        return rebuild(self, self.patience_s)

    def _catch_up(self) -> None:
        """Index what waits; where nothing does, nothing is written."""
        if self.journal.read().length:
            with suppress(StoreBusy, OSError):  # long readers, a read-only disk: answer with what is indexed
                attrs.evolve(self, patience_s=min(self.patience_s, CATCH_UP_PATIENCE_S)).ingest()
        if not self.index.exists() and next(self.record_files(), None) is not None:
            self._make_index()
