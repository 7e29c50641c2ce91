"""The paper's Table 3: attention variants at 0.5B, 1.5B and 3B on 48 GH200, 350B tokens of FineWeb-Edu.

Micro-batches are as printed; context 8K is printed in Tables 4 and 6. The global batch is the paper's
16.8M tokens (its TT column implies 2,048 sequences of 8,192 tokens), rounded to what 48 devices divide.
The paper trained with Megatron-Core; memory and feasibility are predicted here for the embedded engine,
which keeps all states on every device and recomputes nothing.
"""

from effdsl import GH200, GQA, MLA, MQA, NSA, Attention, B, Budget, FineWebEdu, Study

study = Study(
    axis=Attention([MQA, GQA, MLA, NSA]),
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
