"""How much of this machine's float32 matrix rate training a decoder of about 12M parameters reaches.

The rate is that of a square product large enough for the libraries and small enough for the caches,
the best size of several; it is measured between the steps, so that both meet the same machine: one
thread, in CPU time; compared round by round. FLOPs of a step are those of its matrix products, masked
scores not counted.
"""

import time

import torch
from reporting import Result, median, report
from training import BATCH, CONTEXT, decoder, ours, step_cpu_seconds, windows

from effdsl import M

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


torch.set_num_threads(1)
architecture = decoder(12 * M)
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
reached, rate = median(step_rates), median(product_rates[best])
share = median([step / product for step, product in zip(step_rates, product_rates[best], strict=True)])
note = f"{architecture.parameters(CONTEXT):,} parameters; {reached / 1e9:.0f} of {rate / 1e9:.0f} GFLOP/s"
report("matmul_rate", [Result("training over matrix rate, float32", share, "×", at_least=0.80, note=note)])
