"""What deciding costs: Pareto sets of a million rows, and rank and pareto on a store.

python benchmarks/pareto.py
"""

import hashlib
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
from effdsl_analysis import pareto, rank
from effdsl_analysis.queries import define
from effdsl_registry.records import Identity, Provenance, Record
from effdsl_registry.store import Store
from reporting import Result, median, report

ROWS = 1_000_000
TECHNIQUES, REPEATS = 200, 3
# Five objectives; the sixth column repeats the first, as it does for every question with fewer than six.
CLOUDS = {
    "independent": ("u1", "u2", "u3", "u4", "u5"),
    "correlated": ("u1 + base", "u2 + base", "u3 + base", "u4 + base", "u5 + base"),
    "many ties": ("floor(9 * u1)", "floor(9 * u2)", "floor(9 * u3)", "floor(9 * u4)", "floor(9 * u5)"),
    "units far apart": ("1e9 * u1", "u2", "1e-9 * u3", "100 + u4", "-1e6 * u5"),
}


def cpu(action: Callable[[], object]) -> float:
    began = time.process_time()
    action()
    return time.process_time() - began


def cloud(connection: duckdb.DuckDBPyConnection, objectives: tuple[str, ...]) -> None:
    """The table ``cloud``: ``ROWS`` points of one group with five objectives."""
    uniform = ", ".join(f"hash(i * 8 + {k}) / 18446744073709551616.0 AS u{k}" for k in range(1, 6))
    columns = ", ".join(f"({text})::DOUBLE AS x{k}" for k, text in enumerate((*objectives, objectives[0]), 1))
    connection.execute(
        f"CREATE OR REPLACE TABLE cloud AS SELECT i AS point, 0 AS grp, {columns} FROM ("
        f"SELECT i, 9.0 * (hash(i * 8) / 18446744073709551616.0) AS base, {uniform} FROM range({ROWS}) t(i))"
    )


def fill(root: Path) -> Store:
    """A store with one study of ``TECHNIQUES`` cells, ``REPEATS`` results each."""
    noise, store = random.Random(0), Store(root)
    for cell in range(TECHNIQUES):
        for seed in range(REPEATS):
            key = hashlib.sha256(b"%d %d" % (cell, seed)).hexdigest()
            identity = Identity(
                stage="pretraining", technique=f"T{cell}", scale="3M", seed=seed, parameters=3_000_000
            )
            metrics = {
                name: size * (1 + noise.gauss(cell % 17 / 20, 0.01))
                for name, size in (("ppl", 50), ("al_s_per_iter", 0.5), ("amu_gb", 2), ("tokens_per_s", 4000))
            }
            record = Record(
                key=key,
                cell=hashlib.sha256(b"%d" % cell).hexdigest(),
                lineage=key,
                canonical="{}",
                attempt=key[:32],
                outcome="ok",
                identity=identity,
                metrics=metrics,
                provenance=Provenance(started_at="2026-01-01T00:00:00", finished_at="2026-01-01T00:01:00"),
            )
            store.write(record, None, None)
    store.ingest()
    return store


def main() -> None:
    results = []
    with define(duckdb.connect(), "pareto_front") as connection:
        for name, columns in CLOUDS.items():
            cloud(connection, columns)
            sizes: list[int] = []

            def front(sizes: list[int] = sizes) -> None:
                sizes.append(len(connection.execute("FROM pareto_front('cloud')").fetchall()))

            spent = median([cpu(front) for _ in range(3)])
            what = f"Pareto set of 1,000,000 rows by 5 objectives, {name}"
            results.append(Result(what, spent, "CPU s", at_most=1.0, note=f"{sizes[0]:,} in the set"))
    with tempfile.TemporaryDirectory() as folder:
        store = fill(Path(folder) / "store")
        shape = f"{TECHNIQUES} cells × {REPEATS} repeats"
        spent = median([cpu(lambda: rank(store)) for _ in range(3)])
        results.append(Result(f"rank by 4 metrics, {shape}", spent, "CPU s"))
        spent = median([cpu(lambda: pareto(store, on=["ppl", "al_s_per_iter", "amu_gb"])) for _ in range(3)])
        results.append(Result(f"pareto on 3 objectives with certainty, {shape}", spent, "CPU s"))
    report("pareto", results)


if __name__ == "__main__":
    main()
