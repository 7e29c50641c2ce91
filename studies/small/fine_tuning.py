"""Table 7 in small: seven fine-tuning methods on a 1M decoder, tuned alike, on this machine.

The decoder is pretrained on Shakespeare, three times; the new domain is the help of Python. Every method gets
three trials, and the learning rate that was best for it. `effdsl execute small/fine_tuning` pretrains, tries
and fine-tunes in one go.
"""

from effdsl import (
    GQA,
    Attention,
    Budget,
    DoRA,
    FineTuning,
    Freeze,
    Full,
    LoRA,
    LoRAPlus,
    M,
    PiSSA,
    PythonHelp,
    Recipe,
    RSLoRA,
    Study,
    Sweep,
    Trained,
)  # fmt: skip

base = Study(
    axis=Attention([GQA]),
    scales=[1*M],
    budget=Budget(steps=150, batch_size=8, context_length=256),
    recipe=Recipe(learning_rate=2e-3),
)

study = Study(
    axis=FineTuning([LoRA, LoRAPlus, RSLoRA, DoRA, PiSSA, Freeze, Full]),
    models=Trained(base),
    data=PythonHelp(),
    budget=Budget(steps=40, batch_size=4, context_length=256),
    recipe=Recipe(learning_rate=Sweep([1e-3, 3e-3, 1e-2])),
    repeats=3,
)
