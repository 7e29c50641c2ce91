"""CPU time of `effdsl execute` when the store knows the results of all 10,000 tasks, and what it writes.

The records are made up, through the same functions as real ones.
"""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import attrs
from effdsl_registry.records import Record, to_json
from effdsl_registry.store import Store
from effdsl_runtime.endings import Ending
from effdsl_runtime.executing.running import study_tasks
from effdsl_runtime.handover import with_code
from effdsl_runtime.machine import describe, detect
from effdsl_runtime.recording.fingerprint import loaded_code
from effdsl_runtime.recording.run_record import Assignment, Run, record_of
from reporting import EFFDSL, Result, cpu_seconds, median, report
from studies_of import write_study

from effdsl.key import CanonicalForms
from effdsl.loading import load_study
from effdsl.outcome import Outcome
from effdsl.planner import make_plan

TASKS = 10_000
REPEATS = 5


def fill(store: Store, study: Path) -> None:
    """A record for every task of ``study``, indexed."""
    loaded = load_study(str(study))
    plan = make_plan(loaded.study, detect())
    forms = CanonicalForms()
    template: Record | None = None
    paths = []
    for number, planned in enumerate(plan.tasks):
        attempt = f"{number:032x}"
        address, canonical = planned.address, forms(planned.task)
        if template is None:
            run = Run(Ending(Outcome.OK), datetime.now(UTC), 1.0)
            told = Assignment(planned.task, address, canonical, attempt, store.root, store.root, describe())
            template = with_code(record_of(told, run), store.code_sets.keep(loaded_code()))
        names = {"key": address.key, "cell": address.cell, "lineage": address.lineage}
        record = attrs.evolve(template, attempt=attempt, canonical=canonical, metrics={"ppl": 30.0}, **names)
        path = store.record_file(record.key, attempt)
        path.parent.mkdir(parents=True)
        path.write_text(to_json(record) + "\n", encoding="utf-8")  # without the fsync of a real one
        paths.append(path)
    store.ingest(paths)
    store.remember_study(plan.study, str(loaded.file), study_tasks(plan))


def snapshot(folder: Path) -> dict[Path, tuple[int, int]]:
    """Size and time of the last write of every file."""
    return {
        path: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()
    }


with tempfile.TemporaryDirectory() as folder:
    study = write_study(Path(folder), TASKS)
    store = Store(Path(folder) / "store")
    fill(store, study)
    before = snapshot(store.root)
    seconds = [cpu_seconds([EFFDSL, "execute", study, "--store", store.root]) for _ in range(REPEATS)]
    written = set(snapshot(store.root).items()) ^ set(before.items())
results = [
    Result(f"all-cached `effdsl execute` of {TASKS:,} tasks", median(seconds), "CPU s", at_most=1.0,
           note=f"median of {REPEATS}"),
    Result("files it changed", len({path for path, _ in written}), "files", at_most=0),
]  # fmt: skip
report("cached_execute", results)
