"""RWKV-4 against transformers' RWKV: forward and backward, at about 3M parameters, 4 sequences of 256.

Theirs, where no CUDA kernel is installed, steps through time token by token. Measured are the weighted
mean alone, at the width of that model, and the whole model, most of whose time is matrix products, which
are the same in both. Ours and theirs take turns in one process on one thread, and the order within each
pair alternates. Compared is CPU time, by the median of the ratios within the pairs.
"""

import time
from collections.abc import Callable

import torch
import training
from effdsl_runtime.model.build import build
from effdsl_runtime.model.decoder import parameter_count
from effdsl_runtime.model.wkv import wkv
from reporting import Result, median, report
from torch import Tensor
from transformers import RwkvConfig, RwkvForCausalLM
from transformers.models.rwkv.modeling_rwkv import rwkv_linear_attention_cpu

from effdsl import RWKV4, M
from effdsl.shapes import shape_for
from effdsl.techniques.backbone import Parts

PAIRS, WARM_UP = 7, 2
BATCH, CONTEXT = 4, training.CONTEXT
ARCHITECTURE = RWKV4().assemble(shape_for(3 * M, training.VOCABULARY), Parts())
SHAPE = ARCHITECTURE.shape


def compare(ours: Callable[[], None], theirs: Callable[[], None]) -> tuple[float, str]:
    seconds: list[list[float]] = [[], []]
    for number in range(WARM_UP + PAIRS):
        for which in (0, 1) if number % 2 else (1, 0):
            start = time.process_time()
            (ours, theirs)[which]()
            if number >= WARM_UP:
                seconds[which].append(time.process_time() - start)
    mine, other = (1000 * median(taken) for taken in seconds)
    ratio = median([b / a for a, b in zip(*seconds, strict=True)])
    return ratio, f"{mine:.1f} against {other:.1f} CPU ms"


def of_the_mean(mean: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> Callable[[], None]:
    """Forward and backward of ``mean(k, v, log_decay, first)``."""
    generator = torch.Generator().manual_seed(0)
    k_btd, v_btd = (torch.randn(BATCH, CONTEXT, SHAPE.hidden_size, generator=generator) for _ in range(2))
    log_decay_d, first_d = torch.linspace(-5, 3, SHAPE.hidden_size), torch.zeros(SHAPE.hidden_size)
    leaves = [x.requires_grad_() for x in (k_btd, v_btd, log_decay_d, first_d)]

    def step() -> None:
        torch.autograd.grad(mean(*leaves).sum(), leaves)

    return step


def of_the_model(model: torch.nn.Module, logits: Callable[[Tensor], Tensor]) -> Callable[[], None]:
    """Forward and backward of ``model``, with the same loss for both."""
    tokens_bs = torch.from_numpy(training.windows()[:BATCH])
    inputs_bt, targets_n = tokens_bs[:, :-1], tokens_bs[:, 1:].flatten()

    def step() -> None:
        model.zero_grad()
        torch.nn.functional.cross_entropy(logits(inputs_bt).flatten(0, 1), targets_n).backward()

    return step


torch.set_num_threads(1)
mean, mean_note = compare(
    of_the_mean(lambda k, v, log_decay, first: wkv(k, v, log_decay.exp(), first)),
    of_the_mean(lambda k, v, log_decay, first: rwkv_linear_attention_cpu(log_decay, first, k, v)[0]),
)
mine = build(ARCHITECTURE, CONTEXT, seed=0)
other = RwkvForCausalLM(
    RwkvConfig(
        vocab_size=SHAPE.vocab_size,
        hidden_size=SHAPE.hidden_size,
        num_hidden_layers=SHAPE.layers,
        rescale_every=0,
        use_cache=False,
    )
)
counts = [parameter_count(model) for model in (mine, other)]
assert counts[0] == counts[1], counts
whole, whole_note = compare(
    of_the_model(mine, mine), of_the_model(other, lambda tokens_bt: other(tokens_bt).logits)
)
where = f"width {SHAPE.hidden_size}, {mean_note}"
report(
    "rwkv",
    [
        Result("speed of our weighted mean over transformers' loop", mean, "×", at_least=5, note=where),
        Result("of our whole model", whole, "×", note=f"{counts[0]:,} parameters, {whole_note}"),
    ],
)
