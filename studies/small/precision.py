"""Table 9 in small: a decoder of 7M at nine precisions, from 32 bits to two, on this machine.

It is pretrained on Shakespeare three times, so that what fewer bits cost is told from what another training
would have been. Judged are its perplexity on text it has not seen, and how often it finds which of four
continuations follows a passage; measured are one sequence at a time, and eight together.
"""

from effdsl import (
    BF16,
    FP16,
    FP32,
    GQA,
    INT2,
    INT3,
    INT4,
    INT8,
    NF4,
    Attention,
    Budget,
    Cloze,
    Load,
    M,
    Perplexity,
    Precision,
    Recipe,
    Study,
    Trained,
)  # fmt: skip

base = Study(
    axis=Attention([GQA]),
    scales=[7*M],
    budget=Budget(steps=300, batch_size=2, context_length=256),
    recipe=Recipe(learning_rate=2e-3),
)

study = Study(
    axis=Precision([FP32, BF16, FP16, INT8, INT4, INT4(group_size=128), INT3, INT2, NF4]),
    models=Trained(base),
    load=Load(prompt_tokens=64, new_tokens=24, batch_size=[1, 8]),
    evaluation=[Perplexity(tokens=8192), Cloze(items=100)],
    repeats=3,
)
