"""Table 5 in small: a dense 3M model on Shakespeare against mixtures of 8 experts on this machine.

Experts as wide as the dense layer, as in the paper, and experts of half that width, with which a token
costs what it costs the dense model.
"""

from effdsl import ISO_FLOP, Budget, FeedForward, M, MoE, Recipe, Study, SwiGLU

study = Study(
    axis=FeedForward([SwiGLU, MoE(experts=8, top_k=2), MoE(experts=8, top_k=2, expert_width=ISO_FLOP)]),
    scales=[3*M],
    budget=Budget(steps=150, batch_size=2, context_length=256),
    recipe=Recipe(learning_rate=2e-3),
    repeats=3,
)
