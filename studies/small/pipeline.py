"""Three steps, one command: pretrain with two attentions, fine-tune each by two methods.

Which of the four models is best on the new domain, and what did it forget of the old one?
`effdsl rank small/pipeline --across models` answers.
"""

from effdsl import GQA, MLA, Attention, Budget, FineTuning, Full, LoRA, M, Recipe, Study, Sweep, Trained

pretrained = Study(
    axis=Attention([GQA, MLA]),
    scales=[1*M],
    budget=Budget(steps=100, batch_size=8, context_length=128),
    recipe=Recipe(learning_rate=3e-3),
)

study = Study(
    axis=FineTuning([LoRA, Full]),
    models=Trained(pretrained),
    budget=Budget(steps=30, batch_size=4, context_length=128),
    recipe=Recipe(learning_rate=Sweep([1e-3, 3e-3, 1e-2])),
)
