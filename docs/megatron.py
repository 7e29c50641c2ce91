"""Writes the tables of docs/megatron.md: how each technique is computed by Megatron-Core, and divided.

python docs/megatron.py
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from effdsl.built_in import built_in
from effdsl.data import Shakespeare
from effdsl.declare import evolve
from effdsl.engines.megatron import Megatron
from effdsl.hardware import Hardware
from effdsl.shapes import Shape
from effdsl.stages.lowering import lowering_of
from effdsl.stages.pretraining import Pretraining
from effdsl.stages.trained_by_megatron import not_laid_out
from effdsl.techniques.architecture import Architecture, Decoder
from effdsl.techniques.attention.gqa import MHA
from effdsl.techniques.backbone import BackboneTechnique, Parts, Transformer
from effdsl.techniques.feed_forward import SwiGLU
from effdsl.techniques.position import RoPE
from effdsl.techniques.technique import AttentionTechnique, FeedForwardTechnique, PositionTechnique
from effdsl.training import TrainingBudget, TrainingRecipe

TARGET = Path(__file__).with_suffix(".md")
BEGIN, END = "<!-- written by docs/megatron.py -->\n", "<!-- to here -->\n"
SHAPE = Shape(layers=4, hidden_size=256, heads=8, head_dim=32, intermediate_size=768, vocab_size=2048)
BUDGET = TrainingBudget(steps=1, batch_size=8, context_length=256, micro_batch_size=1)
TWO = Hardware("two CPUs", count=2, kind="cpu")
LAYOUTS = {
    "tensor": Megatron(2, 1, 1, 1, sequence_parallel=True, recompute="none"),
    "pipeline": Megatron(1, 2, 1, 1, sequence_parallel=False, recompute="none"),
    "expert": Megatron(1, 1, 2, 1, sequence_parallel=False, recompute="none"),
    "context": Megatron(1, 1, 1, 2, sequence_parallel=False, recompute="none"),
    "data": Megatron(1, 1, 1, 1, sequence_parallel=False, recompute="none"),
}


def architectures() -> Iterator[tuple[str, Architecture]]:
    """Every built-in technique, in the usual decoder, by its name."""
    for attention in built_in(AttentionTechnique):
        yield attention.__name__, _decoder(attention=attention())
    for position in built_in(PositionTechnique):
        yield position.__name__, _decoder(position=position())
    for feed_forward in built_in(FeedForwardTechnique):
        yield feed_forward.__name__, _decoder(feed_forward=feed_forward())
    for backbone in built_in(BackboneTechnique):
        if backbone is not Transformer:
            whole = backbone().assemble(SHAPE, Parts())
            yield backbone.__name__, evolve(whole, shape=evolve(whole.shape, layers=SHAPE.layers))


def _decoder(**parts: Any) -> Decoder:
    whole = {"attention": MHA(), "position": RoPE(), "feed_forward": SwiGLU()} | parts
    return Decoder(SHAPE, **{name: part.resolve(SHAPE) for name, part in whole.items()})


def row(name: str, architecture: Architecture) -> str:
    """Of the table: what computes it, what may divide it, and why not more."""
    work = Pretraining(architecture, Shakespeare(), BUDGET, TrainingRecipe(learning_rate=1e-3))
    marks, reasons = [], []
    for layout, engine in LAYOUTS.items():
        why = next(not_laid_out(work, TWO, engine), "")
        marks.append("–" if why else "yes")
        if why and layout in {"tensor", "pipeline"}:
            reasons.append(why.partition("; ")[0])
    modules = lowering_of(architecture).modules
    return f"| `{name}` | {modules} | {' | '.join(marks)} | {'; '.join(filter(None, reasons))} |"


def table() -> str:
    head = ("technique", "modules", *LAYOUTS, "why not")
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *(row(name, one) for name, one in architectures())]) + "\n"


def document() -> str:
    """The whole document, with the table as the code has it now."""
    before, _, rest = TARGET.read_text(encoding="utf-8").partition(BEGIN)
    return f"{before}{BEGIN}{table()}{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8")
    print(f"wrote {TARGET}")
