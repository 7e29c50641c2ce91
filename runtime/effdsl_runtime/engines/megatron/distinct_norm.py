"""Clipping by the norm over all parameters of a model that lies in parts in several processes."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from megatron.core import parallel_state as groups
from megatron.core.models.gpt import GPTModel
from torch import Tensor

from effdsl_runtime.engines.megatron.shard_map import Piece

TINY = 1e-6  # as in torch.nn.utils.clip_grad_norm_


def clip(stage: GPTModel, pieces: list[Piece], most: float) -> None:
    """Hand the gradients of ``stage`` to its optimizer, scaled so that their norm over the parameters of all
    stages and shards, each counted once, is at most ``most``."""
    theirs = dict(stage.named_parameters())
    for parameter in theirs.values():
        parameter.grad = parameter.main_grad
    divided_here = groups.get_tensor_model_parallel_rank() > 0
    counted = [piece for piece in pieces if piece.divided is not None or not divided_here]
    shared = [theirs[piece.name].grad for piece in counted if not piece.expert]
    of_experts = [theirs[piece.name].grad for piece in counted if piece.expert]
    squares = _squares(shared, groups.get_model_parallel_group())
    squares += _squares(of_experts, groups.get_expert_tensor_model_pipeline_parallel_group())
    scale = (most / (squares.sqrt() + TINY)).clamp(max=1.0)
    torch._foreach_mul_([parameter.grad for parameter in theirs.values()], scale)


def _squares(gradients: list[Tensor], group: Any) -> Tensor:
    """The squared norm of ``gradients`` and those of the other processes of ``group``."""
    device = torch.cuda.current_device() if torch.cuda.is_available() else "cpu"
    total = torch.zeros((), device=device)
    for norm in torch._foreach_norm(gradients) if gradients else ():
        total += norm.square()
    dist.all_reduce(total, group=group)
    return total
