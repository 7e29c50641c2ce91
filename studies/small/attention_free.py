"""Table 6 in small: five backbones at 3M parameters on Shakespeare, on this machine."""

from effdsl import RWKV4, Backbone, Budget, M, Mamba, Mamba2, Pythia, Recipe, Study, Transformer

study = Study(
    axis=Backbone([Transformer, Mamba, Mamba2, RWKV4, Pythia]),
    scales=[3*M],
    budget=Budget(steps=150, batch_size=2, context_length=256),
    recipe=Recipe(learning_rate=2e-3),
    repeats=3,
)
