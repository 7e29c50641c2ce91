"""The paper's Table 6: backbones without attention, and Pythia, at 0.5B, 1.5B and 3B on 48 GH200, 350B
tokens of FineWeb-Edu, context 8K as printed.

The transformer is the paper's Qwen2.5. It names no version of Mamba and RWKV, and counts Pythia, a
transformer with parallel blocks, among the attention-free: here they are Mamba, RWKV-4 and Pythia as
published, as wide as Qwen2.5 and as deep as brings them nearest to its parameters. Micro-batches are
those printed in Table 3, and the global batch is that of `attention.py`. The paper trained with
Megatron-Core; memory and feasibility are predicted here for the embedded engine, which keeps all states
on every device and recomputes nothing.
"""

from effdsl import GH200, RWKV4, B, Backbone, Budget, FineWebEdu, Mamba, Pythia, Study, Transformer

study = Study(
    axis=Backbone([Transformer, Mamba, Pythia, RWKV4]),
    scales=[0.5*B, 1.5*B, 3*B],
    hw=48 * GH200,
    data=FineWebEdu(),
    budget=Budget(tokens=350*B, context_length=8192, batch_size=2112),
    per_scale={
        0.5*B: Budget(micro_batch_size=4),
        1.5*B: Budget(micro_batch_size=2),
        3*B: Budget(micro_batch_size=1),
    },
    repeats=1,
)
