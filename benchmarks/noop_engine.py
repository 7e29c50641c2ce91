"""An engine that does nothing, so that only effdsl's own work around a task is left to time."""

import torch  # noqa: F401  a fork of a process with torch is not as quick as one without
from effdsl_runtime.dispatch import ENGINES
from effdsl_runtime.observation import Iteration, Observation, Point, Window

from effdsl.declare import keyed
from effdsl.task import Task, Torch


@keyed("noop-engine")
class Noop(Torch):
    """The embedded engine without its work; ``torch`` is loaded all the same."""


ENGINES[Noop] = "noop_engine:run"


def run(task: Task, report: object, sampler: object) -> Observation:
    return Observation(
        iterations=tuple(Iteration(step, 1e-3, 1.0) for step in range(3)),
        warmup=1,
        windows=(Window(0, 1),),
        loss_curve=(Point(0, 2.0),),
        eval_curve=(Point(3, 1.0),),
        held_out_loss=1.0,
        bytes_per_token=1.0,
        parameters=task.workload.parameters,
        sample="",
        kernel="reference",
        threads=1,
    )
