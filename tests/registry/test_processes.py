"""Several processes, some of them killed, on one store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from effdsl_registry.errors import StoreBusy
from effdsl_registry.records import to_json
from effdsl_registry.store import Store

CLAIM_ALL = """
import sys, time
from pathlib import Path
from effdsl_registry.store import Store
store, log = Store(Path(sys.argv[1])), open(sys.argv[2], "a")
for number in range(60):
    key = f"{number:064x}"
    with store.claim(key) as won:
        if won and not store.attempts(key):
            log.write(key + chr(10))
            log.flush()
            store.folder(key).mkdir(parents=True)
            (store.folder(key) / "done.json").touch()
"""

WRITE_AND_INGEST = """
import sys
from pathlib import Path
from effdsl_registry.records import from_json
from effdsl_registry.store import Store
store = Store(Path(sys.argv[1]))
for line in open(sys.argv[2]):
    store.write(from_json(line), None, None)
    store.ingest()
    print("indexed", flush=True)
"""

HOLD_CLAIM = """
import sys, time
from pathlib import Path
from effdsl_registry.store import Store
with Store(Path(sys.argv[1])).claim("a" * 64) as won:
    print(won, flush=True)
    time.sleep(60)
"""

HOLD_INDEX = """
import sys, time, duckdb
with duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "reading"):
    print("held", flush=True)
    sys.stdin.readline()
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


@pytest.mark.slow
def test_processes_that_claim_the_same_tasks_run_each_once(tmp_path: Path) -> None:
    logs = [tmp_path / f"{number}.log" for number in range(3)]
    processes = [start(CLAIM_ALL, tmp_path / "store", log) for log in logs]
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    won = [line for log in logs for line in log.read_text().split()]
    assert sorted(won) == [f"{number:064x}" for number in range(60)]


def test_a_claim_is_seen_while_it_is_held_and_free_once_its_process_is_killed(store: Store) -> None:
    key = "a" * 64
    process = start(HOLD_CLAIM, store.root)
    try:
        assert said(process) == "True"
        (claim,) = store.running()
        assert (claim.key, claim.pid) == (key, process.pid)
        with store.claim(key) as won:
            assert not won
    finally:
        end(process)
    assert store.running() == []
    with store.claim(key) as won:
        assert won


def test_looking_at_claims_never_makes_one_fail(store: Store) -> None:
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            store.running()

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        for number in range(100):
            (store.root / "claims").mkdir(parents=True, exist_ok=True)
            (store.root / "claims" / f"{number:064x}").touch()  # as a killed process leaves it
            with store.claim(f"{number:064x}") as won:
                assert won
    finally:
        stop.set()
        watcher.join()


def test_a_claim_is_freed_when_its_task_raises(store: Store) -> None:
    with pytest.raises(RuntimeError), store.claim("b" * 64):
        raise RuntimeError
    assert store.running() == []
    assert not (store.root / "claims" / ("b" * 64)).exists()


@pytest.mark.slow
@pytest.mark.parametrize("after", [0, 1, 3])
def test_kill_9_while_writing_and_indexing_loses_no_finished_record(
    after: int, store: Store, make_record: Any, tmp_path: Path
) -> None:
    records = [make_record(number) for number in range(30)]
    lines = tmp_path / "records.jsonl"
    lines.write_text("".join(to_json(record) + "\n" for record in records))
    process = start(WRITE_AND_INGEST, store.root, lines)
    try:
        for _ in range(after):
            said(process)
        if not after:
            while not (store.root / "pending").exists():
                time.sleep(0.001)
        time.sleep(0.003 * after)
        os.kill(process.pid, signal.SIGKILL)
    finally:
        end(process)
    written = {path.stem for path in store.record_files()}
    assert len(written) >= after
    with store.reading() as connection:
        indexed = connection.execute("SELECT attempt FROM attempts").fetchall()
    assert sorted(attempt for (attempt,) in indexed) == sorted(written)
    for record in records:
        if record.attempt in written:
            assert store.record(record.key) == record


@pytest.mark.slow
def test_a_reader_waits_for_a_writer_and_then_reads(filled: Store) -> None:
    process = start(HOLD_INDEX, filled.index, "writing")
    try:
        assert said(process) == "held"
        threading.Timer(0.2, end, [process]).start()
        assert filled.count() == 6
    finally:
        end(process)


def test_an_index_that_stays_held_is_reported_with_the_process_that_holds_it(filled: Store) -> None:
    process = start(HOLD_INDEX, filled.index, "writing")
    try:
        assert said(process) == "held"
        with pytest.raises(StoreBusy, match=f"process {process.pid}"):
            Store(filled.root, patience_s=0.1).count()
    finally:
        end(process)


@pytest.mark.slow
def test_a_long_reader_blocks_no_other_reader_and_no_record(filled: Store, make_record: Any) -> None:
    process = start(HOLD_INDEX, filled.index, "reading")
    impatient = Store(filled.root, patience_s=0.1)
    try:
        assert said(process) == "held"
        impatient.write(make_record(8), None, None)
        with pytest.raises(StoreBusy, match=f"process {process.pid}"):
            impatient.ingest()
        assert impatient.count() == 6
    finally:
        end(process)
    assert impatient.count() == 7


def test_two_writers_wait_for_each_other(filled: Store) -> None:
    with filled.writing(), pytest.raises(StoreBusy, match=f"process {os.getpid()}"):
        Store(filled.root, patience_s=0.05).remember_study("s", "s.py", [])
