"""What the benchmarks that train have in common: a declared shape, ours and transformers', one trainer."""

import os

# Idle OpenMP threads that spin take the cores from whatever runs beside them; read when torch starts.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

import time
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from effdsl_runtime.engines.trainer import Trainer
from effdsl_runtime.model.build import build
from reporting import median
from torch import Tensor

from effdsl import GQA, RoPE
from effdsl.shapes import shape_for
from effdsl.techniques.architecture import Decoder
from effdsl.training import TrainingRecipe
from effdsl.units import Count

VOCABULARY = 2048
CONTEXT = 256
BATCH = 8
CPU = torch.device("cpu")


def decoder(scale: Count) -> Decoder:
    """GQA with two key-value heads and RoPE at ``scale``."""
    shape = shape_for(scale, VOCABULARY)
    return Decoder(shape, GQA().resolve(shape), RoPE().resolve(shape))


class Qwen2(torch.nn.Module):
    """transformers' Qwen2 of the same shape, with the loss computed as ours is."""

    def __init__(self, architecture: Decoder) -> None:
        from transformers import Qwen2Config, Qwen2ForCausalLM

        super().__init__()
        shape = architecture.shape
        self.model = Qwen2ForCausalLM(
            Qwen2Config(
                vocab_size=shape.vocab_size,
                hidden_size=shape.hidden_size,
                intermediate_size=shape.intermediate_size,
                num_hidden_layers=shape.layers,
                num_attention_heads=shape.heads,
                num_key_value_heads=architecture.attention.kv_heads,
                max_position_embeddings=CONTEXT,
                rms_norm_eps=shape.norm_eps,
                rope_parameters={"rope_type": "default", "rope_theta": architecture.position.theta},
                tie_word_embeddings=True,
                use_cache=False,
                attn_implementation="sdpa",
            )
        )

    def loss(self, tokens_bt: Tensor, targets_bt: Tensor, routings: list[object]) -> Tensor:
        logits_nv = self.model(input_ids=tokens_bt).logits.flatten(0, 1)
        return F.cross_entropy(logits_nv.float(), targets_bt.flatten())


def ours(architecture: Decoder, dtype: str) -> Trainer:
    return trainer_of(build(architecture, CONTEXT, seed=0), dtype)


def transformers_qwen2(architecture: Decoder, dtype: str) -> Trainer:
    return trainer_of(Qwen2(architecture), dtype)


def trainer_of(model: torch.nn.Module, dtype: str) -> Trainer:
    """``model`` with the optimizer and clipping that every benchmark trains with."""
    recipe = TrainingRecipe(learning_rate=1e-3, dtype=dtype)
    return Trainer(model, recipe, steps=1000, micro_batch_size=BATCH, device=CPU)


def windows(seed: int = 0) -> np.ndarray:
    """Random tokens ``x_bs``, s = context + 1: speed does not depend on what they say."""
    return np.random.default_rng(seed).integers(0, VOCABULARY, (BATCH, CONTEXT + 1))


def step_cpu_seconds(trainer: Trainer, step: int, windows_bs: np.ndarray) -> float:
    """CPU time of one step. With one thread it is the step's time on a machine of its own."""
    start = time.process_time()
    trainer.step(step, windows_bs)
    return time.process_time() - start


def alternating(
    pair: Sequence[Trainer], windows_bs: np.ndarray, pairs: int, warm_up: int
) -> tuple[float, float, float]:
    """Median CPU seconds of a step of ours and of theirs, and the median of theirs over ours.

    The two take turns, and which comes first alternates, so that whatever else the machine does meets
    both alike; ratios are taken within the pairs.
    """
    seconds: list[list[float]] = [[], []]
    for number in range(warm_up + pairs):
        for which in (0, 1) if number % 2 else (1, 0):
            taken = step_cpu_seconds(pair[which], number, windows_bs)
            if number >= warm_up:
                seconds[which].append(taken)
    ratio = median([theirs / ours for ours, theirs in zip(*seconds, strict=True)])
    return median(seconds[0]), median(seconds[1]), ratio
