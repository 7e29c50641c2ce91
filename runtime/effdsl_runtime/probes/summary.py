"""The paper's device metrics out of a trace: AMU, PCU and AEC (equations 1, 2, 7 and 8), with reasons
for those that cannot be given."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from effdsl.metrics import energy_metrics
from effdsl_runtime.probes.integrate import NS, CounterResetError, OutsideTraceError, increase, integral, mean
from effdsl_runtime.probes.trace import Trace

GB = 1e9
SHORTEST_ENERGY_WINDOW_S = 2.0
METRICS_OF: dict[str, tuple[str, ...]] = {
    "memory_bytes": ("amu_gb", "peak_memory_gb", "memory_over_baseline_gb"),
    "utilisation": ("pcu",),
    "energy_j": energy_metrics(),
}


@attrs.frozen
class Measurement:
    """Metrics by name (see ``effdsl.metrics``), and why the others are missing."""

    metrics: dict[str, float]
    missing: dict[str, str]


class NotMeasurableError(Exception):
    """A metric has no value over this window; the message is the reason."""


def unmeasurable(missing: Mapping[str, str]) -> dict[str, str]:
    """Metrics that fall with the quantities a probe cannot read."""
    return {metric: why for field, why in missing.items() for metric in METRICS_OF.get(field, ())}


def summarise(
    trace: Trace,
    start_ns: int,
    end_ns: int,
    missing: Mapping[str, str],
    peak_memory_bytes: int | None = None,
    failure: str = "",
    memory_over_start_bytes: int | None = None,
) -> Measurement:
    """Mean memory, utilisation and power over a window, its energy, and the peak of the whole trace.

    ``energy_j_per_token`` is left to whoever knows the tokens; its reason is here when there is none.

    Args:
        missing: what the probe cannot read (a field of Reading), with the reason.
        peak_memory_bytes: a high-water mark that the system kept, if it did.
        failure: why the probe stopped before the end, if it did.
        memory_over_start_bytes: how much the peak is above what was used at the start, if the probe knows.
    """
    reasons = unmeasurable(missing)
    metrics: dict[str, float] = {}
    givers: dict[str, Callable[[], float]] = {
        "amu_gb": lambda: _memory(trace, start_ns, end_ns),
        "peak_memory_gb": lambda: _peak_memory(trace, peak_memory_bytes),
        "memory_over_baseline_gb": lambda: _over_baseline(trace, memory_over_start_bytes),
        "pcu": lambda: _utilisation(trace, start_ns, end_ns),
        "energy_j": lambda: energy_j(trace, start_ns, end_ns),
    }
    for name, give in givers.items():
        if name in reasons:
            continue
        try:
            metrics[name] = give()
        except OutsideTraceError:
            reasons[name] = failure or "the probe's samples do not cover the measured iterations"
        except (NotMeasurableError, CounterResetError) as error:
            reasons[name] = str(error)
    if "energy_j" in metrics:
        metrics["aec_w"] = metrics["energy_j"] / ((end_ns - start_ns) * NS)
    else:
        reasons |= dict.fromkeys(energy_metrics(), reasons["energy_j"])
    return Measurement(metrics, reasons)


def energy_j(trace: Trace, start_ns: int, end_ns: int) -> float:
    """Energy over a window: difference of the counter, else the integral of the power (eq. 7).

    A GPU's counter moves about ten times a second, so that short windows would be mostly rounding.

    Raises:
        NotMeasurableError: for a window under two seconds, a meter that stood still, or no meter.
        CounterResetError: when the counter was set back.
        OutsideTraceError: when the window is not covered.
    """
    seconds = (end_ns - start_ns) * NS
    if seconds < SHORTEST_ENERGY_WINDOW_S:
        raise NotMeasurableError(
            f"the measured iterations took {seconds:.2f} s; "
            f"energy needs at least {SHORTEST_ENERGY_WINDOW_S:g} s"
        )
    if trace.energy_j is not None:
        used = increase(trace.t_ns, trace.energy_j, start_ns, end_ns)
        if used <= 0:
            raise NotMeasurableError(f"the energy counter stood still for {seconds:.2f} s")
        return used
    if trace.power_w is not None:
        return integral(trace.t_ns, trace.power_w, start_ns, end_ns)
    raise NotMeasurableError("no power meter")


def _memory(trace: Trace, start_ns: int, end_ns: int) -> float:
    if trace.memory_bytes is None:
        raise OutsideTraceError
    return mean(trace.t_ns, trace.memory_bytes, start_ns, end_ns) / GB


def _peak_memory(trace: Trace, high_water_bytes: int | None) -> float:
    seen = [*(trace.memory_bytes or ()), *([high_water_bytes] if high_water_bytes else [])]
    if not seen:
        raise OutsideTraceError
    return max(seen) / GB


def _over_baseline(trace: Trace, known_bytes: int | None) -> float:
    """What the probe knows, else the peak less the first reading, taken before the task does anything."""
    if known_bytes is not None:
        return known_bytes / GB
    if not trace.memory_bytes:
        raise OutsideTraceError
    return (max(trace.memory_bytes) - trace.memory_bytes[0]) / GB


def _utilisation(trace: Trace, start_ns: int, end_ns: int) -> float:
    if trace.device_utilisation is not None:
        return mean(trace.t_ns, trace.device_utilisation, start_ns, end_ns)
    busy_s = increase(trace.t_ns, trace.cpu_time_s, start_ns, end_ns)
    return busy_s / ((end_ns - start_ns) * NS * trace.cores)
