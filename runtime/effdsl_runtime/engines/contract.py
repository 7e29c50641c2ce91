"""What an engine's function is, whatever its stage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from effdsl_registry.checkpoints import Checkpoints

from effdsl.task import Task
from effdsl_runtime.observation import Observation, Progress
from effdsl_runtime.probes import Sampler

Report = Callable[[Progress], None]


class RunTask(Protocol):
    """Runs one task in a process of its own; named by ``Engine.runs`` as ``module:function``."""

    def __call__(self, task: Task, report: Report, sampler: Sampler, checkpoints: Checkpoints) -> Observation:
        """Run ``task`` and hand back what was seen of it.

        Args:
            task: resolved.
            report: is told what goes on, at every step; it is for the caller to pass on fewer.
            sampler: samples beside the engine; whoever started it computes its metrics over the windows of
                the observation.
            checkpoints: where the weights are that other tasks left, by their keys.

        Raises:
            Diverged: when the loss is not finite, or far above that of a guess.
            DataError: when an input is not to be had.
            Unsupported: when the task cannot be run here.
        """
        ...
