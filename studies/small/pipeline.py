"""Three steps, one command: pretrain with two attentions, fine-tune each by two methods, serve at fewer bits.

Which attention, method and precision together? `effdsl rank small/pipeline --across models` answers: twelve
ways to end with a model, from what each loses on the new domain to what it takes to run.
"""

from effdsl import (
    BF16,
    GQA,
    INT4,
    INT8,
    MLA,
    Attention,
    Budget,
    FineTuning,
    Full,
    Load,
    LoRA,
    M,
    Perplexity,
    Precision,
    PythonHelp,
    Recipe,
    Study,
    Sweep,
    Trained,
)  # fmt: skip

pretrained = Study(
    axis=Attention([GQA, MLA]),
    scales=[1*M],
    budget=Budget(steps=100, batch_size=8, context_length=128),
    recipe=Recipe(learning_rate=3e-3),
)

fine_tuned = Study(
    axis=FineTuning([LoRA, Full]),
    models=Trained(pretrained),
    budget=Budget(steps=30, batch_size=4, context_length=128),
    recipe=Recipe(learning_rate=Sweep([1e-3, 3e-3, 1e-2])),
)

study = Study(
    axis=Precision([BF16, INT8, INT4]),
    models=Trained(fine_tuned),
    data=PythonHelp(),
    load=Load(prompt_tokens=64, new_tokens=32),
    evaluation=Perplexity(tokens=4096),
)
