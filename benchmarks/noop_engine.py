"""An engine that does nothing, so that only effdsl's own work around a task is left to time."""

from collections.abc import Mapping
from typing import ClassVar

import torch  # noqa: F401  a fork of a process with torch is not as quick as one without
from effdsl_runtime.observation import Iteration, Observation, Point, Window

from effdsl.declare import identity, keyed
from effdsl.engine import Engine
from effdsl.hardware import Hardware
from effdsl.task import Task


@keyed("noop-engine")
class Noop(Engine):
    """Does nothing; ``torch`` is loaded all the same."""

    name: ClassVar[str] = "noop"
    runs: ClassVar[Mapping[str, str]] = {"pretraining": "noop_engine:run"}

    version: int = identity(default=1, init=False)

    def processes(self, hardware: Hardware) -> int:
        return 1


def run(task: Task, report: object, sampler: object, checkpoints: object) -> Observation:
    return Observation(
        iterations=tuple(Iteration(step, 1e-3, 1.0) for step in range(3)),
        warmup=1,
        windows=(Window(0, 1),),
        parameters=task.workload.size().parameters,
        values={"held_out_loss": 1.0, "bytes_per_token": 1.0},
        curves={"train": (Point(0, 2.0),), "held_out": (Point(3, 1.0),)},
        kernel="reference",
        threads=1,
    )
