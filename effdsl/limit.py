"""A limit for a whole plan: what of it can be run within some hours, kilowatt-hours or dollars."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from typing import ClassVar, TypeVar

import attrs

from effdsl.costs.price import JOULES_PER_KWH, Price
from effdsl.costs.words import duration, energy, money, seconds_in
from effdsl.declare import Invalid
from effdsl.plan import TO_RUN, OpenTask, Plan, PlannedTask, TaskRole, TaskState

NOISE = 1e-9  # of a sum of floats


@attrs.frozen
class Limit(ABC):
    """The most that may be spent, in the unit of what is spent."""

    most: float
    unit: ClassVar[str]
    remedy: ClassVar[str]

    @abstractmethod
    def spent(self, price: Price) -> float | None:
        """What a price takes of this limit; ``None`` where that is not known."""

    def without(self, prices: Iterable[Price]) -> Limit:
        """What is left of it once ``prices`` are paid."""
        return attrs.evolve(self, most=self.most - math.fsum(self.spent(price) or 0.0 for price in prices))


class TimeLimit(Limit):
    """A limit on predicted time, in seconds."""

    unit = "time"
    remedy = "run one task of it first: its time tells how fast this hardware is"

    def spent(self, price: Price) -> float | None:
        return price.seconds

    def __str__(self) -> str:
        return duration(self.most)


class EnergyLimit(Limit):
    """A limit on predicted energy, in joules."""

    unit = "energy"
    remedy = "it takes hardware with a known power limit, e.g. hw=GH200; or give the limit in hours"

    def spent(self, price: Price) -> float | None:
        return price.joules

    def __str__(self) -> str:
        return energy(self.most)


class MoneyLimit(Limit):
    """A limit on predicted cost, in US dollars."""

    unit = "cost"
    remedy = "write Study(price_per_device_hour=2.50, ...), and run one task where the speed is not known"

    def spent(self, price: Price) -> float | None:
        return price.usd

    def __str__(self) -> str:
        return money(self.most)


def limit_from(text: str) -> Limit:
    """The limit that ``"2h30m"``, ``"50kWh"`` or ``"$100"`` means; what estimates are printed as is read too.

    Raises:
        Invalid: for anything else.
    """
    number = r"(\d[\d,]*(?:\.\d+)?)"
    if (seconds := seconds_in(text)) is not None:
        return TimeLimit(seconds)
    if found := re.fullmatch(rf"{number}\s*(k?)Wh", text):
        return EnergyLimit(_number(found[1]) * JOULES_PER_KWH / (1 if found[2] else 1000))
    if found := re.fullmatch(rf"\${number}", text):
        return MoneyLimit(_number(found[1]))
    raise Invalid(f"{text!r} is not a limit", "e.g. 90m, 2h30m, 50kWh or '$100'")


def _number(text: str) -> float:
    return float(text.replace(",", ""))


def within(plan: Plan, limit: Limit) -> Plan:
    """``plan`` with only as many tasks as ``limit`` allows; the rest are ``left out``.

    What is to run now is taken first, in the plan's order, repeat by repeat, and then what waits for it, in
    the same order: so ``effdsl execute`` takes them, wave by wave. Where nothing is to run here, what is to
    run on other hardware is limited in the same way. A task that is too dear is passed over. No task of a
    later repeat is taken once one of an earlier repeat was left out, so that no cell has two repeats before
    every cell has one; and none whose weights or trials were left out. What waits and has no price yet goes
    on waiting.

    Raises:
        Invalid: when the price of a task that can be run is not known in the limit's unit.
    """
    limited = TO_RUN if plan.to_run() else {TaskState.UNAVAILABLE}
    purse = _Purse(limit, list(dict.fromkeys(task.seed for task in plan.every_task)))
    for planned in plan.tasks:
        if planned.state in limited:
            cost = limit.spent(planned.price)
            if cost is None:
                raise Invalid(_unknown(planned, limit), limit.remedy)
            purse.pay(planned, cost)
    for planned in plan.tasks:
        if planned.state is TaskState.WAITING:
            purse.pay(planned, limit.spent(planned.price), purse.lacks(planned.upstream))
    for waiting in sorted(plan.open_tasks, key=lambda task: purse.repeats.index(task.seed)):
        if waiting.state is TaskState.WAITING:
            purse.pay(waiting, limit.spent(waiting.price), purse.lacks_trials)
    return attrs.evolve(
        plan,
        tasks=tuple(map(purse.stated, plan.tasks)),
        open_tasks=tuple(map(purse.stated, plan.open_tasks)),
    )


T = TypeVar("T", PlannedTask, OpenTask)


class _Purse:
    """What is left of a limit, and which tasks it did not pay for.

    Attributes:
        repeats: the seeds, in the order of running.
        lacks_trials: whether one of those tasks is a trial.
    """

    def __init__(self, limit: Limit, repeats: list[int]) -> None:
        self.repeats = repeats
        self._limit, self._left = limit, limit.most * (1 + NOISE)
        self._last = len(repeats)  # of the repeats of which all before were paid for
        self._left_out: set[int] = set()  # by identity: two open tasks may hold the same
        self._keys: set[str] = set()
        self.lacks_trials = False

    def pay(self, task: PlannedTask | OpenTask, cost: float | None, impossible: bool = False) -> None:
        """Pay for ``task``, or leave it out; what has no price is neither, unless it is ``impossible``."""
        place = self.repeats.index(task.seed)
        if not impossible and (cost is None or (cost <= self._left and place <= self._last)):
            self._left -= cost or 0.0
        else:
            self._last = min(self._last, place)
            self._left_out.add(id(task))
            if isinstance(task, PlannedTask):
                self._keys.add(task.address.key)
                self.lacks_trials = self.lacks_trials or task.role is TaskRole.TRIAL

    def lacks(self, keys: Collection[str]) -> bool:
        """Whether a task of ``keys`` was left out."""
        return not self._keys.isdisjoint(keys)

    def stated(self, task: T) -> T:
        """``task``, said to be left out where it was."""
        if id(task) not in self._left_out:
            return task
        return attrs.evolve(task, state=TaskState.LEFT_OUT, reason=f"not within {self._limit}")


def advice(plan: Plan, limit: Limit) -> str:
    """What to do about the tasks that :func:`within` left out of ``plan``: run again, or give more."""
    left_out = [task for task in plan.every_task if task.state is TaskState.LEFT_OUT]
    costs = [
        cost
        for task in left_out
        if task.seed == left_out[0].seed and (cost := limit.spent(task.price)) is not None
    ]
    cheapest = min(costs, default=0.0)
    if cheapest <= limit.most * (1 + NOISE):
        return "run again for more"
    return f"the next takes about {attrs.evolve(limit, most=cheapest)}; give a larger --limit"


def _unknown(planned: PlannedTask, limit: Limit) -> str:
    labels = planned.task.labels
    return f"a limit of {limit} needs the {limit.unit} of {labels.technique} {labels.scale}, not known yet"
