"""Depth against width in small: 9, 5 and 3 layers at 4M parameters on Shakespeare, on this machine."""

from effdsl import Aspect, AspectRatio, Budget, M, Recipe, Study

study = Study(
    axis=Aspect([AspectRatio(ratio) for ratio in (24, 48, 96)]),
    scales=[4*M],
    budget=Budget(steps=150, batch_size=2, context_length=256),
    recipe=Recipe(learning_rate=2e-3),
    repeats=3,
)
