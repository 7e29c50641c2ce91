"""Where the parts of a store are: one folder of record files, and an index beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs

from effdsl_registry.code_sets import CodeSets
from effdsl_registry.journal import Journal


@attrs.frozen
class Layout:
    """The files of a store in the folder ``root``. Nothing is opened or made."""

    root: Path = attrs.field(converter=Path)

    @property
    def index(self) -> Path:
        """The DuckDB file."""
        return self.root / "index.duckdb"

    @property
    def journal(self) -> Journal:
        """The list of records that are not indexed yet."""
        return Journal(self.root / "pending")

    @property
    def code_sets(self) -> CodeSets:
        """The code that results were measured with. A set is kept before the record that names it."""
        return CodeSets(self.root / "code")

    def folder(self, key: str) -> Path:
        """Where the attempts at ``key`` are."""
        return self.root / "records" / key[:2] / key

    def record_file(self, key: str, attempt: str) -> Path:
        """The JSON file of an attempt."""
        return self.folder(key) / f"{attempt}.json"

    def iterations_file(self, key: str, attempt: str) -> Path:
        """The Parquet file with the time of every iteration, where there is one."""
        return self.folder(key) / f"{attempt}.iterations.parquet"

    def samples_file(self, key: str, attempt: str) -> Path:
        """The Parquet file with what the probes read, where there is one."""
        return self.folder(key) / f"{attempt}.samples.parquet"

    def record_of(self, table: Path) -> Path:
        """The record that a Parquet file belongs to."""
        return table.with_name(table.name.partition(".")[0] + ".json")

    def record_files(self) -> Iterator[Path]:
        """Every record file, in no particular order."""
        return (self.root / "records").glob("*/*/*.json")
