"""Table 7: seven fine-tuning methods, seven models, OpenO1-SFT, on eight H200.

The paper ran LlamaFactory with the learning rates of its examples; so does this study, and a ranking says
that it was not tuned. `Recipe(learning_rate=Sweep([1e-5, 1e-4, 1e-3]))` gives every method three trials.
"""

from effdsl import (
    H200,
    Budget,
    DoRA,
    FineTuning,
    Freeze,
    Full,
    Hub,
    LoRA,
    LoRAPlus,
    OpenO1SFT,
    PiSSA,
    RSLoRA,
    Study,
)  # fmt: skip

study = Study(
    axis=FineTuning([LoRA, LoRAPlus, RSLoRA, DoRA, PiSSA, Freeze, Full]),
    models=[
        Hub("llama-3.2-1b"),
        Hub("llama-3.2-3b"),
        Hub("llama-3.1-8b"),
        Hub("qwen2.5-7b"),
        Hub("qwen2.5-14b"),
        Hub("mistral-small-24b"),
        Hub("mistral-7b"),
    ],
    data=OpenO1SFT(),
    budget=Budget(steps=1000, batch_size=64, context_length=2048),
    hw=8*H200,
)
