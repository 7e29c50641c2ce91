"""What every technique is held to: each check says in a sentence what fails, or nothing."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from effdsl.declare import evolve
from effdsl.techniques.architecture import Architecture
from effdsl_runtime.model.build import build
from effdsl_runtime.model.decoder import DecoderLM, parameter_count
from effdsl_runtime.model.generate import generate

CONTEXT, TOKENS, CHANGED = 64, 50, 29
LAYERS, VOCABULARY = 2, 64
CUTS = (1, 7, 8, 9, 30)  # single tokens, and parts that start in the middle
STEPS, LEARNING_RATE, FALLEN = 40, 3e-3, 0.9
CAUSAL, EQUAL = 1e-5, 1e-3  # largest difference of logits of about one


def failures(architecture: Architecture, folder: Path) -> Iterator[str]:
    """What fails of the checks on a small model of ``architecture``: two layers, a vocabulary of 64.

    Args:
        architecture: resolved.
        folder: of the user's files, whose lines are named where code raises.
    """
    small = evolve(architecture, shape=evolve(architecture.shape, layers=LAYERS, vocab_size=VOCABULARY))
    for name, check in CHECKS.items():
        try:
            yield from (f"{name}: {sentence}" for sentence in check(small))
        except Exception as error:  # the user's code: whatever it raises is what fails
            yield f"{name}: {type(error).__name__}: {error}{_place(error, folder)}"


def _causal(architecture: Architecture) -> Iterator[str]:
    model, tokens_bt = _lively(architecture), _tokens()
    changed_bt = tokens_bt.clone()
    changed_bt[:, CHANGED:] = (changed_bt[:, CHANGED:] + 1) % VOCABULARY
    with torch.no_grad():
        difference_t = (model(tokens_bt) - model(changed_bt)).abs().amax((0, 2))
    seen = [t for t in range(CHANGED) if not difference_t[t] <= CAUSAL]
    if seen:
        yield (
            f"position {seen[0]} sees a later token: its logits change by {difference_t[seen[0]]:.3g} "
            f"when tokens from {CHANGED} on do; mask the keys that come after a query"
        )


def _gradients(architecture: Architecture) -> Iterator[str]:
    model, tokens_bt = _lively(architecture), _tokens()
    model.loss(tokens_bt[:, :-1], tokens_bt[:, 1:]).backward()  # type: ignore[no-untyped-call]
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    wild = [name for name, g in gradients.items() if g is not None and not g.isfinite().all()]
    still = [name for name, g in gradients.items() if g is None or not g.any()]
    if wild:
        yield f"the gradient of {wild[0]} is not finite"
    if still:
        yield f"{still[0]} gets no gradient, so it cannot learn; use it in forward(), or take it out"


def _cached(architecture: Architecture) -> Iterator[str]:
    model, tokens_bt = _lively(architecture), _tokens()
    caches = model.new_caches()
    with torch.no_grad():
        parts = [model(tokens_bt[:, a:b], caches) for a, b in pairwise((0, *CUTS, TOKENS))]
        difference_t = (torch.cat(parts, 1) - model(tokens_bt)).abs().amax((0, 2))
    wrong = [t for t in range(TOKENS) if not difference_t[t] <= EQUAL]
    if wrong:
        yield (
            f"with a cache the logits of position {wrong[0]} differ by {difference_t[wrong[0]]:.3g} from "
            f"those of the full forward; keys and values come from cache.extend(), positions from "
            f"cache.length"
        )
        return
    generate(model, tokens_bt[:, :5], CONTEXT - 5)


def _parameters(architecture: Architecture) -> Iterator[str]:
    built, declared = parameter_count(_lively(architecture)), architecture.parameters(CONTEXT)
    if built != declared:
        yield f"the built model has {built:,}, parameters() says {declared:,}; without it they are counted"


def _cache_bytes(architecture: Architecture) -> Iterator[str]:
    model = _lively(architecture)
    caches = model.new_caches()
    with torch.no_grad():
        model(_tokens()[:1, :TOKENS], caches)
    held, declared = sum(cache.bytes for cache in caches), architecture.cache_bytes(TOKENS, "float32")
    if held != declared:
        yield f"a cache of {TOKENS} tokens holds {held:,} bytes, cache_bytes() says {declared:,.0f}"


def _loss(architecture: Architecture) -> Iterator[str]:
    model, tokens_bt = build(architecture, CONTEXT, seed=0), _tokens()
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = model.loss(tokens_bt[:, :-1], tokens_bt[:, 1:])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    if not losses[-1] < FALLEN * losses[0]:
        went = f"in {STEPS} steps on one batch it went from {losses[0]:.3g} to {losses[-1]:.3g}"
        yield f"{went}, not below {FALLEN:g} of that"


CHECKS: dict[str, Callable[[Architecture], Iterator[str]]] = {
    "causal": _causal,
    "gradients": _gradients,
    "cached generation": _cached,
    "parameters": _parameters,
    "cache bytes": _cache_bytes,
    "loss": _loss,
}


def _lively(architecture: Architecture) -> DecoderLM:
    """A model in which no weight is what it starts as, so that every part shows in the output."""
    model = build(architecture, CONTEXT, seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            scale = parameter.shape[-1] ** -0.5 if parameter.dim() > 1 else 0.2
            parameter.add_(torch.randn(parameter.shape, generator=generator) * scale)
    return model


def _tokens() -> Tensor:
    return torch.randint(0, VOCABULARY, (2, TOKENS), generator=torch.Generator().manual_seed(2))


def _place(error: Exception, folder: Path) -> str:
    """Where below ``folder`` it was raised, in brackets."""
    frames = [
        f for f in traceback.extract_tb(error.__traceback__) if folder in Path(f.filename).resolve().parents
    ]
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
