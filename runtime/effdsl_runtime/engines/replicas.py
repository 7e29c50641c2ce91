"""A model that several processes train together: each has a part of every batch, and the model or a shard.

Every process computes the mean loss of its part; gradients are averaged over the processes, so that a step is
that of the whole batch in one process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from effdsl_runtime.data.batches import Windows
from effdsl_runtime.model.decoder import DecoderLM
from effdsl_runtime.model.feed_forward import Routings
from effdsl_runtime.model.routing import balance_penalty
from effdsl_runtime.ranks import Ranks


@contextmanager
def joined(device: torch.device) -> Iterator[Ranks]:
    """The processes of this task, able to talk to each other while the block runs; alone where it has one."""
    ranks = Ranks.here()
    if ranks.size == 1:
        yield ranks
        return
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    try:
        yield ranks
    finally:
        dist.destroy_process_group()


class Losses(nn.Module):
    """What a model is trained on, as a module: the mean loss in nats per token, and what unevenly routed
    experts add to it."""

    def __init__(self, model: DecoderLM) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs_bt: Tensor, targets_bt: Tensor) -> tuple[Tensor, Tensor | float]:
        routings = Routings()
        loss = self.model.loss(inputs_bt, targets_bt, routings)
        return loss, balance_penalty(routings)


class Replica:
    """This process's replica of a model: here the only one.

    Attributes:
        losses: gives the loss of a micro-batch, with whose backward pass gradients meet.
    """

    def __init__(self, model: DecoderLM) -> None:
        self.model = model
        self.losses: nn.Module = Losses(model)

    def part(self, windows_bs: Windows) -> Windows:
        """This process's part of a batch."""
        return windows_bs

    def meeting(self, is_last: bool) -> AbstractContextManager[Any]:
        """Around the passes of a micro-batch: gradients meet at the last one of a step."""
        return nullcontext()

    def mean(self, value: Tensor) -> Tensor:
        """The mean of a scalar over the processes."""
        return value

    def whole(self, empty: DecoderLM) -> DecoderLM:
        """The whole model in this process; all processes are to ask for it at once.

        Args:
            empty: a model of the same kind on the CPU, to be filled where this one has only a shard.
        """
        return self.model


class Together(Replica):
    """A replica among those of other processes."""

    def __init__(self, model: DecoderLM, ranks: Ranks) -> None:
        super().__init__(model)
        self._ranks = ranks

    def part(self, windows_bs: Windows) -> Windows:
        each = len(windows_bs) // self._ranks.size
        return windows_bs[self._ranks.rank * each : (self._ranks.rank + 1) * each]

    def mean(self, value: Tensor) -> Tensor:
        dist.all_reduce(value)
        return value / self._ranks.size


class Copied(Together):
    """Every process has all of the model and of its optimizer; DDP averages the gradients."""

    def __init__(self, model: DecoderLM, ranks: Ranks) -> None:
        super().__init__(model, ranks)
        self._copy = DistributedDataParallel(
            self.losses, broadcast_buffers=False, gradient_as_bucket_view=True
        )
        self.losses = self._copy

    def meeting(self, is_last: bool) -> AbstractContextManager[Any]:
        return nullcontext() if is_last else self._copy.no_sync()


class Sharded(Together):
    """Weights, gradients and optimizer states are divided among the processes by FSDP2, layer by layer."""

    def __init__(self, model: DecoderLM, ranks: Ranks) -> None:
        for block in model.blocks if _own_parameters(model) else ():
            fully_shard(block)
        fully_shard(model)
        register_fsdp_forward_method(model, "loss")
        super().__init__(model, ranks)

    @contextmanager
    def meeting(self, is_last: bool) -> Iterator[None]:
        assert isinstance(self.model, FSDPModule)  # noqa: S101  which `fully_shard` has made of it
        self.model.set_requires_gradient_sync(is_last)
        self.model.set_is_last_backward(is_last)
        yield

    def whole(self, empty: DecoderLM) -> DecoderLM:
        shards = self.model.state_dict()
        full = {name: t.full_tensor() if isinstance(t, DTensor) else t for name, t in shards.items()}
        empty.load_state_dict(full)
        return empty


def replica(model: DecoderLM, ranks: Ranks, sharded: bool | None) -> Replica:
    """What trains ``model``, alone or together with the other processes of the task."""
    if ranks.size == 1:
        return Replica(model)
    return Sharded(model, ranks) if sharded else Copied(model, ranks)


def _own_parameters(model: DecoderLM) -> bool:
    """Whether no two blocks share a parameter, as those do that look up one table of positions."""
    seen = Counter(id(parameter) for block in model.blocks for parameter in block.parameters())
    return all(count == 1 for count in seen.values())
