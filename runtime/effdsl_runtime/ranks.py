"""Which process of its task this one is, where a task has one for each device."""

from __future__ import annotations

import os
from collections.abc import Mapping

import attrs


@attrs.frozen
class Ranks:
    """This process among those of its task.

    Attributes:
        rank: its number, from 0. What is kept of the task is what the process 0 hands back.
        size: how many there are.
        local_rank, local_size: the same among those of its machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @classmethod
    def here(cls, environment: Mapping[str, str] = os.environ) -> Ranks:
        """As torchrun tells each of the processes that it starts; of a process alone, that it is alone."""
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
        if any(name not in environment for name in names):
            return cls()
        return cls(*(int(environment[name]) for name in names))

    @property
    def is_first(self) -> bool:
        """Whether it is the one that the record is of."""
        return self.rank == 0
