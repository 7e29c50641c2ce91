"""An engine for tests: it does what its fields say, without training anything."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from effdsl_registry.checkpoints import Checkpoints
from effdsl_registry.layout import Layout
from effdsl_runtime.data.text_files import DataError
from effdsl_runtime.endings import Diverged
from effdsl_runtime.inputs import hand_over
from effdsl_runtime.observation import Iteration, Observation, Point, Progress, Window

from effdsl.declare import identity, keyed, transport
from effdsl.engine import Engine
from effdsl.hardware import Hardware
from effdsl.key import canonical_json, key_of
from effdsl.stages.pretraining import Pretraining
from effdsl.task import Task


@keyed("pretend-engine")
class Pretend(Engine):
    """Takes ``seconds``, then ends as ``ends`` says; ``ends`` may be changed without a new key."""

    name: ClassVar[str] = "pretend"
    runs: ClassVar[Mapping[str, str]] = {"pretraining": "pretend:run"}

    version: int = identity(default=1, init=False)
    seconds: float = identity(default=0.0, converter=float)
    ends: str = transport(default="ok")

    def processes(self, hardware: Hardware) -> int:
        return 1


@keyed("pretend-elsewhere-engine")
class PretendElsewhere(Pretend):
    """The same in an interpreter of its own."""

    environment: ClassVar[str] = "elsewhere"
    packages: ClassVar[tuple[str, ...]] = ("nowhere_but_there",)


@keyed("pretend-server-engine")
class PretendServer(PretendElsewhere):
    """The same, which is to say something every few seconds, and wants something handed over."""

    silence_s: ClassVar[float | None] = 8.0


@hand_over.register
def _(
    workload: Pretraining,
    task: Task,
    checkpoints: Checkpoints,
    folder: Path,
    report: Callable[[str], None],
) -> None:
    """In effdsl's own interpreter, before the task."""
    engine: Any = task.engine
    if engine.ends == "nothing to hand over":
        raise DataError("its weights are gone")
    (folder / "given").write_text(f"handed over, {'with' if find_spec('duckdb') else 'without'} duckdb")


def run(task: Task, report: Any, sampler: Any, checkpoints: Any) -> Observation:
    """Report a few steps, then end."""
    engine: Any = task.engine
    start = time.perf_counter_ns()
    for step in range(1, 11):
        report(Progress("training", step, 10, 1.0))
        time.sleep(engine.seconds / 10)
    print("what the engine printed")
    if isinstance(engine, PretendServer):
        folder = Layout(checkpoints.folder.parent).handover(key_of(canonical_json(task)))
        print((folder / "given").read_text())
    if engine.ends == "hangs once" and task.seed == 0:
        time.sleep(60)
    endings = {
        "diverged": Diverged("the loss is nan at step 3"),
        "failed": KeyError("no such thing"),
        "unreadable": DataError("the weights in mine/ are damaged; copy them again"),
        "oom": RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    }
    if engine.ends in endings:
        raise endings[engine.ends]
    if engine.ends == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if engine.ends == "exits":
        os._exit(7)
    seconds = max(engine.seconds, 0.01) / 10
    loss: Any = "much" if engine.ends == "odd" else 1.0 + 0.01 * task.seed
    return Observation(
        iterations=tuple(Iteration(step, seconds, 1.0) for step in range(10)),
        warmup=1,
        windows=(Window(start, time.perf_counter_ns()),),
        parameters=task.workload.size().parameters,
        values={"held_out_loss": loss, "bytes_per_token": 1.0},
        curves={"train": (Point(0, 2.0), Point(9, 1.0)), "held_out": (Point(10, 1.0),)},
        artifacts={"sample": "to be"},
        kernel="reference",
        threads=1,
        leave=lambda folder: leave(folder, engine.ends),
    )


def leave(folder: Path, ends: str) -> None:
    """Files, in a folder too; or none, for want of room."""
    if ends == "full":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    (folder / "parts").mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "parts" / "weights.bin").write_bytes(bytes(1000))
