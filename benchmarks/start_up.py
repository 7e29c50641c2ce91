"""CPU time of `effdsl --help`: what every call of the command costs before it does anything."""

from reporting import EFFDSL, Result, cpu_seconds, median, report

REPEATS = 21

cpu_seconds([EFFDSL, "--help"])  # the first call compiles the byte code
seconds = [cpu_seconds([EFFDSL, "--help"]) for _ in range(REPEATS)]
report(
    "start_up",
    [Result("`effdsl --help`", median(seconds), "CPU s", at_most=0.06, note=f"median of {REPEATS}")],
)
