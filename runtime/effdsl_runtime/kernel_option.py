"""The attention kernels by name, and which one was asked for; the command line loads this at its start."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from effdsl.plan import Plan

Kernel = Literal["auto", "math", "sdpa", "flex", "fla"]

KERNELS: tuple[Kernel, ...] = get_args(Kernel)
KERNEL = "EFFDSL_KERNEL"
GPU_ONLY: tuple[Kernel, ...] = ("flex", "fla")  # FlexAttention has no backward on a CPU, fla is Triton


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


def check_kernel(kernel: Kernel, device: str, nsa_alone: bool) -> None:
    """Refuse a kernel that cannot train.

    Args:
        kernel: what is asked for.
        device: ``"cpu"``, or how a GPU is called.
        nsa_alone: whether NSA is all that mixes tokens.

    Raises:
        Unsupported: with what to do instead.
    """
    from effdsl.techniques.base import Unsupported

    if kernel in GPU_ONLY and device == "cpu":
        raise Unsupported(
            f"the kernel {kernel} cannot train on a CPU", "leave out --kernel, or take sdpa or math"
        )
    if kernel == "fla" and not nsa_alone:
        raise Unsupported(
            "the kernel fla computes NSA and nothing else", "leave out --kernel, or the other techniques"
        )


def refusal(kernel: Kernel, plan: Plan) -> str:
    """Why ``kernel`` cannot train what ``plan`` is to run; empty when it can.

    Asked before anything runs: a refusal is about the command, not a result of the tasks.
    """
    from effdsl.techniques.architecture import Decoder
    from effdsl.techniques.base import Unsupported
    from effdsl.techniques.nsa import NSA

    if kernel not in GPU_ONLY:
        return ""
    architectures = [planned.task.workload.architecture for planned in plan.to_run()]
    nsa_alone = all(isinstance(a, Decoder) and isinstance(a.attention, NSA) for a in architectures)
    try:
        check_kernel(kernel, plan.machine.kind, nsa_alone)
    except Unsupported as error:
        return f"{error}; {error.hint}"
    return ""
