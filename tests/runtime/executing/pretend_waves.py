"""An engine for tests that pretends to pretrain, to try learning rates and to fine-tune, in milliseconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from effdsl_registry.checkpoints import Checkpoints
from effdsl_runtime.endings import Diverged
from effdsl_runtime.inputs import make_ready
from effdsl_runtime.observation import Iteration, Observation, Progress, Window
from effdsl_runtime.stages import fine_tuning as fine_tuning  # registers first what is overruled here

from effdsl.declare import identity, keyed, transport
from effdsl.engine import Engine
from effdsl.hardware import Hardware
from effdsl.key import canonical_json, key_of
from effdsl.stages.with_weights import ModelExamples
from effdsl.task import Task

LEFT = "weights.bin"


@keyed("pretend-waves-engine")
class PretendWaves(Engine):
    """Takes ``seconds``, then ends as ``ends`` says, which may be changed without a new key.

    Attributes:
        ends: ``ok``, ``failed``, ``diverged``, or ``full`` where there is no room for what is left.
        at_rates: which learning rates of trials that is about; none for all tasks.
        best: the learning rate with the lowest loss.
    """

    name: ClassVar[str] = "pretend-waves"
    runs: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("pretraining", "tuning", "fine-tuning"), "pretend_waves:run"
    )

    version: int = identity(default=1, init=False)
    seconds: float = transport(default=0.0, converter=float)
    ends: str = transport(default="ok")
    at_rates: tuple[float, ...] = transport(default=(), converter=tuple)
    best: float = transport(default=1e-3)

    def processes(self, hardware: Hardware) -> int:
        return 1


@make_ready.register
def _nothing(wanted: ModelExamples, report: Callable[[str], None]) -> None:
    """No example is cut into tokens, for which transformers would have to be loaded."""


def run(task: Task, report: Any, sampler: Any, checkpoints: Checkpoints) -> Observation:
    """Read the weights that it starts from, wait, and leave weights."""
    engine: Any = task.engine
    work: Any = getattr(task.workload, "of", task.workload)
    if hasattr(work, "weights"):
        key = key_of(canonical_json(work.weights.left_by(task.seed)))
        assert (checkpoints.of(key) / LEFT).is_file(), f"there are no weights of {key}"
    start = time.perf_counter_ns()
    for step in range(1, 11):
        report(Progress("training", step, 10, 1.0))  # which ends this process where nobody listens any more
        time.sleep(engine.seconds / 10)
    rate = work.recipe.learning_rate
    ends = engine.ends if not engine.at_rates or rate in engine.at_rates else "ok"
    if ends == "failed":
        raise KeyError("no such thing")
    if ends == "diverged":
        raise Diverged("the loss is nan at step 3")
    loss = 1.0 + abs(rate - engine.best)
    values = {"held_out_loss": loss, "bytes_per_token": 1.0, "tuning_loss": loss, "new_domain_loss": loss}
    stage = {"pretraining": ("held_out_loss", "bytes_per_token"), "tuning": ("tuning_loss",)}
    kept = {name: values[name] for name in stage.get(task.workload.stage, ("new_domain_loss",))}
    counted = dict.fromkeys(("measured_tokens", "measured_pairs", "measured_predicted_tokens"), 100.0)
    return Observation(
        iterations=tuple(Iteration(step, 0.001, 1.0) for step in range(10)),
        warmup=1,
        windows=(Window(start, time.perf_counter_ns()),),
        parameters=task.workload.size().parameters,
        values=kept | counted,
        threads=1,
        leave=lambda folder: leave(folder, ends),
    )


def leave(folder: Path, ends: str) -> None:
    """A file in place of weights; or none, for want of room."""
    if ends == "full":
        raise OSError(28, "No space left on device")
    (folder / LEFT).write_bytes(bytes(100))
