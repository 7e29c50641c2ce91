"""What a device holds while FSDP2 trains on it, tensor by tensor, beside what a plan predicts of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from effdsl import GQA, RoPE
from effdsl.costs.memory import ON_GPU, decoder_training_memory
from effdsl.shapes import Shape
from effdsl.techniques.architecture import Decoder

pytestmark = pytest.mark.slow

SHAPE = Shape(6, 256, 4, 64, 1024, 256)
CONTEXT, MICRO_BATCHES = 32, 2
WORKER = """
import json, sys, torch
import torch.distributed as dist
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from effdsl_runtime.engines.replicas import replica
from effdsl_runtime.model.build import build
from effdsl_runtime.ranks import Ranks
from effdsl import GQA, RoPE
from effdsl.shapes import Shape
from effdsl.techniques.architecture import Decoder

CONTEXT, MICRO_BATCHES = 32, 2


class Live(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.seen, self.peak = {}, 0

    def see(self, tensor):
        if isinstance(tensor, torch.Tensor):
            held = StorageWeakRef(getattr(tensor, "_local_tensor", tensor).untyped_storage())
            self.seen.setdefault(held.cdata, held)

    def bytes(self):
        self.seen = {address: held for address, held in self.seen.items() if not held.expired()}
        storages = map(torch.UntypedStorage._new_with_weak_ptr, self.seen)
        return sum(storage.nbytes() for storage in storages if storage is not None)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in tree_iter((args, kwargs, out)):
            self.see(tensor)
        self.peak = max(self.peak, self.bytes())
        return out


def step():
    for number in range(MICRO_BATCHES):
        with divided.meeting(number == MICRO_BATCHES - 1), torch.autocast("cpu", torch.bfloat16):
            loss, _ = divided.losses(tokens, tokens)
        with divided.meeting(number == MICRO_BATCHES - 1):
            loss.backward()
    optimizer.step()
    optimizer.zero_grad()


dist.init_process_group("gloo")
model = build(Decoder(Shape(6, 256, 4, 64, 1024, 256), GQA(), RoPE()), CONTEXT, 0)
divided = replica(model, Ranks.here(), True)
optimizer = torch.optim.AdamW(model.parameters(), fused=True)
tokens = torch.randint(256, (1, CONTEXT))
step()
live = Live()
for tensor in (*model.parameters(), *(v for state in optimizer.state.values() for v in state.values())):
    live.see(tensor.detach())
with live:
    step()
if dist.get_rank() == 0:
    print(json.dumps(live.peak))
dist.destroy_process_group()
"""


def test_the_tensors_of_a_shard_are_as_large_as_predicted(tmp_path: Path) -> None:
    """6M parameters on two processes, two micro-batches a step, in bfloat16: within a tenth."""
    script = tmp_path / "worker.py"
    script.write_text(WORKER, encoding="utf-8")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run(
        [*torchrun, str(script)], capture_output=True, text=True, env=environment, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr
    model = Decoder(SHAPE, GQA(), RoPE())
    predicted = decoder_training_memory(
        model, 1, CONTEXT, "bfloat16", scheme=ON_GPU, accumulates=MICRO_BATCHES > 1, shards=2
    )
    assert json.loads(ran.stdout.splitlines()[-1]) == pytest.approx(predicted.total, rel=0.1)
