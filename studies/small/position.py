"""Table 4 in small: six positional encodings at 3M parameters on Shakespeare, on this machine."""

from effdsl import ALiBi, Budget, Learned, M, NoPE, Position, Recipe, RoPE, Sinusoidal, Study, T5Bias

study = Study(
    axis=Position([RoPE, Sinusoidal, Learned, T5Bias, ALiBi, NoPE]),
    scales=[3*M],
    budget=Budget(steps=150, batch_size=2, context_length=256),
    recipe=Recipe(learning_rate=2e-3),
    repeats=3,
)
