"""Writes docs/architectures.md: what every architecture costs at the paper's three sizes.

python docs/architectures.py
"""

from collections.abc import Iterator
from pathlib import Path

import attrs

from effdsl.built_in import built_in
from effdsl.shapes import shape_for
from effdsl.techniques.architecture import Architecture
from effdsl.techniques.backbone import BackboneTechnique, Parts, Transformer
from effdsl.techniques.technique import AttentionTechnique, FeedForwardTechnique, PositionTechnique
from effdsl.units import B, Count

TARGET = Path(__file__).with_suffix(".md")
SCALES = (0.5 * B, 1.5 * B, 3 * B)
VOCABULARY = 151_936
CONTEXT = 8192
HEAD = f"""# What every architecture costs at the paper's sizes

Computed in closed form by `python docs/architectures.py`. The tests hold every count of parameters to a
model built on the meta device, those of MHA, MQA, GQA and MLA to transformers' own models too, and the
formulas of FLOPs, cache and state to small models that are run. Vocabulary {VOCABULARY:,} (Qwen2.5's),
context {CONTEXT:,}. Training FLOPs are forward and backward per token, the output layer included, with only
the keys that a query may see. The cache, in bfloat16, grows with every token of a sequence; the state does
not, and is kept as the model keeps it: sums of scans in float32, the rest in bfloat16. Pythia, Mamba,
Mamba2 and RWKV4 are as wide as the transformer of their size and as deep as brings them nearest to its
parameters.
"""


@attrs.frozen
class Row:
    """An architecture by its name; the first of its group carries the group's title."""

    group: str
    name: str
    backbone: BackboneTechnique
    parts: Parts = attrs.field(factory=Parts)

    def at(self, scale: Count) -> Architecture:
        return self.backbone.assemble(shape_for(scale, VOCABULARY), self.parts)


ROWS = (
    *(
        Row("attention", str(cls()), Transformer(), Parts(attention=cls()))
        for cls in built_in(AttentionTechnique)
    ),
    *(
        Row("position", str(cls()), Transformer(), Parts(position=cls()))
        for cls in built_in(PositionTechnique)
    ),
    *(
        Row("feed-forward", str(cls()), Transformer(), Parts(feed_forward=cls()))
        for cls in built_in(FeedForwardTechnique)
    ),
    *(Row("backbone", str(cls()), cls()) for cls in built_in(BackboneTechnique)),
)


def table(scale: Count) -> Iterator[str]:
    """The Markdown table of one scale, line by line."""
    yield f"\n## {scale}\n"
    yield "| axis | technique | layers | parameters | active | GFLOP/token | cache B/token | state MB |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|"
    for row in ROWS:
        architecture = row.at(scale)
        numbers = (
            f"{architecture.shape.layers}",
            f"{architecture.parameters(CONTEXT):,}",
            f"{architecture.active_parameters(CONTEXT):,}",
            f"{architecture.causal_train_flops_per_token(CONTEXT) / 1e9:.3f}",
            f"{architecture.kv_bytes_per_token('bfloat16'):,.0f}",
            f"{architecture.state_bytes('bfloat16') / 1e6:.2f}",
        )
        yield f"| {row.group} | {row.name.removesuffix('()')} | {' | '.join(numbers)} |"


def document() -> str:
    return HEAD + "\n".join(line for scale in SCALES for line in table(scale)) + "\n"


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8")
    print(f"wrote {TARGET}")
