"""AdamW whose states the copies of a model divide among them, by torch's ``ZeroRedundancyOptimizer``."""

from __future__ import annotations

from typing import Any

import torch
from megatron.core import parallel_state as groups
from megatron.core.models.gpt import GPTModel
from torch.distributed.optim import ZeroRedundancyOptimizer

from effdsl.training import TrainingRecipe
from effdsl_runtime.engines.megatron.shard_map import Piece
from effdsl_runtime.engines.trainer import adamw


def sharded_adamw(
    stage: GPTModel, pieces: list[Piece], recipe: TrainingRecipe
) -> list[torch.optim.Optimizer]:
    """What updates the parameters of ``stage``: one optimizer for those that every copy of the model has, and
    one for those of the experts, which fewer devices have. Each device updates some, and hands them to the
    others."""
    whole = adamw(stage, recipe)
    theirs = dict(stage.named_parameters())
    of_experts = {id(theirs[piece.name]) for piece in pieces if piece.expert}
    among = {False: groups.get_data_parallel_group(), True: groups.get_expert_data_parallel_group()}
    optimizers: list[torch.optim.Optimizer] = []
    for expert, group in among.items():
        kept = [
            {**of, "params": [p for p in of["params"] if (id(p) in of_experts) is expert]}
            for of in whole.param_groups
        ]
        kept = [of for of in kept if of["params"]]
        if kept:
            optimizers.append(_among(group, kept, whole.defaults))
    return optimizers


def _among(group: Any, parameters: list[dict[str, Any]], settings: dict[str, Any]) -> torch.optim.Optimizer:
    """The optimizer of ``parameters`` whose states the processes of ``group`` divide among them."""
    if group.size() == 1:
        return torch.optim.AdamW(parameters, lr=settings["lr"], betas=settings["betas"], fused=True)
    return ZeroRedundancyOptimizer(
        parameters,
        optimizer_class=torch.optim.AdamW,
        process_group=group,
        lr=settings["lr"],
        betas=settings["betas"],
        fused=True,
    )
