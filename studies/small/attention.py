"""Table 3 in small: five attentions at 3M parameters on Shakespeare, on this machine.

The shape has 8 heads, so MHA, GQA (2 KV heads) and MQA differ; NSA's blocks are sized so that it is
sparse at a context of 256.
"""

from effdsl import GQA, MHA, MLA, MQA, NSA, Attention, Budget, M, Recipe, Study

study = Study(
    axis=Attention([MHA, MQA, GQA, MLA, NSA]),
    scales=[3*M],
    budget=Budget(steps=300, batch_size=2, context_length=256),
    recipe=Recipe(learning_rate=2e-3),
    repeats=3,
)
