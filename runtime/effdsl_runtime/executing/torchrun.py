"""torchrun, as ``python -m effdsl_runtime.executing.torchrun PARENT ARGUMENTS…``: it ends with ``PARENT``."""

from __future__ import annotations

import sys

from effdsl_runtime.tied import end_with


def main(parent: int, arguments: list[str]) -> None:
    """Start the processes of a task and watch over them; called in a process of its own."""
    end_with(parent)
    from torch.distributed.run import main as torchrun

    torchrun(arguments)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
