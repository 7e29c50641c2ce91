"""Probes: memory, utilisation, power and energy of a task, read beside it while it runs."""

from effdsl_runtime.probes.reading import Meter, Probe, ProbeError, Reading
from effdsl_runtime.probes.recorder import Recorder
from effdsl_runtime.probes.sampler import Sampler
from effdsl_runtime.probes.summary import Summary, summarise
from effdsl_runtime.probes.trace import Trace

__all__ = [
    "Meter",
    "Probe",
    "ProbeError",
    "Reading",
    "Recorder",
    "Sampler",
    "Summary",
    "Trace",
    "summarise",
]
