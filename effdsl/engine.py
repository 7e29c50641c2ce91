"""Engines: what runs the tasks of a stage. Their code is imported where a task runs, never here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from effdsl.declare import HasTag

if TYPE_CHECKING:
    from effdsl.hardware import Hardware
    from effdsl.parallelism import LayoutOption
    from effdsl.workload import MemoryEstimate, Workload


class Engine(HasTag, ABC):
    """Base of all engines; declared with ``@keyed``, for numerics and timing depend on it.

    Attributes:
        name: what records call it.
        version: bumped by hand when its numerics or timing change; the old results then show as stale.
        runs: by the name of a stage, the ``module:function`` that runs its tasks. The function is an
            ``effdsl_runtime.engines.contract.RunTask``.
        packages: modules that must be importable where a task runs.
        environment: the Python of its own that it needs; empty where it runs in effdsl's.
        silence_s: after so long without a word a task is taken to hang, and ended; ``None`` for never.
    """

    name: ClassVar[str]
    version: int
    runs: ClassVar[Mapping[str, str]]
    packages: ClassVar[tuple[str, ...]] = ()
    environment: ClassVar[str] = ""
    silence_s: ClassVar[float | None] = None

    def refuses(self, workload: Workload, hardware: Hardware) -> str:
        """Why this engine cannot run ``workload`` on ``hardware``; empty when it can."""
        if hardware.count > self.processes(hardware):
            return (
                self.wrong_stage(workload)
                or f"the engine {self.name} drives one device, not {hardware.count}"
            )
        return self.wrong_stage(workload)

    def wrong_stage(self, workload: Workload) -> str:
        """That it does nothing of the stage of ``workload``; empty when it does."""
        if workload.stage in self.runs:
            return ""
        return f"the engine {self.name} does no {workload.stage}, only {', '.join(self.runs)}"

    def lacks(self, workload: Workload, hardware: Hardware) -> str:
        """What this engine has not, and no machine changes, that ``workload`` needs on ``hardware``; empty
        when it has all."""
        return ""

    def memory(self, workload: Workload, hardware: Hardware) -> MemoryEstimate | None:
        """Predicted memory of one device when it is fullest; ``None`` where nothing foresees it."""
        return None

    def training_s(self, workload: Workload, hardware: Hardware) -> float | None:
        """Seconds that the iterations of a task will probably take where nothing like it has run; ``None``
        where nothing foresees it."""
        return None

    def too_large(self, workload: Workload, hardware: Hardware) -> str:
        """What a plan says of ``workload`` where it does not fit on ``hardware``: how the engine lays it out,
        and what else could be done."""
        return "nothing is sharded or recomputed"

    def laid_out(self, workload: Workload, hardware: Hardware) -> Engine:
        """This engine with everything decided that it leaves to the planner: how it divides ``workload``
        among the devices of ``hardware``. Keys are made of what this returns."""
        return self

    def remark(self, hardware: Hardware) -> str:
        """What a plan says of how it divides a task among the devices of ``hardware``; usually nothing."""
        return ""

    def layouts(self, workload: Workload, hardware: Hardware) -> Sequence[LayoutOption]:
        """Every way of dividing ``workload`` among the devices of ``hardware`` that it knows, with what each
        would take; this engine, laid out, has taken one of them. None where there is nothing to choose."""
        return ()

    @abstractmethod
    def processes(self, hardware: Hardware) -> int:
        """How many processes are started for a task on ``hardware``: one for each device, or one in all."""
