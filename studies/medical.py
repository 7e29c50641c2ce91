"""Table 8: seven fine-tuning methods, three models, medical questions, on eight H200."""

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
    MedicalO1,
    PiSSA,
    RSLoRA,
    Study,
)  # fmt: skip

study = Study(
    axis=FineTuning([LoRA, LoRAPlus, RSLoRA, DoRA, PiSSA, Freeze, Full]),
    models=[Hub("llama-3.2-1b"), Hub("llama-3.2-3b"), Hub("llama-3.1-8b")],
    data=MedicalO1(),
    budget=Budget(steps=1000, batch_size=64, context_length=2048),
    hw=8*H200,
)
