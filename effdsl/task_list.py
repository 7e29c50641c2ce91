"""The tasks of a plan in the order of running: upstream ones, trials, then the study's own."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence

import attrs

from effdsl.choice import Choice
from effdsl.deciding import DecidedCell
from effdsl.dependencies import starts_from
from effdsl.expand import PlannedCell
from effdsl.key import CanonicalForms
from effdsl.plan import TaskRole
from effdsl.task import Address, Cell, Task, address_of


@attrs.frozen
class ListedTask:
    """A task of a plan.

    Attributes:
        of: its cell; of trials the one that stands for all of a decision.
        upstream: the keys of the tasks whose weights it starts from.
        is_upstream: whether others of the plan start from its weights.
    """

    task: Task
    of: PlannedCell
    address: Address
    role: TaskRole
    upstream: tuple[str, ...] = ()
    is_upstream: bool = False


Pricing = Callable[[PlannedCell], PlannedCell]


@attrs.frozen
class TaskList:
    """Lists each task once, however many others need it.

    Attributes:
        priced: a planned cell with its price.
        forms: shared by all keys of a plan.
        wanted: the keys of tasks whose weights cells start from that are not decided yet.
    """

    priced: Pricing
    forms: CanonicalForms
    wanted: set[str] = attrs.field(factory=set)
    _tasks: dict[str, ListedTask] = attrs.field(factory=dict)
    _cells: dict[str, PlannedCell] = attrs.field(factory=dict)

    def add(self, decided: Sequence[DecidedCell], seeds: Sequence[int]) -> None:
        """Add what ``decided`` cells take with ``seeds``."""
        for one in decided:
            for decision in one.decisions:
                row = self._row(decision.trials[0].cell, decision.title)
                for trial in decision.trials:
                    self._append(trial, row, TaskRole.TRIAL)
        closed = [(one.planned.cell, one.planned) for one in decided if not one.is_open]
        for seed in seeds:
            for one in decided:
                if one.is_open and one.planned.cell is not None:  # whatever is decided, it starts from these
                    upstream = list(self._upstream(starts_from(one.planned.cell.workload, seed)))
                    self.wanted.update(() if one.hopeless else upstream)
            for cell, planned in _shuffled(closed, seed):
                if cell is not None:
                    self._append(Task(cell, seed), planned, TaskRole.RESULT)

    def in_order(self) -> list[ListedTask]:
        """Every task, after those whose weights it starts from."""
        return sorted(
            self._tasks.values(), key=lambda one: (not one.is_upstream, one.role is not TaskRole.TRIAL)
        )

    def cells_of_others(self) -> Iterator[PlannedCell]:
        """The cells of upstream tasks and of trials, in that order."""
        yield from dict.fromkeys(one.of for one in self.in_order() if one.role is not TaskRole.RESULT)

    def _append(self, task: Task, planned: PlannedCell, role: TaskRole) -> str:
        address = address_of(task, self.forms)
        if address.key not in self._tasks:
            upstream = tuple(self._upstream(starts_from(task.workload, task.seed)))
            self._tasks[address.key] = ListedTask(task, planned, address, role, upstream)
        elif role is TaskRole.RESULT:  # the study's own, from which others of its tasks start
            self._tasks[address.key] = attrs.evolve(self._tasks[address.key], of=planned, role=role)
        return address.key

    def _upstream(self, tasks: Iterable[Task]) -> Iterator[str]:
        for task in tasks:
            key = self._append(task, self._row(task.cell), TaskRole.UPSTREAM)
            self._tasks[key] = attrs.evolve(self._tasks[key], is_upstream=True)
            yield key

    def _row(self, cell: Cell, title: str = "") -> PlannedCell:
        """The planned cell of tasks that are not the study's own; with a ``title`` it stands for several."""
        form = self.forms(cell)
        if form not in self._cells:
            planned = planned_cell(cell)
            if title:
                planned = attrs.evolve(planned, labels=attrs.evolve(planned.labels, technique=title))
            self._cells[form] = self.priced(planned)
        return self._cells[form]


def planned_cell(cell: Cell) -> PlannedCell:
    """``cell`` with its cost, as no study has chosen it."""
    work, hardware = cell.workload, cell.hardware
    choice = Choice(cell.labels.scale, {})
    return PlannedCell(choice, cell.labels, cell, work.cost(hardware), cell.engine.memory(work, hardware))


def _shuffled(
    cells: Sequence[tuple[Cell | None, PlannedCell]], seed: int
) -> list[tuple[Cell | None, PlannedCell]]:
    """The cells in an order of their own for each repeat, so that drift spreads evenly."""
    order = list(cells)
    random.Random(seed).shuffle(order)  # noqa: S311  an order, not a secret
    return order
