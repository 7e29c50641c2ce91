"""CPU time of the store: ingesting records, looking keys up, one query, one record at a time.

    python benchmarks/store.py [--records 100000]

The records are those of studies/small/attention.py under other seeds, made through the same functions;
what was measured is made up, and as long as it really is. Time is that of this process.
"""

import argparse
import gc
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
from effdsl_registry.records import Provenance, Record, to_json
from effdsl_registry.store import Store
from effdsl_runtime.endings import Ending
from effdsl_runtime.engines.schedule import CURVE_DECIMALS, CURVE_POINTS, PARTS
from effdsl_runtime.handover import with_code
from effdsl_runtime.machine import describe, detect
from effdsl_runtime.recording.fingerprint import loaded_code
from effdsl_runtime.recording.run_record import Assignment, Run, record_of
from reporting import Result, median, report

from effdsl.key import canonical_json, key_of
from effdsl.loading import load_study
from effdsl.metrics import METRICS
from effdsl.outcome import Outcome
from effdsl.planner import make_plan

STUDY = Path(__file__).parent.parent / "studies" / "small" / "attention.py"
LOOKUPS = (10_000, 100_000)
INGEST_BAR = 5.0
REPEATS = 5
METER = "no power meter: /sys/class/powercap is absent"
MISSING = {
    "aec_w": METER,
    "energy_j": METER,
    "energy_j_per_token": METER,
    "mfu": "the peak FLOP/s of AMD EPYC x2 in bfloat16 is not known",
}
MEASURED = [metric.name for metric in METRICS if metric.is_of("pretraining") and metric.name not in MISSING]
SAMPLE_WORDS = 70  # of five letters: as long as what the models of the study write
LETTERS = "etaoinshrdlu\n"
START = datetime(2026, 1, 1, tzinfo=UTC)
GIT_COMMIT = "0123456789abcdef" * 2 + "01234567"


def records(store: Store, noise: random.Random) -> Iterator[Record]:
    """Records without end: a seed after the other, of each the cells of the study."""
    templates = list(_templates(store))
    seed = 0
    while True:
        for template in templates:
            yield _with_seed(template, seed, noise)
        seed += 1


def _templates(store: Store) -> Iterator[Record]:
    facts = describe() | {"git_commit": GIT_COMMIT, "git_dirty": False}
    run = Run(Ending(Outcome.OK), START, 60.0)
    for planned in make_plan(load_study(str(STUDY)).study, detect()).tasks:
        task = attrs.evolve(planned.task, seed=0)
        if task == planned.task:
            canonical = canonical_json(task)
            told = Assignment(task, planned.address, canonical, "a", store.root, store.root, facts)
            yield with_code(record_of(told, run), store.code_sets.keep(loaded_code()))


def _with_seed(template: Record, seed: int, noise: random.Random) -> Record:
    canonical = template.canonical.replace('"seed":0', f'"seed":{seed}')
    losses = [
        round(8.0 * (point + 1) ** -0.2 + noise.gauss(0, 0.1), CURVE_DECIMALS)
        for point in range(CURVE_POINTS)
    ]
    return attrs.evolve(
        template,
        key=key_of(canonical),
        lineage=key_of(f"lineage {canonical}"),
        canonical=canonical,
        attempt=f"{noise.getrandbits(128):032x}",
        identity=attrs.evolve(template.identity, seed=seed),
        metrics={name: noise.lognormvariate(0, 3) for name in MEASURED},
        missing=MISSING,
        provenance=_provenance(template.provenance, seed, noise),
        curves={
            "train": [(4 * point + 1, loss) for point, loss in enumerate(losses)],
            "held_out": [(75 * part, noise.uniform(4, 6)) for part in range(1, PARTS + 1)],
        },
        artifacts={"sample": " ".join("".join(noise.choices(LETTERS, k=5)) for _ in range(SAMPLE_WORDS))},
    )


def _provenance(template: Provenance, seed: int, noise: random.Random) -> Provenance:
    started_at = START + timedelta(seconds=60 * seed + noise.random())
    duration_s = noise.uniform(40, 60)
    return attrs.evolve(
        template,
        started_at=started_at.isoformat(),
        finished_at=(started_at + timedelta(seconds=duration_s)).isoformat(),
        duration_s=duration_s,
        threads=2,
        load_average=noise.uniform(0, 2),
        cpu_over_wall=noise.uniform(1, 2),
        meter="none",
        warmup_iterations=15,
        measured_iterations=285,
        sampler_period_s=0.1,
        sampler_samples=noise.randrange(400, 600),
        kernel="flash",
    )


def fill(store: Store, made: Iterator[Record], count: int) -> list[str]:
    """Put record files in place without waiting for the disk, as an earlier session would have left them."""
    keys, noted = [], []
    for _, record in zip(range(count), made, strict=False):
        path = store.record_file(record.key, record.attempt)
        path.parent.mkdir(parents=True)
        path.write_text(to_json(record) + "\n", encoding="utf-8")
        keys.append(record.key)
        noted.append(f"{record.key}/{record.attempt}\n")
    store.journal.path.write_text("".join(noted), encoding="utf-8")
    return keys


def cpu_s(action: Callable[[], object]) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start


def repeated(what: str, action: Callable[[], object]) -> Result:
    seconds = [cpu_s(action) for _ in range(REPEATS)]
    return Result(what, median(seconds), "CPU s", note=f"median of {REPEATS}")


def measure(count: int, store: Store) -> Iterator[Result]:
    made = records(store, random.Random(0))
    with store.writing():
        pass  # an index, empty
    keys = fill(store, made, count)
    gc.freeze()  # torch and its modules are this script's, not the store's
    yield Result(
        f"ingest {count:,} records",
        cpu_s(store.ingest),
        "CPU s",
        at_most=INGEST_BAR * count / 100_000,
        note=f"of {len(to_json(next(made))):,} bytes",
    )
    for asked in LOOKUPS:
        if asked <= count:
            some = random.Random(1).sample(keys, asked)
            yield repeated(f"look {asked:,} keys up", lambda some=some: store.known(some, some))

    def query() -> None:
        with store.reading() as connection:
            connection.execute("SELECT technique, avg(ppl), avg(amu_gb) FROM results GROUP BY ALL").fetchall()

    yield repeated("group all results by technique, two metrics", query)
    yield repeated("write one record", lambda: store.write(next(made), None, None))
    yield repeated("ingest one record", lambda: store.ingest([store.write(next(made), None, None)]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=100_000)
    count = parser.parse_args().records
    with tempfile.TemporaryDirectory() as folder:
        report("store", list(measure(count, Store(Path(folder) / "store"))))


if __name__ == "__main__":
    main()
