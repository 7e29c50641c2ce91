"""Probes: memory, utilisation, power and energy of a task, read beside it while it runs."""

from effdsl_runtime.probes.probe import Meter, Probe, ProbeError, Reading
from effdsl_runtime.probes.recorder import Recorder
from effdsl_runtime.probes.sampler import Sampler
from effdsl_runtime.probes.summary import Measurement, summarise
from effdsl_runtime.probes.trace import Trace

__all__ = [
    "Measurement",
    "Meter",
    "Probe",
    "ProbeError",
    "Reading",
    "Recorder",
    "Sampler",
    "Trace",
    "summarise",
]
