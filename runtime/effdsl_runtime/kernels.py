"""The attention kernels by name, and which one was asked for; the command line loads this at its start."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from effdsl.plan import Plan

Kernel = Literal["auto", "math", "sdpa", "flex", "fla"]

KERNELS: tuple[Kernel, ...] = get_args(Kernel)
KERNEL = "EFFDSL_KERNEL"


def kernel_asked() -> Kernel:
    """The kernel that the environment asks for; ``auto`` where it does not.

    Raises:
        Unsupported: when it asks for one that does not exist.
    """
    asked = os.environ.get(KERNEL) or "auto"
    if asked not in KERNELS:
        from effdsl.techniques.base import Unsupported

        raise Unsupported(f"${KERNEL} is {asked!r}", f"allowed: {', '.join(KERNELS)}")
    return asked


def refusal(kernel: Kernel, plan: Plan) -> str:
    """Why ``kernel`` cannot train what ``plan`` is to run; empty when it can.

    Asked before anything runs: a refusal is about the command, not a result of the tasks.
    """
    from effdsl.techniques.architecture import Decoder
    from effdsl.techniques.nsa import NSA

    if kernel not in ("flex", "fla"):
        return ""
    if plan.machine.kind == "cpu":
        return f"the kernel {kernel} cannot train on a CPU; leave out --kernel, or take sdpa or math"
    architectures = [planned.task.workload.architecture for planned in plan.to_run()]
    if kernel == "fla" and not all(
        isinstance(a, Decoder) and isinstance(a.attention, NSA) for a in architectures
    ):
        return "the kernel fla computes NSA and nothing else; leave out --kernel, or the other techniques"
    return ""
