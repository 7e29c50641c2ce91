"""Table 3 in small: six attentions at 3M parameters on Shakespeare, on this machine.

The shape has 8 heads, so MHA, GQA (2 KV heads) and MQA differ; the blocks of NSA and MoBA are sized so
that both are sparse at a context of 256.
"""

from effdsl import GQA, MHA, MLA, MQA, NSA, Attention, Budget, M, MoBA, Recipe, Study

study = Study(
    axis=Attention([MHA, MQA, GQA, MLA, NSA, MoBA]),
    scales=[3*M],
    budget=Budget(steps=150, batch_size=2, context_length=256),
    recipe=Recipe(learning_rate=2e-3),
    repeats=3,
)
