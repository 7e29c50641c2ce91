"""Steps of a model that Megatron-Core has laid out over several processes, each of which calls the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from megatron.core import parallel_state as groups
from megatron.core import tensor_parallel
from megatron.core.distributed import DistributedDataParallel as MegatronDDP
from megatron.core.distributed import DistributedDataParallelConfig, finalize_model_grads
from megatron.core.pipeline_parallel import get_forward_backward_func
from megatron.core.transformer.moe.moe_utils import MoEAuxLossAutoScaler
from torch import Tensor, nn
from torch._C._distributed_c10d import HashStore

from effdsl.engines.megatron import Megatron
from effdsl.stages.pretraining import Pretraining
from effdsl.training import learning_rate_at
from effdsl_runtime.data.batches import Windows
from effdsl_runtime.device import autocast
from effdsl_runtime.engines.megatron.distinct_norm import clip
from effdsl_runtime.engines.megatron.missing_parts import replace_missing
from effdsl_runtime.engines.megatron.shard_map import collect, fill, fill_copy_of_embedding, pieces_here
from effdsl_runtime.engines.megatron.sharded_states import sharded_adamw
from effdsl_runtime.engines.megatron.stage_model import stage_model
from effdsl_runtime.engines.replicas import joined
from effdsl_runtime.engines.trainer import micro_batches
from effdsl_runtime.model.decoder import DecoderLM
from effdsl_runtime.model.feed_forward import Routings
from effdsl_runtime.ranks import Ranks


@contextmanager
def grouped(engine: Megatron, seed: int, device: torch.device) -> Iterator[Ranks]:
    """The processes of this task in the groups of ``engine``'s layout; a process alone is a group too."""
    replace_missing()
    with joined(device) as ranks:
        if ranks.size == 1:
            backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
            dist.init_process_group(backend, store=HashStore(), rank=0, world_size=1)
        groups.initialize_model_parallel(
            tensor_model_parallel_size=engine.tensor_parallel or 1,
            pipeline_model_parallel_size=engine.pipeline_parallel or 1,
            context_parallel_size=engine.context_parallel or 1,
            expert_model_parallel_size=engine.expert_parallel or 1,
        )
        tensor_parallel.model_parallel_cuda_manual_seed(seed)  # which it asks for, though nothing is drawn
        try:
            yield ranks
        finally:
            groups.destroy_model_parallel()
            if ranks.size == 1:
                dist.destroy_process_group()


class LaidOutTrainer:
    """This process's part of a model, its optimizer, and the schedule of its micro-batches.

    The copies of a model share each batch; gradients are averaged over them and summed over whatever else
    has a part of them, and clipped by the norm over all of the model's parameters, each counted once.
    """

    def __init__(
        self, workload: Pretraining, whole: DecoderLM, engine: Megatron, device: torch.device
    ) -> None:
        """``whole`` has the initial weights, on the CPU; some of its blocks may become this process's."""
        self._workload, self._device = workload, device
        self._stage = stage_model(workload.architecture, whole, engine, device)
        self._pieces = pieces_here(self._stage, workload.architecture, engine)
        weights = whole.state_dict()
        fill(self._stage, self._pieces, weights)
        fill_copy_of_embedding(self._stage, weights)
        self._stage.to(device)
        config = self._stage.config
        overlapping = DistributedDataParallelConfig(overlap_grad_reduce=device.type == "cuda")
        self._copies = MegatronDDP(config, overlapping, self._stage)
        config.no_sync_func = self._copies.no_sync
        config.finalize_model_grads_func = finalize_model_grads
        self._optimizers = sharded_adamw(self._stage, self._pieces, workload.recipe)
        self._forward_backward = get_forward_backward_func()

    def step(self, step: int, windows_bs: Windows) -> float:
        """Train on one batch; returns its mean cross-entropy in nats per token."""
        recipe, size = self._workload.recipe, self._workload.budget.micro_batch_size
        rate = learning_rate_at(step, self._workload.budget.steps, recipe)
        self._copies.zero_grad_buffer()
        mine_bs = self._part(windows_bs)
        MoEAuxLossAutoScaler.set_loss_scale(torch.full((1,), size / len(mine_bs), device=self._device))
        loss = self._passes(mine_bs, size, forward_only=False)
        clip(self._stage, self._pieces, recipe.gradient_clip)
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
        for parameter in self._stage.parameters():
            parameter.grad = None  # or the next gradients would be added to these twice
        return loss

    def evaluate(self, windows_ns: Windows, routings: Routings | None = None) -> float:
        """Mean cross-entropy over all targets, in nats per token; every copy of the model computes it."""
        size = self._workload.budget.micro_batch_size
        even = len(windows_ns) // size * size  # the stages agree on one shape for all
        total = 0.0
        with torch.no_grad():
            for part_ns, each in ((windows_ns[:even], size), (windows_ns[even:], len(windows_ns) - even)):
                if len(part_ns):
                    total += self._passes(part_ns, each, forward_only=True) * len(part_ns)
        return total / len(windows_ns)

    def collected(self, empty: DecoderLM) -> DecoderLM:
        """The whole model, in the first process; all are to ask for it at once. ``empty`` is filled."""
        with torch.no_grad():
            for parameter in empty.parameters():
                parameter.zero_()
        collect(self._stage, self._pieces, {name: p.detach() for name, p in empty.named_parameters()})
        return empty

    def _part(self, windows_bs: Windows) -> Windows:
        """The rows of a batch that this process's copy of the model computes."""
        each = len(windows_bs) // groups.get_data_parallel_world_size()
        first = groups.get_data_parallel_rank() * each
        return windows_bs[first : first + each]

    def _passes(self, windows_bs: Windows, size: int, forward_only: bool) -> float:
        """The mean loss of micro-batches of ``size``, with their backward passes unless ``forward_only``."""
        parts = micro_batches(windows_bs, size, self._device)
        losses = self._forward_backward(
            forward_step_func=self._forward,
            data_iterator=iter(parts),
            model=[self._copies],
            num_microbatches=len(parts),
            seq_length=self._workload.budget.context_length,
            micro_batch_size=size,
            forward_only=forward_only,
        )
        total = torch.zeros((), device=self._device)
        for loss in losses:  # of the last stage alone
            total += loss / len(parts)
        dist.all_reduce(total)
        stages = groups.get_pipeline_model_parallel_world_size()
        mean: float = total.item() * stages / dist.get_world_size()
        return mean

    def _forward(self, parts: Iterator[tuple[Tensor, Tensor]], model: nn.Module) -> tuple[Tensor, Any]:
        inputs_bt, targets_bt = next(parts)
        with autocast(self._device, self._workload.recipe.dtype):
            out = model(inputs_bt, None, None, labels=targets_bt)
        return out, _mean_loss


def _mean_loss(losses_bt: Tensor) -> tuple[Tensor, Tensor]:
    loss = losses_bt.float().mean()
    return loss, loss.detach().clone()
