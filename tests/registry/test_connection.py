"""What an index that cannot be opened or written is said to be."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from effdsl_registry.connection import connected
from effdsl_registry.errors import StoreDamaged, StoreError


@pytest.mark.parametrize("why", ["No space left on device", "Disk quota exceeded", "File too large"])
@pytest.mark.parametrize("kind", [duckdb.IOException, duckdb.FatalException])
def test_a_full_disk_is_no_damage_and_asks_for_room(tmp_path: Path, why: str, kind: type[Exception]) -> None:
    with (
        pytest.raises(StoreError, match=f"cannot be written: .*{why}.*; make room") as full,
        connected(tmp_path / "index.duckdb", read_only=False),
    ):
        raise kind(f'IO Error: Could not write file "index.duckdb": {why}')
    assert not isinstance(full.value, StoreDamaged)
    assert "rebuild" not in str(full.value)


def test_a_failing_read_is_still_damage(tmp_path: Path) -> None:
    with (
        pytest.raises(StoreDamaged, match=r"cannot be read: .*\n.*store rebuild"),
        connected(tmp_path / "index.duckdb", read_only=False),
    ):
        raise duckdb.IOException("IO Error: Could not read file")
