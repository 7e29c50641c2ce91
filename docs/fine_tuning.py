"""Writes docs/fine_tuning.md: what every fine-tuning method costs on well-known models.

python docs/fine_tuning.py
"""

import csv
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from effdsl.built_in import built_in
from effdsl.costs.tuning_memory import tuning_memory
from effdsl.language_model import LanguageModel
from effdsl.public_models import PUBLIC_MODELS, PublicModel, public_model
from effdsl.techniques.fine_tuning.method import Method
from effdsl.training import TrainingBudget

TARGET = Path(__file__).with_suffix(".md")
MODELS = ("llama-3.2-1b", "llama-3.1-8b", "qwen2.5-7b", "mistral-small-24b")
BUDGET = TrainingBudget(steps=1, batch_size=1, context_length=2048, micro_batch_size=1)
PRINTED = "table07_peft_o1sft.csv"
IN_THE_PAPER = {"lora": "LoRA", "dora": "DoRA", "freeze": "Freeze", "full": "Full"}
HEAD = f"""# What every fine-tuning method costs

Computed in closed form by `python docs/fine_tuning.py`, with each method's defaults. The tests hold
trainable parameters to peft's own count and FLOPs to `FlopCounterMode`, on small models of each
architecture, and the models below to transformers' own parameters. FLOPs are those of one example of
{BUDGET.context_length:,} tokens, forward and backward, with only the keys that causality lets a query see.
Memory is that of training on one such example at a time in bfloat16 on one GPU: frozen weights in bfloat16,
what is trained in float32 with Adam's states, nothing recomputed, sharded or offloaded.
"""
TAIL = """
## Beside the paper's Table 7

AMU as printed there, in GB, beside the memory that the formula gives for one example of 2,048 tokens at a
time; a star marks the rows that the paper ran with DeepSpeed. The paper says neither the length of its
examples nor how many were worked on at once, nor whether layers were recomputed, as they are by default in
LlamaFactory, which it used. So the formula can only say what is possible: that a printed value far above it,
such as LoRA's on the smallest model, comes from larger micro-batches or from longer examples; that `Full` of
14B parameters and more fits no device of 141 GB without what DeepSpeed does; and that a value below the
second number, such as those of `Full` of 7B and 8B, cannot have been reached without it.
"""


def trained(model: PublicModel) -> Iterator[tuple[Method, LanguageModel]]:
    shape = model.language_model()
    for method in built_in(Method):
        yield method().resolve(shape), shape


def table(name: str) -> Iterator[str]:
    """The Markdown table of one model, line by line."""
    model = next(one for one in PUBLIC_MODELS if one.name == name)
    yield f"\n## {name}: {model.language_model().parameters:,} parameters\n"
    yield "| method | trainable | share | saved | PFLOP/example | memory |"
    yield "|---|---:|---:|---:|---:|---:|"
    for method, shape in trained(model):
        parameters, saved = method.trainable_parameters(shape), method.adapter_bytes(shape)
        numbers = (
            f"{parameters:,}",
            f"{parameters / shape.parameters:.3%}",
            "not known" if saved is None else _bytes(saved),
            f"{method.causal_step_flops(shape, 1, BUDGET.context_length) / 1e15:.4f}",
            _bytes(tuning_memory(method, shape, BUDGET, "bfloat16", "gpu").total),
        )
        yield f"| {method.label(shape)} | {' | '.join(numbers)} |"


def beside_the_paper() -> Iterator[str]:
    yield "\n| model | method | AMU printed | formula | with layers recomputed |"
    yield "|---|---|---:|---:|---:|"
    source = files("effdsl_registry.published").joinpath(PRINTED)
    by_name: dict[str, Any] = {cls.__name__: cls for cls in built_in(Method)}
    for row in csv.DictReader(source.read_text("utf-8").splitlines()):
        model = public_model(row["model"])
        if row["method"] not in IN_THE_PAPER or model is None:
            continue
        shape = model.language_model()
        method = by_name[IN_THE_PAPER[row["method"]]]().resolve(shape)
        kept, again = (
            tuning_memory(method, shape, BUDGET, "bfloat16", "gpu", recomputes=recomputes).total
            for recomputes in (False, True)
        )
        star = "*" if row["deepspeed"] == "true" else ""
        said = (row["model"], type(method).__name__, f"{row['amu_gb']}{star}")
        yield f"| {' | '.join(said)} | {kept / 1e9:.1f} | {again / 1e9:.1f} |"


def _bytes(size: float) -> str:
    return f"{size / 1e9:,.2f} GB" if size >= 1e9 else f"{size / 1e6:,.2f} MB"


def document() -> str:
    lines = [line for name in MODELS for line in table(name)]
    return HEAD + "\n".join(lines) + "\n" + TAIL + "\n".join(beside_the_paper()) + "\n"


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8")
    print(f"wrote {TARGET}")
