"""The attention kernels by name, and which one was asked for; the command line loads this at its start."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from effdsl.plan import Plan
    from effdsl.task import Labels

Kernel = Literal["auto", "math", "sdpa", "flex", "fla"]

KERNELS: tuple[Kernel, ...] = get_args(Kernel)
KERNEL = "EFFDSL_KERNEL"
COMPUTES_ONLY: dict[Kernel, str] = {"fla": "NSA"}
GPU_ONLY: tuple[Kernel, ...] = ("flex", "fla")  # FlexAttention has no backward on a CPU, fla is Triton


def kernel_asked() -> Kernel:
    """The kernel that the environment asks for; ``auto`` where it does not.

    Raises:
        Unsupported: when it asks for one that does not exist.
    """
    asked = os.environ.get(KERNEL) or "auto"
    if asked not in KERNELS:
        from effdsl.techniques.technique import Unsupported

        raise Unsupported(f"${KERNEL} is {asked!r}", f"allowed: {', '.join(KERNELS)}")
    return asked


def check_kernel(kernel: Kernel, device: str, *mixers: str) -> None:
    """Refuse a kernel that cannot train.

    Args:
        kernel: what is asked for.
        device: ``"cpu"``, or how a GPU is called.
        mixers: the techniques that mix tokens, by name.

    Raises:
        Unsupported: with what to do instead.
    """
    from effdsl.techniques.technique import Unsupported

    if kernel in GPU_ONLY and device == "cpu":
        raise Unsupported(
            f"the kernel {kernel} cannot train on a CPU", "leave out --kernel, or take sdpa or math"
        )
    only = COMPUTES_ONLY.get(kernel)
    if only is not None and any(mixer != only for mixer in mixers):
        raise Unsupported(
            f"the kernel {kernel} computes {only} and nothing else",
            "leave out --kernel, or the other techniques",
        )


def refusal(kernel: Kernel, plan: Plan) -> str:
    """Why ``kernel`` cannot train what ``plan`` is to run; empty when it can.

    Asked before anything runs: a refusal is about the command, not a result of the tasks.
    """
    from effdsl.techniques.technique import Unsupported

    if kernel not in GPU_ONLY:
        return ""
    mixers = {_mixer(task.of.labels) for task in plan.to_run()}
    try:
        check_kernel(kernel, plan.machine.kind, *mixers)
    except Unsupported as error:
        return f"{error}; {error.hint}"
    return ""


def _mixer(labels: Labels) -> str:
    """What mixes the tokens of a cell: its attention, else its backbone."""
    mixer = labels.choices.get("attention") or labels.choices.get("backbone")
    return mixer.technique if mixer else ""
