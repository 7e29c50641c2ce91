"""What a task will take: seconds, joules, money and CO2e. All are estimates, and empty where unknown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from effdsl.hardware import Hardware
    from effdsl.task import Cell
    from effdsl.workload import Cost

ASSUMED_EFFICIENCY = 0.4  # of the peak; well-kept frameworks report 0.33 to 0.48 for decoders in bfloat16
JOULES_PER_KWH = 3.6e6
SECONDS_PER_HOUR = 3600


@attrs.frozen
class Rates:
    """What an hour of a device costs in US dollars, and what a kWh emits in grams of CO2e."""

    usd_per_device_hour: float | None = None
    gco2e_per_kwh: float | None = None


@attrs.frozen
class Price:
    """One task, or several together.

    Attributes:
        lower_bound_s: seconds that the hardware's peak rates allow at best.
        seconds: seconds it will probably take.
        joules: those seconds at the devices' power limit.
        usd: US dollars.
        gco2e: grams of CO2e.
        seconds_low, seconds_high: between which nine in ten of the tasks that have run would put it.
    """

    lower_bound_s: float | None = None
    seconds: float | None = None
    joules: float | None = None
    usd: float | None = None
    gco2e: float | None = None
    seconds_low: float | None = None
    seconds_high: float | None = None


UNPRICED = Price()


@attrs.frozen
class Speed:
    """How fast tasks run on some hardware.

    Attributes:
        of_bound: the fraction of the bound's speed that training reaches.
        flops_per_s: the rate that it reaches where no bound is known.
        tasks: how many were measured for it; none means assumed.
        outside_s: seconds of a task outside its training: start, evaluation, generation.
        alike: how many of them had the same kinds of parts.
        slowest, fastest: the 5th and 95th percentile of their speed, in units of this one.
        foreseen: whether a model of the engine's time says so, where nothing was measured.
    """

    of_bound: float | None = None
    flops_per_s: float | None = None
    tasks: int = 0
    outside_s: float = 0.0
    alike: int = 0
    slowest: float = 1.0
    fastest: float = 1.0
    foreseen: bool = False

    def seconds(self, flops: float | None, bound_s: float | None, factor: float = 1.0) -> float | None:
        """Time of a task of ``flops`` that takes at least ``bound_s``, at ``factor`` times this speed;
        ``None`` when nothing is known."""
        if bound_s is not None and self.of_bound is not None:
            return self.outside_s + bound_s / (self.of_bound * factor)
        if self.flops_per_s is not None and flops is not None:
            return self.outside_s + flops / (self.flops_per_s * factor)
        return None


ASSUMED = Speed(of_bound=ASSUMED_EFFICIENCY)
UNKNOWN = Speed()


def lower_bound_s(cost: Cost, dtype: str, hardware: Hardware) -> float | None:
    """Roofline (Williams et al. 2009, doi 10.1145/1498765.1498785): the longer of the FLOPs at the peak
    rate of their dtype and the bytes at the memory's bandwidth, on all devices together.

    ``None`` where the FLOPs or the peak rate are not known. Communication between devices is not counted.
    """
    peak = hardware.peak_flops.get(dtype)
    if peak is None or cost.flops is None:
        return None
    compute_s = cost.flops / (peak * hardware.count)
    if cost.bytes_moved is None or not hardware.bandwidth:
        return compute_s
    return max(compute_s, cost.bytes_moved / hardware.bandwidth)


def price_of(cell: Cell, cost: Cost, speed: Speed, rates: Rates) -> Price:
    """The price of one task of ``cell``, which takes ``cost``, at ``speed``."""
    hardware = cell.hardware
    bound_s = lower_bound_s(cost, cell.workload.dtype, hardware)
    flops = cost.flops
    seconds = speed.seconds(flops, bound_s)
    power_w = hardware.power_limit_w
    joules = None if seconds is None or power_w is None else seconds * power_w * hardware.count
    hourly, intensity = rates.usd_per_device_hour, rates.gco2e_per_kwh
    return Price(
        lower_bound_s=bound_s,
        seconds=seconds,
        joules=joules,
        usd=None
        if seconds is None or hourly is None
        else seconds / SECONDS_PER_HOUR * hourly * hardware.count,
        gco2e=None if joules is None or intensity is None else joules / JOULES_PER_KWH * intensity,
        seconds_low=speed.seconds(flops, bound_s, speed.fastest) if speed.tasks else None,
        seconds_high=speed.seconds(flops, bound_s, speed.slowest) if speed.tasks else None,
    )


def together(prices: Iterable[Price]) -> Price:
    """The sum; a part that one of them does not know is not known of the sum."""
    listed = list(prices)

    def total(name: str) -> float | None:
        values = [getattr(price, name) for price in listed]
        return None if None in values or not values else sum(values)

    return Price(*(total(field.name) for field in attrs.fields(Price)))
