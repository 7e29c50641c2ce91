"""What a module costs, counted on the meta device: shapes only, no arithmetic."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from effdsl.counts import Counts
from effdsl.own import source_of
from effdsl.problems import Problem, StudyError
from effdsl.shapes import Shape
from effdsl.techniques.backbone import BackboneTechnique
from effdsl.techniques.technique import AttentionTechnique, FeedForwardTechnique
from effdsl.whole import OwnDecoder
from effdsl_runtime.model.build import assemble
from effdsl_runtime.model.cache import Cache
from effdsl_runtime.model.decoder import DecoderLM, parameter_count
from effdsl_runtime.model.encoding import Encoding
from effdsl_runtime.model.feed_forward import feed_forward
from effdsl_runtime.model.mixer import mixer
from effdsl_runtime.model.positions import encoding, stem

WITHOUT_NUMBERS = (
    "what it costs is counted without numbers, on the meta device: leave .item(), .tolist() and choices by "
    "value out of forward, or declare parameters, train_flops_per_token, activations_per_token, "
    "kv_bytes_per_token and cache_bytes"
)


def count(technique: Any, shape: Shape, context_length: int) -> Counts:
    """What one layer of ``technique`` costs at ``shape``; of a position encoding its parameters.

    Raises:
        StudyError: when its code fails, with the line.
    """
    try:
        with torch.device("meta"):
            return _count(technique, shape, context_length)
    except (Exception, SystemExit) as error:  # the user's code: whatever it raises is a mistake in it
        raise StudyError([_problem(technique, error)]) from error


def _count(technique: Any, shape: Shape, context_length: int) -> Counts:
    if isinstance(technique, BackboneTechnique):
        return _of_model(assemble(OwnDecoder(shape, technique), context_length), context_length)
    if isinstance(technique, AttentionTechnique):
        return _of_mixer(mixer(technique, shape, Encoding()), shape, context_length)
    if isinstance(technique, FeedForwardTechnique):
        return _of_layer(feed_forward(technique, shape), shape, context_length)
    parts = (
        encoding(technique, shape.heads, shape.head_dim, context_length),
        stem(technique, shape, context_length),
    )
    return Counts(sum(map(parameter_count, parts)), 0, 0)


def _of_mixer(module: nn.Module, shape: Shape, context_length: int) -> Counts:
    found = _of_layer(module, shape, context_length)
    cache, half = Cache(), context_length // 2
    held = [0]
    with torch.no_grad():
        for tokens in (half, context_length - half):
            if tokens:
                module(torch.zeros(1, tokens, shape.hidden_size), cache)
                cache.length += tokens
            held.append(cache.bytes // 4)
    growth = (held[2] - held[1]) / (context_length - half)
    return Counts(found.parameters, found.train_flops, found.activations, float(held[2]), growth)


def _of_model(model: DecoderLM, context_length: int) -> Counts:
    """The same of a whole model; of what the loss keeps nothing, which is counted apart."""
    tokens_bt = torch.zeros(1, context_length, dtype=torch.long)
    kept, keep = _keeper(list(model.parameters()))
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model.loss(tokens_bt, tokens_bt).backward()  # type: ignore[no-untyped-call]
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        model.hidden(tokens_bt)
    caches, half, held = model.new_caches(), context_length // 2, [0]
    with torch.no_grad():
        for part_bt in (tokens_bt[:, :half], tokens_bt[:, half:]):
            if part_bt.shape[1]:
                model.hidden(part_bt, caches)
            held.append(sum(cache.bytes for cache in caches) // 4)
    return Counts(
        parameters=parameter_count(model),
        train_flops=counter.get_total_flops() / context_length,
        activations=sum(storage.nbytes() / 4 for storage in kept.values()) / context_length,
        cache_elements=float(held[2]),
        cache_growth=(held[2] - held[1]) / (context_length - half),
    )


def _of_layer(module: nn.Module, shape: Shape, context_length: int) -> Counts:
    x_btd = torch.zeros(1, context_length, shape.hidden_size, requires_grad=True)
    kept, keep = _keeper([x_btd, *module.parameters()])
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        y_btd = module(x_btd)
        if y_btd.shape != x_btd.shape:
            shapes = f"{tuple(y_btd.shape)} for {tuple(x_btd.shape)}"
            raise ValueError(f"forward gives {shapes}; both are to be (b, t, d)")
        y_btd.sum().backward()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        module(x_btd)
    elements = sum(storage.nbytes() / 4 for storage in kept.values())
    flops = counter.get_total_flops()
    return Counts(parameter_count(module), flops / context_length, elements / context_length)


def _keeper(known: list[Tensor]) -> tuple[dict[int, Any], Callable[[Tensor], Tensor]]:
    """Storages that autograd keeps, beside those of ``known`` and of whole numbers and masks."""
    before = {x.untyped_storage()._cdata for x in known}
    kept: dict[int, Any] = {}

    def keep(x: Tensor) -> Tensor:
        storage = x.untyped_storage()
        if storage._cdata not in before and x.is_floating_point():
            kept[storage._cdata] = storage
        return x

    return kept, keep


def _problem(technique: Any, error: BaseException) -> Problem:
    """The mistake at the innermost line that lies beside the technique's file."""
    source = source_of(technique)
    folder = source.file.parent if source else Path()
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).resolve().parent == folder]
    message = f"{type(technique).__name__} cannot be built and run: {type(error).__name__}: {error}"
    hint = "" if source is None else f"`effdsl check {source.file.name}` checks all of it"
    if "meta tensor" in str(error):
        hint = WITHOUT_NUMBERS
    return Problem(message, hint, own[-1].filename, own[-1].lineno or 0) if own else Problem(message, hint)
