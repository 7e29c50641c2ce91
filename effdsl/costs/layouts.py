"""Which ways of dividing a training among devices there are, and which of them is best."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING

import attrs

from effdsl.costs.communication import HandedOut
from effdsl.costs.divided_memory import divided_memory, under_autocast
from effdsl.costs.step_time import StepTime, step_time
from effdsl.parallelism import Parallelism

if TYPE_CHECKING:
    from effdsl.costs.divided import DecoderTraining
    from effdsl.hardware import Hardware
    from effdsl.workload import MemoryEstimate

TENSOR_DEGREES = (1, 2, 4, 8)
OF_MEMORY = 0.9
"""What a layout may fill of a device: allocator and communication buffers want the rest."""
AS_FAST = 1.03
"""How much slower counts as equally fast."""


@attrs.frozen
class PricedLayout:
    """A way of dividing a training, with what it would take.

    Attributes:
        parallelism: the way.
        memory: of the fullest device.
        time: of a step; ``None`` where the hardware's rates are not known.
        refused: why its engine cannot do it; empty when it can.
        fits: whether it leaves a tenth of the device's memory free, as far as that is known.
    """

    parallelism: Parallelism
    memory: MemoryEstimate
    time: StepTime | None
    refused: str
    fits: bool

    @property
    def seconds(self) -> float | None:
        """Of a step."""
        return None if self.time is None else self.time.seconds

    @property
    def effort(self) -> tuple[int, ...]:
        return self.parallelism.effort

    @property
    def possible(self) -> bool:
        return self.fits and not self.refused


def candidates(
    work: DecoderTraining,
    hardware: Hardware,
    refuses: Callable[[Parallelism], str],
    considers: Callable[[Parallelism], bool] = lambda parallelism: True,
) -> tuple[PricedLayout, ...]:
    """What our engine could make of ``work`` by Megatron-Core on all of ``hardware``, the most divided last.

    Args:
        refuses: why the engine cannot divide the model in some way; empty when it can.
        considers: whether a way agrees with what a study asks for.
    """

    def candidate(parallelism: Parallelism) -> PricedLayout:
        memory = divided_memory(work, parallelism, under_autocast(work.dtype))
        return PricedLayout(
            parallelism,
            memory,
            step_time(work, hardware, parallelism, HandedOut()),
            refuses(parallelism),
            hardware.memory is None or memory.total <= OF_MEMORY * hardware.memory.value,
        )

    ways = sorted(filter(considers, _divisions(work, hardware)), key=lambda way: way.effort)
    return tuple(map(candidate, ways))


def chosen(among: Sequence[PricedLayout]) -> PricedLayout | None:
    """The fastest of those that fit, or of those nearly as fast the one that divides the model least; the one
    that needs the least memory where none fits; ``None`` where the engine can do none."""
    possible = [candidate for candidate in among if candidate.possible]
    if not possible:
        allowed = [candidate for candidate in among if not candidate.refused]
        return min(allowed, key=lambda candidate: candidate.memory.total, default=None)
    times = [candidate.seconds for candidate in possible if candidate.seconds is not None]
    if len(times) == len(possible):
        nearly = AS_FAST * min(times)
        possible = [one for one, seconds in zip(possible, times, strict=True) if seconds <= nearly]
    return min(possible, key=lambda candidate: candidate.effort)


def _divisions(work: DecoderTraining, hardware: Hardware) -> Iterator[Parallelism]:
    """Every way that uses all devices and leaves no remainder of layers, experts and sequences."""
    layers, budget = work.architecture.shape.layers, work.budget
    tensors = [degree for degree in TENSOR_DEGREES if degree <= hardware.devices_of_a_node]
    experts = _divisors(work.architecture.experts or 1)
    for tensor, stages, expert, again in product(tensors, _divisors(layers), experts, (False, True)):
        copies, left = divmod(hardware.count, tensor * stages)
        if left or not copies or copies % expert or budget.batch_size % (copies * budget.micro_batch_size):
            continue
        for shares_tokens in (True, False) if tensor > 1 else (False,):
            yield Parallelism(tensor, stages, expert, 1, copies, shares_tokens, again)


def _divisors(number: int) -> list[int]:
    return [divisor for divisor in range(1, number + 1) if number % divisor == 0]
