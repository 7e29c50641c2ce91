"""The attention kernels by name, and which one was asked for; the command line loads this at its start."""

from __future__ import annotations

import os
from typing import Literal, get_args

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
