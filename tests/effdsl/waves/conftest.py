"""Plans of studies that start from others, by what a store is said to know."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs
import pytest

from effdsl import (
    GQA,
    Attention,
    Budget,
    FineTuning,
    LoRA,
    M,
    Recipe,
    Shakespeare,
    Study,
    Sweep,
)
from effdsl.hardware import Hardware
from effdsl.key import canonical_json
from effdsl.outcome import Outcome
from effdsl.plan import History, PastResult, Plan, PlannedTask, TaskRole
from effdsl.planner import make_plan
from effdsl.subject import Subject
from effdsl.task import Address

LAPTOP = Hardware(name="a laptop", kind="cpu")
WELL, ENDED_BADLY = Outcome.OK, [outcome for outcome in Outcome if outcome is not Outcome.OK]
BASE = Study(Attention([GQA]), [3 * M], budget=Budget(steps=10), repeats=2, name="base")
TEXT = Shakespeare()
SWEEP = Recipe(learning_rate=Sweep([1e-3, 1e-2]))
TRIED = [1e-4, 1e-3, 1e-2]


@attrs.define
class Known:
    """A store that holds what a test says: results, their metrics, and the weights that are still there."""

    results: dict[str, PastResult] = attrs.field(factory=dict)
    values: dict[str, float] = attrs.field(factory=dict)
    weights: set[str] = attrs.field(factory=set)
    asked: list[str] = attrs.field(factory=list)

    def __call__(self, addresses: Sequence[Address]) -> History:
        known = {a.key: self.results[a.key] for a in addresses if a.key in self.results}
        return History(known, {}, self._values, lambda key: key in self.weights)

    def _values(self, metric: str, keys: Sequence[str]) -> dict[str, float]:
        self.asked.append(metric)
        return {key: self.values[key] for key in keys if key in self.values}

    def has_run(
        self, task: PlannedTask, outcome: Outcome = WELL, reason: str = "", loss: float | None = None
    ) -> None:
        """Keep what ``task`` would have given."""
        key = task.address.key
        self.results[key] = PastResult(outcome, canonical_json(task.task), reason)
        if outcome is WELL and task.is_upstream:
            self.weights.add(key)
        if loss is not None:
            self.values[key] = loss


def tuned(models: Subject, *methods: object, **also: object) -> Study:
    """A fine-tuning of ``models``."""
    given: dict[str, object] = {"data": TEXT, "budget": Budget(steps=10), "repeats": 2} | also
    return Study(FineTuning(list(methods or (LoRA,))), models=models, **given)  # type: ignore[arg-type]


def planned(study: Study, store: Known | None = None) -> Plan:
    return make_plan(study, LAPTOP, store or Known())


def run_wave(plan: Plan, store: Known, loss: Callable[[float], float] = lambda rate: rate) -> list[str]:
    """Have everything run that is to run; the names of it. ``loss`` is a trial's, by its learning rate."""
    for task in plan.to_run():
        store.has_run(task, loss=loss(rate_of(task)) if task.role is TaskRole.TRIAL else None)
    return [name(task) for task in plan.to_run()]


def run_all(study: Study, loss: Callable[[float], float] = lambda rate: rate) -> tuple[Plan, Known]:
    """The plan once nothing is left to run."""
    store = Known()
    while (plan := planned(study, store)).to_run():
        run_wave(plan, store, loss)
    return plan, store


def without_rate(trial: str) -> str:
    """The name of a trial without the learning rate that it tries."""
    return re.sub(", trial of [0-9.e-]+", ", trial", trial)


def name(task: PlannedTask) -> str:
    return f"{task.task.labels.technique} {task.task.labels.scale} {task.task.seed}"


def rate_of(task: PlannedTask) -> float:
    work = task.task.workload
    rate: float = getattr(work, "of", work).recipe.learning_rate
    return rate


def of_role(plan: Plan, role: TaskRole) -> list[PlannedTask]:
    return [task for task in plan.tasks if task.role is role]


def states(plan: Plan) -> dict[str, int]:
    return {name: n for name, n in plan.status_counts().items() if n}


def result_keys(study: Study) -> set[str]:
    return {task.address.key for task in of_role(planned(study), TaskRole.RESULT)}


COMMIT = "0123456789" * 4
CONFIG = {
    "model_type": "llama", "num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 128, "vocab_size": 100,
}  # fmt: skip


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache, of nothing but the shape of ``owner/unknown``."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    folder = tmp_path / "models--owner--unknown"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    (folder / "snapshots" / COMMIT).mkdir(parents=True)
    (folder / "snapshots" / COMMIT / "config.json").write_text(json.dumps(CONFIG))
    return folder


def safetensors(header: object, size: int) -> bytes:
    written = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(written)) + written + bytes(size)


WEIGHTS = {"all": {"dtype": "F32", "shape": [200, 1000], "data_offsets": [0, 800_000]}}


def write_model(folder: Path, config: object = CONFIG, header: object = WEIGHTS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    (folder / "model.safetensors").write_bytes(safetensors(header, 800_000))
    (folder / "tokenizer.json").write_text("{}")
    return folder
