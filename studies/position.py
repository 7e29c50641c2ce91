"""The paper's Table 4: positional encodings at 1.5B on 48 GH200, 350B tokens of FineWeb-Edu.

Context 8K is printed; the global batch is that of Table 3. "Absoluate" is ``Sinusoidal``, "Learnable
Absoluate" ``Learned``, "None" ``NoPE``. "Relate" is ``T5Bias``: the paper names no relative encoding, and
T5's is the classic learned one; ``ALiBi``, which has nothing to learn, stands beside it. The
micro-batch is one sequence, so that every encoding fits with the same.
"""

from effdsl import (
    GH200,
    ALiBi,
    B,
    Budget,
    FineWebEdu,
    Learned,
    NoPE,
    Position,
    RoPE,
    Sinusoidal,
    Study,
    T5Bias,
)

study = Study(
    axis=Position([RoPE, Sinusoidal, Learned, T5Bias, ALiBi, NoPE]),
    scales=[1.5 * B],
    hw=48 * GH200,
    data=FineWebEdu(),
    budget=Budget(tokens=350 * B, context_length=8192, batch_size=2112, micro_batch_size=1),
    repeats=1,
)
