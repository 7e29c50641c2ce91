"""Forward and backward of Mamba and Mamba-2 against transformers' in plain PyTorch, at 3M parameters.

Same sizes, batch of 4 x 256, float32, one thread, one process; the two alternate. Compared is CPU time, by
the median of the ratios within the pairs.
"""

import time

import torch
import torch.nn.functional as F
from effdsl_runtime.model.build import build
from effdsl_runtime.model.decoder import parameter_count
from reporting import Result, median, report
from torch import Tensor
from training import CONTEXT, VOCABULARY
from transformers import Mamba2Config, Mamba2ForCausalLM, MambaConfig, MambaForCausalLM
from transformers.utils import logging

from effdsl import M, Mamba, Mamba2
from effdsl.architecture import RecurrentDecoder
from effdsl.shapes import shape_for
from effdsl.techniques.backbone import Parts, Recurrent
from effdsl.techniques.mamba import MambaLayer

BATCH, SCALE = 4, 3 * M
BARS = {"Mamba": 5.0, "Mamba2": None}  # transformers' Mamba-2 is in chunks already
PAIRS = {"Mamba": 2, "Mamba2": 9}


def theirs(architecture: RecurrentDecoder) -> torch.nn.Module:
    """transformers' model of the same sizes."""
    shape, layer = architecture.shape, architecture.layer
    common = {
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.hidden_size,
        "state_size": layer.state_size,
        "num_hidden_layers": shape.layers,
        "layer_norm_epsilon": shape.norm_eps,
        "conv_kernel": layer.conv_width,
        "expand": layer.inner // shape.hidden_size,
        "use_cache": False,
        "tie_word_embeddings": True,
    }
    if isinstance(layer, MambaLayer):
        return MambaForCausalLM(MambaConfig(**common, time_step_rank=layer.step_rank))
    heads = {"num_heads": layer.heads, "head_dim": layer.inner // layer.heads, "n_groups": 1}
    return Mamba2ForCausalLM(Mamba2Config(**common, **heads))


def compare(backbone: Recurrent) -> Result:
    architecture = backbone.assemble(shape_for(SCALE, VOCABULARY), Parts())
    mine, other = build(architecture, CONTEXT, seed=0), theirs(architecture)
    assert parameter_count(mine) == parameter_count(other)
    tokens_bt = torch.randint(0, VOCABULARY, (BATCH, CONTEXT), generator=torch.Generator().manual_seed(0))

    def our_loss() -> Tensor:
        return mine.loss(tokens_bt, tokens_bt)

    def their_loss() -> Tensor:
        return F.cross_entropy(other(tokens_bt).logits.flatten(0, 1), tokens_bt.flatten())

    name = type(backbone).__name__
    seconds: list[list[float]] = [[], []]
    for number in range(1 + PAIRS[name]):
        for which in (0, 1) if number % 2 else (1, 0):
            start = time.process_time()
            (our_loss, their_loss)[which]().backward()
            if number > 0:
                seconds[which].append(time.process_time() - start)
    times = f"{median(seconds[0]):.3f} against {median(seconds[1]):.3f} CPU s"
    note = f"{parameter_count(mine):,} parameters, {times}"
    ratio = median([theirs_s / ours_s for ours_s, theirs_s in zip(*seconds, strict=True)])
    what = f"speed of our {name} over transformers', forward and backward"
    return Result(what, ratio, "×", at_least=BARS[name], note=note)


torch.set_num_threads(1)
logging.set_verbosity_error()
report("scans", [compare(backbone) for backbone in (Mamba(), Mamba2())])
