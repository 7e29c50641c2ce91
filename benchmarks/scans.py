"""The scans of Mamba, Mamba-2 and RWKV-4 against transformers' own, forward and backward, by themselves.

Sizes are those of the models of about 3M parameters, 4 sequences of 256; what surrounds a scan, mostly
matrix products that both models share, is left to against_transformers.py. Where no CUDA kernel is
installed, transformers steps through time token by token for Mamba and RWKV; its Mamba-2 works in chunks.
Ours and theirs take turns in one process on one thread, and the order within each pair alternates.
Compared is CPU time, by the median of the ratios within the pairs; before that, that both give the same.
"""

import time
from collections.abc import Callable

import attrs
import torch
import training
from effdsl_runtime.model.dual import dual_scan
from effdsl_runtime.model.scan import selective_scan
from effdsl_runtime.model.wkv import wkv
from reporting import Result, median, report
from torch import Tensor
from transformers.models.mamba.modeling_mamba import mamba_selective_scan
from transformers.models.mamba2.modeling_mamba2 import mamba2_chunk_scan
from transformers.models.rwkv.modeling_rwkv import rwkv_linear_attention_cpu

from effdsl import RWKV4, M, Mamba, Mamba2
from effdsl.shapes import shape_for
from effdsl.techniques.architecture import RecurrentDecoder
from effdsl.techniques.backbone import Parts, Recurrent
from effdsl.techniques.mamba import Mamba2Layer, MambaLayer

BATCH, CONTEXT = 4, training.CONTEXT
THEIR_CHUNK = 256  # transformers' default
Scan = Callable[..., Tensor]


@attrs.frozen
class Pair:
    """The same scan twice, on the same inputs."""

    name: str
    inputs: tuple[Tensor, ...]
    ours: Scan
    theirs: Scan
    at_least: float | None
    pairs: int
    note: str


def architecture(backbone: Recurrent) -> RecurrentDecoder:
    return backbone.assemble(shape_for(3 * M, training.VOCABULARY), Parts())


def mamba() -> Pair:
    layer = architecture(Mamba()).layer
    assert isinstance(layer, MambaLayer)
    u_btd, step_btd = torch.randn(BATCH, CONTEXT, layer.inner), torch.randn(BATCH, CONTEXT, layer.inner) - 4
    B_btn, C_btn = (torch.randn(BATCH, CONTEXT, layer.state_size) for _ in range(2))
    A_dn = -torch.arange(1.0, layer.state_size + 1).repeat(layer.inner, 1)
    D_d = torch.ones(layer.inner)

    def ours(u: Tensor, step: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:
        return selective_scan(u, step, A.T, B, C, D)[0]

    def theirs(u: Tensor, step: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:
        return mamba_selective_scan(u.mT, step.mT, A, B.mT, C.mT, D, delta_softplus=True).mT

    note = f"{layer.inner} channels, a state of {layer.state_size}"
    return Pair("Mamba", (u_btd, step_btd, A_dn, B_btn, C_btn, D_d), ours, theirs, 5.0, 2, note)


def mamba2() -> Pair:
    layer = architecture(Mamba2()).layer
    assert isinstance(layer, Mamba2Layer)
    x_bti, step_bth = torch.randn(BATCH, CONTEXT, layer.inner), torch.randn(BATCH, CONTEXT, layer.heads) - 4
    B_btn, C_btn = (torch.randn(BATCH, CONTEXT, layer.state_size) for _ in range(2))
    A_h, D_h = -torch.linspace(1, 16, layer.heads), torch.ones(layer.heads)

    def ours(x: Tensor, step: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:
        return dual_scan(x, step, A, B, C, D)[0]

    def theirs(x: Tensor, step: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:
        x_bthp = x.unflatten(2, (layer.heads, -1))
        B_bt1n, C_bt1n = B.unsqueeze(2), C.unsqueeze(2)
        return mamba2_chunk_scan(x_bthp, step, A, B_bt1n, C_bt1n, THEIR_CHUNK, D, dt_softplus=True).flatten(2)

    note = f"{layer.heads} heads, a state of {layer.state_size}; theirs in chunks of {THEIR_CHUNK}"
    return Pair("Mamba-2", (x_bti, step_bth, A_h, B_btn, C_btn, D_h), ours, theirs, 5.0, 61, note)


def rwkv4() -> Pair:
    width = architecture(RWKV4()).shape.hidden_size
    k_btd, v_btd = (torch.randn(BATCH, CONTEXT, width) for _ in range(2))
    log_decay_d, first_d = torch.linspace(-5, 3, width), torch.zeros(width)

    def ours(k: Tensor, v: Tensor, log_decay: Tensor, first: Tensor) -> Tensor:
        return wkv(k, v, log_decay.exp(), first)

    def theirs(k: Tensor, v: Tensor, log_decay: Tensor, first: Tensor) -> Tensor:
        return rwkv_linear_attention_cpu(log_decay, first, k, v)[0]

    return Pair("RWKV-4", (k_btd, v_btd, log_decay_d, first_d), ours, theirs, 5.0, 21, f"width {width}")


def compare(pair: Pair) -> Result:
    leaves = [x.requires_grad_() for x in pair.inputs]
    with torch.no_grad():
        torch.testing.assert_close(pair.ours(*leaves), pair.theirs(*leaves), rtol=1e-3, atol=1e-3)
    seconds: list[list[float]] = [[], []]
    for number in range(1 + pair.pairs):
        for which in (0, 1) if number % 2 else (1, 0):
            start = time.process_time()
            out = (pair.ours, pair.theirs)[which](*leaves)
            torch.autograd.grad(out, leaves, torch.ones_like(out))
            if number > 0:
                seconds[which].append(time.process_time() - start)
    mine, other = (1000 * median(taken) for taken in seconds)
    ratio = median([b / a for a, b in zip(*seconds, strict=True)])
    note = f"{pair.note}; {mine:.1f} against {other:.1f} CPU ms"
    what = f"speed of our scan of {pair.name} over transformers'"
    return Result(what, ratio, "×", at_least=pair.at_least, note=note)


torch.set_num_threads(1)
torch.manual_seed(0)
report("scans", [compare(make()) for make in (mamba, mamba2, rwkv4)])
