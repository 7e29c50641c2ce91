"""Tasks of lm-evaluation-harness (Gao et al., github.com/EleutherAI/lm-evaluation-harness), known by name or
written in a YAML file of one's own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from effdsl.data import Data
from effdsl.declare import Invalid, evolve, identity, keyed, language, transport
from effdsl.evaluation import Evaluation
from effdsl.harness_files import is_a_file, pinned
from effdsl.harness_tasks import installed_version, tasks_brought
from effdsl.problems import is_broken, nearest, spelled
from effdsl.validate import at_least_zero, optional, positive_int, some_text, text, whole
from effdsl.workload import Input

BATCH_SIZE = 8
MMLU_PRO, BBH, GPQA = "leaderboard_mmlu_pro", "leaderboard_bbh", "leaderboard_gpqa"
IFEVAL, MATH, MUSR = "leaderboard_ifeval", "leaderboard_math_hard", "leaderboard_musr"
OF_EFFICIENT_LLM = (MMLU_PRO, BBH, GPQA, IFEVAL, MATH, MUSR)
"""The benchmarks of the paper's Table 9, as the second Open LLM Leaderboard ran them."""
COLUMNS = {MMLU_PRO: "mmlu_pro", BBH: "bbh", GPQA: "gpqa", IFEVAL: "ifeval", MATH: "math", MUSR: "musr"}
"""The metric that the score of a task is."""
NEEDED = {IFEVAL: ("langdetect", "immutabledict", "nltk"), MATH: ("math_verify", "antlr4")}
"""Modules that scoring a task takes beside lm-eval's own."""


@keyed("lm-eval-task")
class HarnessTask:
    """A task, a group or a tag of lm-eval.

    Attributes:
        name: what lm-eval calls it.
        revision: of a file of one's own the hash of what it says, of the code and of the data that it names,
            filled in by ``resolve``; empty for what lm-eval brings, which its version pins.
        path: the file; empty for what lm-eval brings.
    """

    name: str = identity(validator=some_text)
    revision: str = identity(default="", validator=text)
    path: str = transport(default="", validator=text)

    def resolve(self) -> HarnessTask:
        """A file of one's own by the name that it gives its task, with its hash.

        Raises:
            Invalid: when it cannot be read, or names what is not there.
        """
        if not self.path:
            return self
        found = pinned(self.path)
        return HarnessTask(found.name, found.revision, str(found.path))


def _tasks(value: Any) -> Any:
    listed = (value,) if isinstance(value, str) or not isinstance(value, Iterable) else tuple(value)
    return tuple(map(_task, listed))


def _task(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    return HarnessTask(given, path=given) if is_a_file(given) else HarnessTask(given)


def _known_tasks(_: Any, field: Any, value: Any) -> None:
    if not value:
        raise Invalid("needs at least one task", "e.g. LMEval('leaderboard_musr') or LMEval('mine.yaml')")
    wrong = [one for one in value if not isinstance(one, HarnessTask) and not is_broken(one)]
    if wrong:
        raise Invalid(f"{', '.join(map(spelled, wrong))}: no task", "give names, or YAML files, in quotes")
    if len(set(value)) != len(value):
        raise Invalid("a task appears more than once")
    brought = tasks_brought()
    for task in value:
        if brought and not task.path and task.name not in brought:
            raise Invalid(
                f"lm-eval {installed_version()} has no task {task.name!r}",
                f"{nearest(task.name, brought)}`lm-eval ls tasks` lists them; your own are YAML files, e.g. "
                "LMEval('mine.yaml')",
            )


@keyed("lm-eval")
class LMEval(Evaluation):
    """Benchmarks that lm-evaluation-harness runs and scores, an item a document of a task.

    Attributes:
        tasks: names of tasks, groups or tags that lm-eval brings, or YAML files of one's own.
        limit: documents of each task, the first so many; default all.
        few_shot: examples before each question; default as the task says. A task that says 0 keeps 0.
        batch_size: sequences that are computed together: scores depend on it in their last digits.
        version: of lm-eval, filled in by ``resolve``; empty where it is not installed.
    """

    tasks: tuple[HarnessTask, ...] = identity(converter=_tasks, validator=_known_tasks)
    limit: int | None = identity(default=None, converter=whole, validator=optional(positive_int))
    few_shot: int | None = identity(default=None, converter=whole, validator=optional(at_least_zero))
    batch_size: int = identity(default=BATCH_SIZE, converter=whole, validator=positive_int)
    version: str = identity(default="", init=False)

    def resolve(self, data: Data) -> LMEval:
        found = evolve(self, tasks=tuple(task.resolve() for task in self.tasks))
        object.__setattr__(found, "version", installed_version())
        return found

    @property
    def name(self) -> str:
        return ", ".join(self.names)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(task.name for task in self.tasks)


@language
class EfficientLLMTasks(Evaluation):
    """The six benchmarks of EfficientLLM's Table 9: MMLU-Pro, BBH, GPQA, IFEval, MATH, MuSR.

    Attributes:
        limit, batch_size: as of :class:`LMEval`.
    """

    limit: int | None = transport(default=None, converter=whole, validator=optional(positive_int))
    batch_size: int = transport(default=BATCH_SIZE, converter=whole, validator=positive_int)

    def resolve(self, data: Data) -> LMEval:
        tasks = tuple(map(HarnessTask, OF_EFFICIENT_LLM))
        return LMEval(tasks, limit=self.limit, batch_size=self.batch_size).resolve(data)

    @property
    def name(self) -> str:
        return ", ".join(self.names)

    @property
    def names(self) -> tuple[str, ...]:
        return OF_EFFICIENT_LLM


@attrs.frozen
class HarnessData(Input):
    """What the tasks of an evaluation ask, in the cache of the data sets that they name.

    Attributes:
        tasks: which.
    """

    tasks: tuple[HarnessTask, ...]

    @property
    def packages(self) -> tuple[str, ...]:
        more = (module for task in self.tasks for module in NEEDED.get(task.name, ()))
        return ("lm_eval", *more)
