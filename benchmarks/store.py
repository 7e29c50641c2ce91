"""What the store costs: ingesting records, looking keys up, one query, one record at a time.

    python benchmarks/store.py [--records 100000] [--json FILE]

Prints a Markdown table of CPU and wall seconds of this process.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import attrs
from effdsl_registry.records import Identity, Provenance, Record, to_json
from effdsl_registry.store import Store

from effdsl.key import key_of
from effdsl.metrics import METRICS

BARS = {"ingest": 5.0, "known 10000": 0.1, "known 100000": 1.0}
RECORD_TASK = json.dumps({"$": "task", "cell": {"architecture": "x" * 1200}, "seed": "SEED"})


def record(number: int) -> Record:
    """A record of the size that a small study writes: about 4 KB."""
    canonical = RECORD_TASK.replace("SEED", str(number))
    return Record(
        key=key_of(canonical),
        cell=hashlib.sha256(b"cell%d" % (number // 3)).hexdigest(),
        lineage=hashlib.sha256(b"lineage%d" % number).hexdigest(),
        canonical=canonical,
        attempt=f"{number:032x}",
        outcome="ok",
        identity=Identity(
            stage="pretraining",
            technique=f"T{number // 3}",
            scale="3M",
            seed=number % 3,
            parameters=3_000_000,
            hardware="cpu x2",
            engine="torch",
            engine_version=1,
        ),
        metrics={metric.name: number + i / 7 for i, metric in enumerate(METRICS)},
        missing={"aec_w": "no power meter"},
        provenance=Provenance(
            started_at="2026-01-01T00:00:00+00:00",
            finished_at="2026-01-01T00:01:00+00:00",
            libraries={"torch": "2.13.0", "duckdb": "1.5.6"},
            code={f"effdsl_runtime.module{i}": "a" * 64 for i in range(15)},
        ),
        loss_curve=[(10 * i, 7 - i / 10) for i in range(30)],
        eval_curve=[(100, 5.0), (300, 4.0)],
        sample="the king is dead",
    )


@attrs.frozen
class Cost:
    what: str
    cpu_s: float
    wall_s: float
    bar_cpu_s: float | None


def cost(what: str, action: Callable[[], object], bar: float | None = None) -> Cost:
    cpu, wall = time.process_time(), time.perf_counter()
    action()
    return Cost(what, time.process_time() - cpu, time.perf_counter() - wall, bar)


def fill(store: Store, count: int) -> list[str]:
    """Put record files in place without waiting for the disk, as an earlier session would have left them."""
    keys = []
    lines = []
    for number in range(count):
        made = record(number)
        path = store.record_file(made.key, made.attempt)
        path.parent.mkdir(parents=True)
        path.write_text(to_json(made) + "\n")
        keys.append(made.key)
        lines.append(f"{made.key}/{made.attempt}\n")
    store.journal.path.write_text("".join(lines))
    return keys


def measure(count: int, folder: Path) -> list[Cost]:
    store = Store(folder / "store")
    store.ingest([store.write(record(-1), None, None)])
    keys = fill(store, count)
    costs = [cost(f"ingest {count:,} records", store.ingest, BARS["ingest"] * count / 100_000)]
    for asked in (10_000, 100_000):
        if asked <= count:
            bar = BARS[f"known {asked}"]
            costs.append(
                cost(f"look {asked:,} keys up", lambda n=asked: store.known(keys[:n], keys[:n]), bar)
            )

    def query() -> None:
        with store.reading() as connection:
            connection.execute("SELECT technique, avg(ppl), avg(amu_gb) FROM results GROUP BY ALL").fetchall()

    costs.append(cost("group all results by technique, two metrics", query))
    new = record(count)
    costs.append(cost("write one record", lambda: store.write(new, None, None)))
    costs.append(cost("ingest one record", store.ingest))
    return costs


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        costs = measure(arguments.records, Path(folder))
    print("| store | CPU s | wall s | at most, CPU s |\n|---|---:|---:|---:|")
    for c in costs:
        bar = "" if c.bar_cpu_s is None else f"{c.bar_cpu_s:g}"
        print(f"| {c.what} | {c.cpu_s:.3f} | {c.wall_s:.3f} | {bar} |")
    if arguments.json:
        arguments.json.write_text(json.dumps([attrs.asdict(c) for c in costs], indent=1) + "\n")


if __name__ == "__main__":
    main()
