"""How much of this machine's float32 matrix rate training a decoder of about 12M parameters reaches.

The rate is that of a square product large enough for the libraries and small enough for the caches,
the best size of several; it is measured between the steps, so that both meet the same machine: one
thread, in CPU time; compared round by round. FLOPs of a step are those of its matrix products, masked
scores not counted. Two shapes: a wide one with heads of 64, which the bar is for, and the one that the
rule gives for ``12*M``, deeper and with heads of 32, whose narrower products cost a few percent.
"""

import time

import torch
from reporting import Result, median, report
from training import BATCH, CONTEXT, VOCABULARY, decoder, ours, step_cpu_seconds, windows

from effdsl import GQA, M, RoPE
from effdsl.shapes import Shape
from effdsl.techniques.architecture import Decoder

SIZES = (512, 1024, 2048)
ROUNDS = 15
WARM_UP = 3


def product_rate(size: int) -> float:
    """FLOP per CPU second of a product of two ``size`` by ``size`` matrices, over about 0.3 s."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    out = torch.empty(size, size)
    products = max(1, int(3e10 / (2 * size**3)))
    torch.mm(a, b, out=out)
    start = time.process_time()
    for _ in range(products):
        torch.mm(a, b, out=out)
    return products * 2 * size**3 / (time.process_time() - start)


def shares(architecture: Decoder) -> tuple[float, float, float]:
    """Share of the matrix rate that training reaches, and both rates in FLOP per CPU second."""
    trainer = ours(architecture, "float32")
    flops = architecture.causal_train_flops_per_token(CONTEXT) * BATCH * CONTEXT
    step_rates: list[float] = []
    product_rates: dict[int, list[float]] = {size: [] for size in SIZES}
    for number in range(WARM_UP + ROUNDS):
        taken = step_cpu_seconds(trainer, number, windows())
        if number >= WARM_UP:
            step_rates.append(flops / taken)
            for size in SIZES:
                product_rates[size].append(product_rate(size))
    best = max(SIZES, key=lambda size: median(product_rates[size]))
    share = median([step / product for step, product in zip(step_rates, product_rates[best], strict=True)])
    return share, median(step_rates), median(product_rates[best])


def result(what: str, architecture: Decoder, at_least: float | None) -> Result:
    share, reached, rate = shares(architecture)
    shape = architecture.shape
    note = f"{architecture.parameters(CONTEXT):,} parameters, {shape.layers} layers of {shape.hidden_size}, "
    note += f"heads of {shape.head_dim}; {reached / 1e9:.0f} of {rate / 1e9:.0f} GFLOP/s"
    return Result(f"training over matrix rate, float32, {what}", share, "×", at_least=at_least, note=note)


torch.set_num_threads(1)
wide = Shape(layers=4, hidden_size=512, heads=8, head_dim=64, intermediate_size=1376, vocab_size=VOCABULARY)
report(
    "matmul_rate",
    [
        result("wide", Decoder(wide, GQA().resolve(wide), RoPE().resolve(wide)), at_least=0.80),
        result("12*M", decoder(12 * M), at_least=None),
    ],
)
