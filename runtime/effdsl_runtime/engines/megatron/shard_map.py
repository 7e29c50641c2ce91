"""Which part of our weights each parameter of a stage is: read to fill it, and written back from it.

Megatron-Core packs queries, keys and values group by group, and gate and up device by device; it divides the
packed matrix among the devices of tensor parallelism by rows or by columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial, singledispatch
from typing import Any

import attrs
import torch
import torch.distributed as dist
from megatron.core import parallel_state as groups
from megatron.core.models.gpt import GPTModel
from torch import Tensor

from effdsl.engines.megatron import Megatron
from effdsl.stages.lowering import Stock, lowering_of
from effdsl.techniques.architecture import Architecture, Decoder
from effdsl.techniques.attention.gqa import GQA
from effdsl.techniques.attention.mla import MLA
from effdsl.techniques.feed_forward import MoE, SwiGLU
from effdsl.techniques.technique import AttentionTechnique, FeedForwardTechnique
from effdsl_runtime.engines.megatron.stage_model import layers_here

Weights = Mapping[str, Tensor]


@attrs.frozen
class Piece:
    """A parameter of Megatron-Core's, and what it is of ours.

    Attributes:
        name: of the parameter.
        parts: views of our tensors, which it packs one after the other in each group of rows.
        groups: of rows.
        order: of the rows then, by their numbers before; ``None`` where they stay.
        divided: the dimension along which tensor parallelism divides it; ``None`` where it is copied.
        expert: whether it is one expert's, of which every device of expert parallelism has others.
    """

    name: str
    parts: Callable[[Weights], list[Tensor]]
    groups: int = 1
    order: Tensor | None = None
    divided: int | None = None
    expert: bool = False

    def packed(self, ours: Weights) -> Tensor:
        """The whole parameter."""
        parts = [torch.unflatten(part, 0, (self.groups, -1)) for part in self.parts(ours)]
        rows = torch.cat(parts, 1).flatten(0, 1)
        return rows if self.order is None else rows[self.order]

    def unpack(self, whole: Tensor, ours: Weights) -> None:
        """Write the ``whole`` parameter into our tensors."""
        parts = self.parts(ours)
        ordered = whole if self.order is None else whole[self.order.argsort()]
        rows = torch.unflatten(ordered, 0, (self.groups, -1))
        sizes = [len(part) // self.groups for part in parts]
        for part, packed in zip(parts, torch.split(rows, sizes, 1), strict=True):
            part.copy_(packed.flatten(0, 1))


def fill(model: GPTModel, pieces: list[Piece], ours: Weights) -> None:
    """Give the parameters of a stage this device's shards of our weights."""
    rank, size = groups.get_tensor_model_parallel_rank(), groups.get_tensor_model_parallel_world_size()
    theirs = dict(model.named_parameters())
    with torch.no_grad():
        for piece in pieces:
            whole = piece.packed(ours)
            shard = whole if piece.divided is None else whole.chunk(size, piece.divided)[rank]
            theirs[piece.name].copy_(shard)


def collect(model: GPTModel, pieces: list[Piece], ours: Weights) -> None:
    """Write the parameters of all stages into our weights, in the first process; in every other the stage's.

    All processes are to call it at once, with ``ours`` zero on the CPU.
    """
    group = groups.get_tensor_model_parallel_group()
    theirs = dict(model.named_parameters())
    writes_shared = groups.get_data_parallel_rank() == 0 and group.rank() == 0
    writes_expert = groups.get_expert_data_parallel_rank() == 0 and group.rank() == 0
    with torch.no_grad():
        for piece in pieces:
            shard = theirs[piece.name].detach()
            whole = shard if piece.divided is None else _gathered(shard, piece.divided, group)
            if writes_expert if piece.expert else writes_shared:
                piece.unpack(whole.cpu(), ours)
        for tensor in ours.values():
            dist.reduce(tensor, dst=0)


def _gathered(shard: Tensor, dim: int, group: Any) -> Tensor:
    shards = [torch.empty_like(shard) for _ in range(group.size())]
    dist.all_gather(shards, shard.contiguous(), group=group)
    return torch.cat(shards, dim)


def pieces_here(model: GPTModel, architecture: Architecture, engine: Megatron) -> list[Piece]:
    """What each parameter of this process's stage is; the copy of a tied embedding comes from its first."""
    return list(_pieces(model, architecture, engine))


def _pieces(model: GPTModel, architecture: Architecture, engine: Megatron) -> Iterator[Piece]:
    stock = isinstance(lowering_of(architecture), Stock)
    for here, layer in enumerate(layers_here(architecture, engine)):
        theirs, ours = f"decoder.layers.{here}.", f"blocks.{layer}."
        if stock and isinstance(architecture, Decoder):
            yield from _stock_layer(architecture, theirs, ours)
        else:
            yield from _same(model, theirs + "block.", ours)
    yield from _same(model, "stem.", "stem.")
    yield from _same(model, "decoder.final_layernorm.", "norm.")
    names = {name for name, _ in model.named_parameters()}
    if model.pre_process:
        yield _piece("embedding.word_embeddings.weight", "embedding.weight", divided=0)
    if "output_layer.weight" in names and not model.share_embeddings_and_output_weights:
        yield _piece("output_layer.weight", "output.weight", divided=0)


def fill_copy_of_embedding(model: GPTModel, ours: Weights) -> None:
    """Give the last stage its copy of a tied embedding, which the first writes back."""
    if model.share_embeddings_and_output_weights and model.post_process and not model.pre_process:
        fill(model, [_piece("output_layer.weight", "embedding.weight", divided=0)], ours)


def _same(model: GPTModel, theirs: str, ours: str) -> Iterator[Piece]:
    """Parameters that are ours, under another name, whole on every device."""
    for name, _ in model.named_parameters():
        if name.startswith(theirs):
            yield _piece(name, ours + name.removeprefix(theirs))


def _stock_layer(architecture: Decoder, theirs: str, ours: str) -> Iterator[Piece]:
    yield _piece(theirs + "input_layernorm.weight", ours + "mixer_norm.weight")
    yield _piece(theirs + "pre_mlp_layernorm.weight", ours + "feed_forward_norm.weight")
    yield from _attention_pieces(
        architecture.attention, architecture, theirs + "self_attention.", ours + "mixer."
    )
    yield from _feed_forward_pieces(architecture.feed_forward, theirs + "mlp.", ours + "feed_forward.")


@singledispatch
def _attention_pieces(
    technique: AttentionTechnique, architecture: Decoder, theirs: str, ours: str
) -> Iterator[Piece]:
    raise NotImplementedError


@_attention_pieces.register
def _(technique: GQA, architecture: Decoder, theirs: str, ours: str) -> Iterator[Piece]:
    shape = architecture.shape
    sizes = [heads * shape.head_dim for heads in (shape.heads, technique.kv_heads, technique.kv_heads)]
    for kind in ("weight", "bias"):
        parts = partial(_split, name=f"{ours}qkv.{kind}", sizes=sizes)
        yield Piece(f"{theirs}linear_qkv.{kind}", parts, groups=technique.kv_heads, divided=0)
    yield _piece(theirs + "linear_proj.weight", ours + "out.weight", divided=1)


@_attention_pieces.register
def _(technique: MLA, architecture: Decoder, theirs: str, ours: str) -> Iterator[Piece]:
    heads, (kv_rank, rope_dim, nope_dim, v_dim) = architecture.shape.heads, technique.sizes()
    by_head = torch.cat([torch.arange(nope_dim), nope_dim + _interleaved(rope_dim)])
    of_query = (torch.arange(heads)[:, None] * (nope_dim + rope_dim) + by_head).flatten()
    of_key = torch.cat([torch.arange(kv_rank), kv_rank + _interleaved(rope_dim)])
    queries = technique.q_rank or heads * (nope_dim + rope_dim)
    down = partial(_rows, name=ours + "project.weight", rows=slice(queries, None))
    yield Piece(theirs + "linear_kv_down_proj.weight", down, order=of_key)
    yield _piece(theirs + "kv_layernorm.weight", ours + "norm.weight")
    query = partial(_rows, name=ours + "project.weight", rows=slice(None, queries))
    if technique.q_rank is None:
        yield Piece(theirs + "linear_q_proj.weight", query, order=of_query, divided=0)
    else:
        yield Piece(theirs + "linear_q_down_proj.weight", query, divided=0)
        yield _piece(theirs + "q_layernorm.weight", ours + "q_up.norm.weight")
        up = partial(_alone, name=ours + "q_up.up.weight")
        yield Piece(theirs + "linear_q_up_proj.weight", up, order=of_query, divided=0)
    both = partial(_split, name=ours + "up.weight", sizes=[heads * nope_dim, heads * v_dim])
    yield Piece(theirs + "linear_kv_up_proj.weight", both, groups=heads, divided=0)
    yield _piece(theirs + "linear_proj.weight", ours + "out.weight", divided=1)


def _interleaved(size: int) -> Tensor:
    """The order in which elements are neighbours that turn together, and lie half the size apart with us."""
    return torch.unflatten(torch.arange(size), 0, (2, -1)).T.flatten()


@singledispatch
def _feed_forward_pieces(technique: FeedForwardTechnique, theirs: str, ours: str) -> Iterator[Piece]:
    raise NotImplementedError


@_feed_forward_pieces.register
def _(technique: SwiGLU, theirs: str, ours: str) -> Iterator[Piece]:
    yield Piece(theirs + "linear_fc1.weight", partial(_gate_and_up, ours=ours), _tensor_parallel(), divided=0)
    yield _piece(theirs + "linear_fc2.weight", ours + "down.weight", divided=1)


@_feed_forward_pieces.register
def _(technique: MoE, theirs: str, ours: str) -> Iterator[Piece]:
    yield _piece(theirs + "router.weight", ours + "router.weight")
    each = technique.experts // groups.get_expert_model_parallel_world_size()
    first = groups.get_expert_model_parallel_rank() * each
    for here in range(each):
        expert, of_ours = f"{theirs}experts.local_experts.{here}.", first + here
        gate_and_up = partial(_gate_and_up, ours=ours, expert=of_ours)
        yield Piece(expert + "linear_fc1.weight", gate_and_up, _tensor_parallel(), divided=0, expert=True)
        down = partial(_expert, name=ours + "down.weight", expert=of_ours)
        yield Piece(expert + "linear_fc2.weight", down, divided=1, expert=True)


def _piece(theirs: str, ours: str, divided: int | None = None) -> Piece:
    return Piece(theirs, partial(_alone, name=ours), divided=divided)


def _alone(weights: Weights, name: str) -> list[Tensor]:
    return [weights[name]]


def _split(weights: Weights, name: str, sizes: list[int]) -> list[Tensor]:
    return list(torch.split(weights[name], sizes))


def _rows(weights: Weights, name: str, rows: slice) -> list[Tensor]:
    return [weights[name][rows]]


def _expert(weights: Weights, name: str, expert: int) -> list[Tensor]:
    return [weights[name][expert]]


def _gate_and_up(weights: Weights, ours: str, expert: int | None = None) -> list[Tensor]:
    both = [weights[f"{ours}{name}.weight"] for name in ("gate", "up")]
    return both if expert is None else [weight[expert] for weight in both]


def _tensor_parallel() -> int:
    size: int = groups.get_tensor_model_parallel_world_size()
    return size
